"""Rollouts as sidecars get them: arms, slots, metrics and thresholds.

A rollout that has ended stays until the next one on its label: pinned
conversations and late scores still belong to it. What the numbers of a metric mean
is decided when the rollout is applied and frozen with its analysis generation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pitcanary.model.metric import Metric, MetricKind, MetricSource
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import OnRollback
from pitcanary.statistics.metrics import scale
from pitcanary.store.interface import RolloutRow, ThresholdSetRow
from pitcanary.v1 import control_pb2

TAKEN_BACK = frozenset({RolloutState.ROLLED_BACK, RolloutState.ABORTED})

_KINDS = {
    MetricKind.RATE: control_pb2.METRIC_KIND_RATE,
    MetricKind.SCORE: control_pb2.METRIC_KIND_MEAN,
    MetricKind.MEAN: control_pb2.METRIC_KIND_MEAN,
    MetricKind.QUANTILE: control_pb2.METRIC_KIND_EXCEEDANCE,
    MetricKind.RATIO: control_pb2.METRIC_KIND_RATIO,
}
_SOURCES = {
    MetricSource.ERROR: control_pb2.METRIC_SOURCE_ERROR,
    MetricSource.SCHEMA_FAILURE: control_pb2.METRIC_SOURCE_SCHEMA_FAILURE,
    MetricSource.LATENCY: control_pb2.METRIC_SOURCE_LATENCY,
    MetricSource.TIME_TO_FIRST_TOKEN: control_pb2.METRIC_SOURCE_TIME_TO_FIRST_TOKEN,
    MetricSource.INPUT_TOKENS: control_pb2.METRIC_SOURCE_INPUT_TOKENS,
    MetricSource.OUTPUT_TOKENS: control_pb2.METRIC_SOURCE_OUTPUT_TOKENS,
    MetricSource.COST: control_pb2.METRIC_SOURCE_COST,
    MetricSource.FLAG: control_pb2.METRIC_SOURCE_FLAG,
    MetricSource.SCORE: control_pb2.METRIC_SOURCE_SCORE,
}
_ON_ROLLBACK = {
    OnRollback.FINISH_PINNED: control_pb2.ON_ROLLBACK_FINISH_PINNED,
    OnRollback.NEXT_TURN: control_pb2.ON_ROLLBACK_NEXT_TURN,
    OnRollback.IMMEDIATE: control_pb2.ON_ROLLBACK_IMMEDIATE,
}


def known_to_sidecars(rows: Sequence[RolloutRow]) -> list[RolloutRow]:
    """The newest rollout of every label, ascending by id; the others are history."""
    newest: dict[tuple[int, str], RolloutRow] = {}
    for row in rows:
        held = newest.get((row.prompt, row.label))
        if held is None or (row.active, row.id) > (held.active, held.id):
            newest[row.prompt, row.label] = row
    return sorted(newest.values(), key=lambda row: row.id)


def thresholds_in_force(
    rollout: Rollout, rows: Sequence[ThresholdSetRow]
) -> dict[int, ThresholdSetRow]:
    """The newest threshold set of each metric of the current analysis, by metric id."""
    return {
        row.thresholds.metric: row
        for row in sorted(rows, key=lambda row: row.id)
        if row.thresholds.rollout == rollout.id
        and row.thresholds.generation == rollout.analysis_generation
    }


def rollout_message(
    rollout: Rollout, version_ids: Mapping[int, int], thresholds: Mapping[int, ThresholdSetRow]
) -> control_pb2.Rollout:
    """A rollout; `version_ids` turns numbers of its prompt into environment-wide ids."""
    return control_pb2.Rollout(
        id=rollout.id,
        name=rollout.spec.name,
        unit_kind=rollout.spec.unit.value,
        salt=rollout.salt,
        analysis_generation=rollout.analysis_generation,
        allocation_epoch=rollout.allocation_epoch,
        eligible=rollout.spec.eligible,
        arms=_arms(rollout, version_ids),
        metrics=[
            _metric(index, metric, thresholds.get(index))
            for index, metric in enumerate(rollout.spec.metrics)
        ],
        on_rollback=_ON_ROLLBACK[rollout.spec.policies.on_rollback],
        strata=rollout.spec.strata,
    )


def _arms(rollout: Rollout, version_ids: Mapping[int, int]) -> list[control_pb2.Arm]:
    return [
        control_pb2.Arm(
            index=arm.index,
            name=arm.name,
            version=version_ids[arm.version],
            ranges=[
                control_pb2.SlotRange(start=item.start, end=item.end)
                for item in rollout.allocation.ranges(arm.index)
            ],
            withdrawn=arm.index > 0 and rollout.state in TAKEN_BACK,
        )
        for arm in rollout.arms
    ]


def _metric(
    index: int, metric: Metric, thresholds: ThresholdSetRow | None
) -> control_pb2.MetricConfig:
    units = scale(metric)
    return control_pb2.MetricConfig(
        id=index,
        name=metric.key or metric.name,
        kind=_KINDS[metric.kind],
        source=_SOURCES[metric.source],
        threshold_set=thresholds.id if thresholds else 0,
        cap=round((metric.cap or 0.0) * units),
        minimum=round((metric.minimum or 0.0) * units),
        maximum=round((metric.maximum or 0.0) * units),
        histogram=metric.kind in {MetricKind.QUANTILE, MetricKind.MEAN},
    )
