"""Buckets above which an exceedance metric counts.

A set is immutable: data counted under an old one stay under it and are never
converted. Which buckets are chosen, and when, is `rollout.thresholds`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitcanary.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class ThresholdSet:
    """One set: the baseline's quantile bucket first, then one per margin.

    `id` is environment-wide. `segment` 0 means no stratum. Buckets are scale-6 indices.
    """

    id: int
    rollout_id: int
    metric: str
    segment: int
    buckets: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.buckets or list(self.buckets) != sorted(set(self.buckets)):
            raise InvalidValue(f"buckets of metric `{self.metric}` must rise")
