"""Definitions of metrics: defaults, ladders, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pitcanary.errors import InvalidValue
from pitcanary.model.known_metrics import KNOWN_METRICS, known_metric
from pitcanary.model.margin import Margin, StageMargin
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource
from pitcanary.model.plain import from_plain, to_plain

LADDER = [
    pytest.param("error", 0.01, Margin(ratio=3.0), id="a listed share has its own margin"),
    pytest.param("error", 0.10, Margin(ratio=1.5), id="others take that of the next larger"),
    pytest.param("error", 0.95, Margin(ratio=1.25), id="above the last, the last"),
    pytest.param("adherence", 0.5, Margin(difference=0.015), id="scores by difference"),
    pytest.param("latency_p95", 0.5, Margin(buckets=16), id="quantiles by buckets"),
    pytest.param("cost", 0.05, Margin(ratio=1.15), id="means by ratio"),
]


@pytest.mark.parametrize(("name", "share", "expected"), LADDER)
def test_ladder(name: str, share: float, expected: Margin) -> None:
    assert known_metric(name).margin_at(share) == expected


def test_a_score_scales_its_margins_with_its_range() -> None:
    stars = Metric(
        "stars", MetricKind.SCORE, MetricSource.SCORE, Direction.DOWN, minimum=1.0, maximum=5.0
    )
    assert stars.rollback.difference == pytest.approx(0.02)
    assert stars.margin_at(0.01).difference == pytest.approx(0.24)


def test_a_mean_that_may_not_fall_has_margins_below_one() -> None:
    tokens = Metric("tokens", MetricKind.MEAN, MetricSource.OUTPUT_TOKENS, Direction.DOWN)
    assert tokens.rollback.ratio == pytest.approx(1 / 1.05)


def test_thresholds_of_a_quantile_begin_at_its_own_bucket() -> None:
    assert known_metric("latency_p95").bucket_shifts == (0, 10, 16, 24, 32, 48)
    assert known_metric("error").bucket_shifts == ()


@pytest.mark.parametrize("name", sorted(KNOWN_METRICS))
def test_a_definition_with_its_defaults_survives_the_record(name: str) -> None:
    metric = known_metric(name)
    plain = to_plain(metric)
    assert isinstance(plain, dict)
    assert plain["rollback"] is not None
    assert from_plain(Metric, plain) == metric


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidValue, match="did you mean `latency_p95`"):
        known_metric("latency_95")


def _metric(kind: MetricKind, source: MetricSource) -> Callable[..., Metric]:
    return lambda **fields: Metric("quality", kind, source, **fields)


rate = _metric(MetricKind.RATE, MetricSource.FLAG)
score = _metric(MetricKind.SCORE, MetricSource.SCORE)
quantile = _metric(MetricKind.QUANTILE, MetricSource.LATENCY)
mean = _metric(MetricKind.MEAN, MetricSource.COST)

WRONG = [
    pytest.param(_metric(MetricKind.RATIO, MetricSource.COST), "kind", id="ratios"),
    pytest.param(_metric(MetricKind.RATE, MetricSource.COST), "source", id="rate of costs"),
    pytest.param(lambda: rate(quantile=0.5), "quantile", id="quantile of a rate"),
    pytest.param(quantile, "quantile", id="quantile without one"),
    pytest.param(lambda: quantile(quantile=1.0), "quantile", id="quantile at the end"),
    pytest.param(
        lambda: quantile(quantile=0.9, direction=Direction.DOWN), "direction", id="falling latency"
    ),
    pytest.param(score, "minimum", id="score without bounds"),
    pytest.param(lambda: score(minimum=1.0, maximum=1.0), "minimum", id="score without range"),
    pytest.param(lambda: mean(minimum=0.0), "minimum", id="bounds of a mean"),
    pytest.param(lambda: rate(cap=5.0), "cap", id="cap of a rate"),
    pytest.param(lambda: rate(rollback=Margin(buckets=5)), "buckets", id="buckets of a rate"),
    pytest.param(lambda: rate(rollback=Margin(ratio=0.9)), "ratio", id="a margin below equality"),
    pytest.param(lambda: mean(rollback=Margin(ratio=float("nan"))), "ratio", id="not a number"),
    pytest.param(lambda: mean(rollback=Margin(floor=0.1)), "floor", id="floor of a mean"),
    pytest.param(
        lambda: rate(
            advance=(StageMargin(0.5, Margin(ratio=1.2)), StageMargin(0.1, Margin(ratio=1.5)))
        ),
        "advance",
        id="a ladder that falls",
    ),
]


@pytest.mark.parametrize(("make", "field"), WRONG)
def test_what_cannot_be_tested_is_refused_by_field(make: Callable[[], Metric], field: str) -> None:
    with pytest.raises(InvalidValue, match=field):
        make()
