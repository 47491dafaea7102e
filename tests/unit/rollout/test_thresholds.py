"""Threshold sets: known in advance, stable against noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.rollout.thresholds import buckets, quantile_bucket, replacement

histograms = st.dictionaries(st.integers(-50, 400), st.integers(1, 500), min_size=1, max_size=30)


@given(histograms, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_bucket_splits_the_observations_at_the_quantile(
    counts: dict[int, int], quantile: float
) -> None:
    bucket = quantile_bucket(counts, quantile)
    total = sum(counts.values())
    if bucket is None:
        assert total * min(quantile, 1 - quantile) < 20
        return
    above = sum(count for index, count in counts.items() if index > bucket)
    at_or_above = above + counts[bucket]
    assert above <= total * (1 - quantile) * (1 + 1e-12)
    assert at_or_above >= total * (1 - quantile) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("quantile", "total"), [(0.5, 39), (0.95, 399), (0.99, 1999)], ids=["p50", "p95", "p99"]
)
def test_too_few_observations_give_no_bucket(quantile: float, total: int) -> None:
    assert quantile_bucket({7: total}, quantile) is None
    assert quantile_bucket({7: total + 2}, quantile) == 7


def test_no_observations_give_no_bucket() -> None:
    assert quantile_bucket({}, 0.95) is None


def test_a_set_holds_the_baseline_bucket_and_every_margin() -> None:
    assert buckets(100, (10, 16, 10)) == (100, 110, 116)


@pytest.mark.parametrize(
    ("current", "observed", "expected"),
    [
        pytest.param(None, None, None, id="a cold start without data has no set"),
        pytest.param(None, 100, (100, 110), id="the first set comes from traffic before"),
        pytest.param((100, 110), None, None, id="missing data change nothing"),
        pytest.param((100, 110), 101, None, id="one bucket is noise"),
        pytest.param((100, 110), 99, None, id="one bucket down is noise"),
        pytest.param((100, 110), 102, (102, 112), id="two buckets are a move"),
        pytest.param((100, 110), 90, (90, 100), id="a move down"),
    ],
)
def test_when_a_set_is_replaced(
    current: tuple[int, ...] | None, observed: int | None, expected: tuple[int, ...] | None
) -> None:
    assert replacement(current, observed, (10,)) == expected
