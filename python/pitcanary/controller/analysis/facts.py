"""Whether the counts may be believed: who reports, how units fell, what is missing.

Facts only, for the gate to hold on; none of them is ever a pass or a fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pitcanary._native import Bundle
from pitcanary.controller.analysis.folded import CANDIDATE, Folded, Notes
from pitcanary.model.health import Health
from pitcanary.model.rollout import Rollout
from pitcanary.statistics.metrics import Reading
from pitcanary.statistics.sample_ratio import StageUnits, sample_ratio
from pitcanary.store.interface import ConfigVersion, SidecarRow
from pitcanary.v1 import sketch_pb2

LATELY = timedelta(minutes=2)
"""A sidecar seen within this is expected to report."""

HEARD_WITHIN = timedelta(seconds=30)
"""A connection not heard of for longer belongs to a replica that died."""

UNMEASURED = frozenset({sketch_pb2.MISSING_VALIDATOR_ERROR, sketch_pb2.MISSING_UNKNOWN_PRICE})
"""Reasons that say that the instrument failed, not that the app said nothing."""

TOLERATED_UNMEASURED = 0.05
"""More of an arm's values than this part missing for such a reason is an error."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The sidecars as the store knows them, and what they should serve."""

    sidecars: Sequence[SidecarRow]
    current: ConfigVersion
    tripped: int = 0
    flush_interval: timedelta = timedelta(0)


def is_connected(row: SidecarRow, at: datetime) -> bool:
    """Whether some replica holds a stream of this sidecar."""
    return bool(row.hello.replica) and at - row.seen_at <= HEARD_WITHIN


def health(notes: Notes, fleet: Fleet, now: datetime, *, waiting: bool) -> Health:
    """Gathers what the gate asks before it believes an assessment.

    Args:
        notes: What was concluded at the last seal.
        fleet: Who reports.
        now: The time.
        waiting: Whether counts have arrived that no seal has taken yet.
    """
    connected = [row for row in fleet.sidecars if is_connected(row, now)]
    expected = [row for row in fleet.sidecars if now - row.seen_at <= LATELY]
    age = None if notes.sealed_at is None else now - notes.sealed_at
    return Health(
        sidecars_expected=len(expected),
        sidecars_reporting=len(connected),
        sidecars_behind=tuple(
            row.hello.sidecar_id
            for row in connected
            if row.acknowledged is None or row.acknowledged < fleet.current
        ),
        breaker_trips=fleet.tripped,
        evidence_age=timedelta(0) if waiting else age,
        flush_interval=fleet.flush_interval,
        sample_ratio_log_e=notes.sample_ratio_log_e,
        units=notes.units,
        units_mixed=notes.units_mixed,
    )


def sample_ratio_log_e(folded: Folded, rollout: Rollout) -> float | None:
    """The evidence that units are split otherwise than decided; None before any unit.

    An epoch in which an arm owned nothing cannot be tested and is left out.
    """
    counts = folded.lasting.unit_counts(rollout.id, rollout.analysis_generation)
    stages = []
    for epoch, shares in sorted(folded.notes.shares.items()):
        units = tuple(counts.get((epoch, arm), (0, 0))[0] for arm in range(len(shares)))
        if min(shares) > 0 and sum(units) > 0:
            stages.append(StageUnits(units, shares))
    return sample_ratio(stages).log_e if stages else None


def stage_units(folded: Folded, rollout: Rollout) -> tuple[int, int]:
    """Units first seen in the current stage, and how many of them met two arms."""
    first = rollout.stage.first_epoch if rollout.stage else 0
    counts = folded.lasting.unit_counts(rollout.id, rollout.analysis_generation)
    here = [pair for (epoch, _), pair in sorted(counts.items()) if epoch >= first]
    return sum(units for units, _ in here), sum(several for _, several in here)


def unit_count(folded: Folded, rollout: Rollout) -> int:
    """Units seen since the rollout began, up to the size of the sample."""
    counts = folded.lasting.unit_counts(rollout.id, rollout.analysis_generation)
    return sum(units for units, _ in counts.values())


def outcomes_of(sealed: Bundle, rollout: Rollout) -> tuple[int, ...]:
    """Outcomes per arm in one seal, over all epochs of first assignment."""
    traffic = sealed.traffic(rollout.id, rollout.analysis_generation)
    totals = [0] * len(rollout.arms)
    for (_, arm), (_, outcomes) in traffic.items():
        if arm < len(totals):
            totals[arm] += outcomes
    return tuple(totals)


def shares_of(sealed: Bundle, rollout: Rollout) -> tuple[float, ...]:
    """The shares of the arms in the answers of one seal; empty without traffic."""
    traffic = sealed.traffic(rollout.id, rollout.analysis_generation)
    epoch = rollout.allocation_epoch
    shown = [traffic.get((epoch, arm.index), (0, 0))[0] for arm in rollout.arms]
    total = sum(shown)
    return tuple(count / total for count in shown) if total else ()


def measurement_error(folded: Folded, rollout: Rollout, metric: int, reading: Reading) -> str:
    """Why a metric could not be measured; empty when it could."""
    missing = folded.lasting.missing_counts(rollout.id, rollout.analysis_generation)
    observed = {0: reading.rollback.baseline_n, CANDIDATE: reading.rollback.candidate_n}
    for arm, count in observed.items():
        failed = sum(
            number
            for (of_arm, of_metric, reason), number in missing.items()
            if of_arm == arm and of_metric == metric and reason in UNMEASURED
        )
        if failed > TOLERATED_UNMEASURED * (failed + count):
            name = rollout.arms[arm].name
            return f"{failed} values of `{name}` could not be measured, {count} could"
    return ""
