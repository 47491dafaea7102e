"""Chooses the buckets above which tails are counted, from what the baseline showed.

Only sealed evidence is looked at, so a threshold is always older than the data it
judges. The rule of choosing is `rollout.thresholds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pitcanary.controller.analysis.folded import Folded
from pitcanary.model.metric import MetricKind
from pitcanary.model.rollout import Rollout
from pitcanary.rollout.thresholds import quantile_bucket, replacement
from pitcanary.store.interface import NewThresholdSet, ThresholdSetRow

BASELINE = 0
ALL_SEGMENTS = 0


def new_thresholds(
    folded: Folded,
    rollout: Rollout,
    environment: int,
    in_force: Mapping[int, ThresholdSetRow],
    now: datetime,
) -> list[NewThresholdSet]:
    """The threshold sets to put in force now; mostly none."""
    current = {number: row.thresholds.buckets for number, row in in_force.items()}
    chosen: list[NewThresholdSet] = []
    for number, metric in enumerate(rollout.spec.metrics):
        if metric.kind is not MetricKind.QUANTILE or metric.quantile is None:
            continue
        counts = folded.lasting.distribution(
            rollout.id, rollout.analysis_generation, number, BASELINE
        )
        observed = quantile_bucket(counts, metric.quantile)
        buckets = replacement(current.get(number), observed, metric.bucket_shifts)
        if buckets is not None:
            chosen.append(
                NewThresholdSet(
                    environment=environment,
                    rollout=rollout.id,
                    generation=rollout.analysis_generation,
                    metric=number,
                    segment=ALL_SEGMENTS,
                    buckets=buckets,
                    from_tick=folded.tick,
                    created_at=now,
                )
            )
    return chosen
