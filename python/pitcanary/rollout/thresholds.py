"""Choose the buckets above which a quantile metric counts.

A quantile is tested as a rate: baseline outcomes above bucket b against candidate
outcomes above bucket b + j, where b is the bucket of the baseline's quantile and j a
margin. The buckets must be known before the data they judge, so they come from sealed
ticks, or at the start from traffic before the rollout; with neither there is no set
and the metric has insufficient data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MOVED = 2
"""A set is replaced when the baseline's bucket moved by this many; noise moves it by one."""

TAIL_OBSERVATIONS = 20
"""Observations above the quantile that make its bucket worth having."""


def quantile_bucket(counts: Mapping[int, int], quantile: float) -> int | None:
    """The bucket that holds the quantile of a histogram.

    Args:
        counts: Observations per scale-6 bucket.
        quantile: Between 0 and 1, for example 0.95.

    Returns:
        None with fewer than 20 observations expected on either side of the quantile.
    """
    total = sum(counts.values())
    if total * min(quantile, 1 - quantile) < TAIL_OBSERVATIONS:
        return None
    below = 0
    for bucket in sorted(counts):
        below += counts[bucket]
        if below >= quantile * total:
            return bucket
    return None


def buckets(bucket: int, margins: Iterable[int]) -> tuple[int, ...]:
    """The buckets of a set: the baseline's own, then one per margin, ascending."""
    return tuple(sorted({bucket, *(bucket + margin for margin in margins)}))


def replacement(
    current: tuple[int, ...] | None, observed: int | None, margins: Iterable[int]
) -> tuple[int, ...] | None:
    """The buckets of a new set, or None while the current one stays.

    Args:
        current: Buckets in force, none before the first set.
        observed: Bucket of the baseline's quantile in sealed ticks, or at the start in
            traffic before the rollout; none when there were too few observations.
        margins: Buckets above the baseline's, one per margin in use.
    """
    if observed is None:
        return None
    chosen = buckets(observed, margins)
    if current is None:
        return chosen
    return chosen if abs(observed - current[0]) >= MOVED else None
