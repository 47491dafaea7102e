"""A rollout as people see it: header, arms, a row per metric, what can happen next.

Derived from what is stored and from the same facts that the gate gets, so a view
cannot promise what the gate would not do. How it is laid out is the reader's job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.metric_view import metric_rows
from pitcanary.controller.admin.prompts import timestamp
from pitcanary.controller.analysis.folded import Folded, load, load_notes
from pitcanary.controller.knowledge import Knowledge, gather
from pitcanary.controller.propagation import PropagationReport
from pitcanary.controller.stored import rollout_of
from pitcanary.model.json_types import JsonValue
from pitcanary.model.plain import canonical_bytes, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.rollout import gate
from pitcanary.rollout.gate import Ruling
from pitcanary.rollout.outlook import next_line, next_steps
from pitcanary.rollout.situation import SAMPLE_RATIO_LOG_E
from pitcanary.statistics.words import summary_sentence
from pitcanary.store.interface import Reader, RolloutRow
from pitcanary.v1 import admin_pb2

CANDIDATE = 1


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything a view is made of; `ruling` is what the gate says now, if it runs."""

    row: RolloutRow
    rollout: Rollout
    known: Knowledge
    folded: Folded
    ruling: Ruling | None
    propagation: PropagationReport | None


def rollout_info(reader: Reader, row: RolloutRow, moment: Moment) -> admin_pb2.RolloutInfo:
    """A rollout with its whole view."""
    rollout = rollout_of(row)
    folded = load(reader, row.environment, rollout)
    known = gather(
        reader, row.environment, rollout, folded.notes,
        intervals=moment.tools.intervals, now=moment.at,
    )  # fmt: skip
    ruling = None
    if not rollout.state.terminal:
        ruling = gate.decide(rollout, folded.notes.assessment, known.health, moment.at)
    seen = _Seen(row, rollout, known, folded, ruling, moment.tools.report(row.environment, row.id))
    info = _header(row, rollout, folded.notes.shares_actual)
    info.view_json = canonical_bytes(_view(reader, seen)).decode()
    return info


def rollout_header(reader: Reader, row: RolloutRow) -> admin_pb2.RolloutInfo:
    """A rollout in short, for lists: without its view."""
    rollout = rollout_of(row)
    return _header(row, rollout, load_notes(reader, row.environment, rollout).shares_actual)


def _header(
    row: RolloutRow, rollout: Rollout, shares_actual: tuple[float, ...]
) -> admin_pb2.RolloutInfo:
    return admin_pb2.RolloutInfo(
        name=rollout.spec.name,
        prompt=rollout.spec.prompt,
        state=rollout.state.value,
        message=rollout.message,
        stage=rollout.stage.index + 1 if rollout.stage else 0,
        stages=len(rollout.spec.stages),
        share_set=rollout.allocation.share(CANDIDATE),
        share_actual=shares_actual[CANDIDATE] if shares_actual else None,
        revision=row.revision,
        created_at=timestamp(row.created.at),
    )


def _view(reader: Reader, seen: _Seen) -> Mapping[str, JsonValue]:
    rollout, notes = seen.rollout, seen.known.notes
    steps = next_steps(rollout, seen.ruling) if seen.ruling else ()
    assessment = notes.assessment
    last = reader.decisions.list(seen.row.environment, seen.row.id, limit=1)
    fields: dict[str, object] = {
        "rollout": rollout.spec.name,
        "prompt": rollout.spec.prompt,
        "label": rollout.spec.label,
        "unit": rollout.spec.unit,
        "state": rollout.state,
        "message": seen.ruling.rule if seen.ruling else rollout.message,
        "reason": seen.ruling.reason if seen.ruling else rollout.reason,
        "arms": _arms(reader, seen),
        "stages": rollout.spec.stages,
        "stage": rollout.stage,
        "started_at": rollout.started_at,
        "ended_at": rollout.ended_at,
        "pause": rollout.pause,
        "summary": summary_sentence(assessment) if assessment else "no evidence yet",
        "metrics": metric_rows(seen.folded, rollout),
        "sample_ratio": _sample_ratio(seen.known),
        "fleet": _fleet(seen.known),
        "propagation": _propagation(seen.propagation),
        "next": steps,
        "next_line": next_line(steps),
        "decision_id": last[0].id if last else None,
    }
    return {name: to_plain(value) for name, value in fields.items()}


def _arms(reader: Reader, seen: _Seen) -> list[dict[str, object]]:
    rollout, actual = seen.rollout, seen.known.notes.shares_actual
    outcomes = rollout.stage.outcomes if rollout.stage else ()
    arms: list[dict[str, object]] = []
    for arm in rollout.arms:
        row = reader.versions.by_number(seen.row.environment, seen.row.prompt, arm.version)
        arms.append(
            {
                "name": arm.name,
                "version": arm.version,
                "digest": row.digest if row else None,
                "share_set": rollout.allocation.share(arm.index),
                "share_actual": actual[arm.index] if actual else None,
                "stage_outcomes": outcomes[arm.index] if outcomes else 0,
            }
        )
    return arms


def _sample_ratio(known: Knowledge) -> dict[str, object]:
    log_e = known.health.sample_ratio_log_e
    return {
        "log_e": log_e,
        "alarm": log_e is not None and log_e >= SAMPLE_RATIO_LOG_E,
        "units": known.health.units,
        "units_mixed": known.health.units_mixed,
    }


def _fleet(known: Knowledge) -> dict[str, object]:
    return {
        "expected": known.health.sidecars_expected,
        "reporting": known.health.sidecars_reporting,
        "behind": known.health.sidecars_behind,
        "tripped": known.health.breaker_trips,
    }


def _propagation(report: PropagationReport | None) -> dict[str, object] | None:
    if report is None:
        return None
    return {
        "sidecars": report.expected,
        "acknowledged": report.acknowledged,
        "p50_seconds": report.p50_seconds,
        "p99_seconds": report.p99_seconds,
        "stragglers": report.stragglers,
    }
