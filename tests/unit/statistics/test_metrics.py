"""From definitions to folds: the right contrast, in the right unit, kept exactly."""

from __future__ import annotations

import pytest
from hypothesis import given

from pitcanary._native import ArmCell, Fold
from pitcanary.errors import EvidenceRefused
from pitcanary.model.known_metrics import KNOWN_METRICS, known_metric
from pitcanary.model.metric import Metric, MetricKind, MetricSource
from pitcanary.statistics.metrics import MetricFolds, empty_fold
from tests.unit.statistics.cells import Strata, arm, rate_arm, run, strata

CONTRASTS = [
    pytest.param("error", ("rate", "up", 1.1, 0.0, 0.002, None), id="a rate with its floor"),
    pytest.param("adherence", ("mean", "down", 1.0, 5000.0, None, 0.0), id="a score in millionths"),
    pytest.param("cost", ("mean", "up", 1.05, 0.0, None, None), id="cost relative to the baseline"),
    pytest.param("latency_p95", ("rate", "up", 1.0, 0.0, None, None), id="exceedance at ratio 1"),
]


@pytest.mark.parametrize(("name", "expected"), CONTRASTS)
def test_the_rollback_contrast(name: str, expected: tuple[object, ...]) -> None:
    metric = known_metric(name)
    assert empty_fold(metric, metric.rollback).contrast == expected


def test_a_cap_is_the_worst_value_of_a_cost() -> None:
    cost = Metric("cost", MetricKind.MEAN, MetricSource.COST, cap=0.5)
    assert empty_fold(cost, cost.rollback).contrast[-1] == 500_000_000


@given(strata(rate_arm()))
def test_reading_a_stage_is_folding_its_margin(data: Strata) -> None:
    folds = MetricFolds(known_metric("refusal"))
    for baseline, candidate in data:
        folds.absorb([arm(*baseline)], [arm(*candidate)])
    reading = folds.read(0.05)
    assert reading.stage == run(Fold("rate", "up", 2.0, 0.0), data).evidence()
    assert reading.rollback == run(Fold("rate", "up", 1.1, 0.0, floor=0.002), data).evidence()
    assert reading.difference == run(Fold("rate", "up", 1.0, 0.0), data).interval(0.05)


def test_a_quantile_compares_the_candidate_above_the_shifted_bucket() -> None:
    metric = known_metric("latency_p95")
    shifts = metric.bucket_shifts
    baseline = [ArmCell([(0, 1000, 50 - i), (1, 1000, 40 - i)]) for i in range(len(shifts))]
    candidate = [ArmCell([(0, 100, 9 - i), (1, 100, 8 - i)]) for i in range(len(shifts))]
    folds = MetricFolds(metric)
    folds.absorb(baseline, candidate)
    expected = Fold("rate", "up", 1.0, 0.0)
    expected.absorb(baseline[0], candidate[shifts.index(10)])
    assert folds.read(0.01).rollback == expected.evidence()


@given(strata(rate_arm()))
def test_stored_folds_come_back_bit_for_bit(data: Strata) -> None:
    metric = known_metric("refusal")
    folds = MetricFolds(metric)
    for baseline, candidate in data:
        folds.absorb([arm(*baseline)], [arm(*candidate)])
    restored = MetricFolds.from_bytes(metric, folds.to_bytes())
    assert restored.to_bytes() == folds.to_bytes()


@pytest.mark.parametrize("name", sorted(KNOWN_METRICS))
def test_folds_of_another_metric_are_refused(name: str) -> None:
    metric = known_metric(name)
    data = MetricFolds(metric).to_bytes()
    other = known_metric("cost" if metric.kind is not MetricKind.MEAN else "error")
    with pytest.raises(EvidenceRefused, match="other margins"):
        MetricFolds.from_bytes(other, data)
    with pytest.raises(EvidenceRefused):
        MetricFolds.from_bytes(metric, data[:-1])


def test_a_refused_stratum_changes_no_margin() -> None:
    folds = MetricFolds(known_metric("error"))
    good, bad = ArmCell([(0, 10, 1)]), ArmCell([(0, 10, 11)])
    folds.absorb([good], [good])
    before = folds.to_bytes()
    with pytest.raises(EvidenceRefused, match="a rate needs"):
        folds.absorb([good], [bad])
    with pytest.raises(EvidenceRefused, match="needs `1` cells"):
        folds.absorb([good, good], [good])
    assert folds.to_bytes() == before
