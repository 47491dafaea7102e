"""Verdicts from real folds: who passes, who harms, and who must wait."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pitcanary._native import ArmCell
from pitcanary.errors import InvalidValue
from pitcanary.model.assessment import Assessment
from pitcanary.model.known_metrics import known_metric
from pitcanary.model.metric import Metric, Role
from pitcanary.model.plain import from_plain, to_plain
from pitcanary.model.verdict import Verdict
from pitcanary.statistics.assess import Observed, Rules, assess
from pitcanary.statistics.forecast import Progress
from pitcanary.statistics.metrics import MetricFolds

RULES = Rules(share=0.5)
ERROR = known_metric("error")
REFUSAL = known_metric("refusal")


def cell(n: int, rate: float, slices: int = 64) -> ArmCell:
    """Events as even over the slices as whole numbers allow."""
    events = round(n * slices * rate)
    return ArmCell([(i, n, events // slices + (i < events % slices)) for i in range(slices)])


def observe(
    metric: Metric, rate: float, *, n: int = 500, baseline: float = 0.05, slices: int = 64
) -> Observed:
    folds = MetricFolds(metric)
    for _ in range(4):
        folds.absorb([cell(n, baseline)], [cell(n, rate, slices)])
    return Observed(metric, folds.read(RULES.share))


def only(assessment: Assessment) -> Verdict:
    (assessed,) = assessment.metrics
    return assessed.verdict


CASES = [
    pytest.param(0.05, 500, Verdict.PASS, id="equal arms and many data"),
    pytest.param(0.05, 20, Verdict.INCONCLUSIVE, id="equal arms and few data"),
    pytest.param(0.10, 500, Verdict.REGRESSED, id="twice as many errors"),
    pytest.param(0.058, 60, Verdict.INCONCLUSIVE, id="between the margins"),
]


@pytest.mark.parametrize(("rate", "n", "expected"), CASES)
def test_verdict(rate: float, n: int, expected: Verdict) -> None:
    assessment = assess([observe(ERROR, rate, n=n)], RULES)
    assert only(assessment) is expected
    assert assessment.may_advance is (expected is Verdict.PASS)
    assert assessment.harmed is (expected is Verdict.REGRESSED)


def test_no_data_is_neither_pass_nor_harm() -> None:
    assessment = assess([Observed(ERROR, MetricFolds(ERROR).read(0.5))], RULES)
    assert only(assessment) is Verdict.INSUFFICIENT_DATA
    assert not assessment.may_advance
    assert not assessment.harmed
    assert assessment.metrics[0].difference is None


def test_too_few_slices_are_too_few_users() -> None:
    assessment = assess([observe(ERROR, 0.04, n=5000, slices=19)], RULES)
    assert only(assessment) is Verdict.INSUFFICIENT_DATA
    assert "19 of 20 slices" in assessment.metrics[0].reason


def test_an_evaluator_that_fails_is_not_a_pass() -> None:
    broken = replace(observe(ERROR, 0.05), error="validator failed 12 times")
    assessment = assess([broken], RULES)
    assert only(assessment) is Verdict.MEASUREMENT_ERROR
    assert assessment.blocking == ("error",)


def test_harm_is_seen_in_spite_of_an_evaluator_that_fails() -> None:
    assert assess([replace(observe(ERROR, 0.10), error="sometimes")], RULES).harmed


def test_a_muted_metric_neither_harms_nor_gates() -> None:
    muted = replace(observe(ERROR, 0.10), muted=True)
    assessment = assess([muted, observe(REFUSAL, 0.05)], RULES)
    assert assessment.metric("error").verdict is Verdict.MUTED
    assert assessment.may_advance
    assert not assessment.harmed


def test_all_muted_allows_nothing() -> None:
    assert not assess([replace(observe(ERROR, 0.05), muted=True)], RULES).may_advance


def test_one_gating_metric_without_a_pass_blocks() -> None:
    assessment = assess([observe(ERROR, 0.05), observe(REFUSAL, 0.058, n=60)], RULES)
    assert assessment.blocking == ("refusal",)
    assert not assessment.may_advance


def test_a_guard_that_is_not_gating_only_rolls_back() -> None:
    toxicity = known_metric("toxicity")
    calm = assess([observe(ERROR, 0.05), observe(toxicity, 0.058, n=60)], RULES)
    assert calm.may_advance
    harmed = assess([observe(ERROR, 0.05), observe(toxicity, 0.12)], RULES)
    assert harmed.harmed
    assert not harmed.may_advance


def test_the_average_of_guardrails_decides() -> None:
    """Evidence of one guardrail counts by its weight, so unrelated metrics dilute it."""
    one = assess([observe(ERROR, 0.072)], RULES)
    both = assess([observe(ERROR, 0.072), observe(REFUSAL, 0.05)], RULES)
    weighted = sum(math.exp(a.log_e_worse) for a in both.metrics) / 2
    assert both.log_e == pytest.approx(math.log(weighted))
    assert both.log_e < one.log_e
    assert sum(a.contribution for a in both.metrics) == pytest.approx(1.0)


def test_suspects_are_named_when_nobody_is_confirmed() -> None:
    alone = assess([observe(ERROR, 0.07)], RULES).metrics[0].log_e_worse
    rules = replace(RULES, alpha=math.exp(-alone - 0.1))
    assert not assess([observe(ERROR, 0.07), observe(REFUSAL, 0.07)], rules).harmed
    rules = replace(RULES, alpha=math.exp(-alone + 0.1))
    assessment = assess([observe(ERROR, 0.07), observe(REFUSAL, 0.07)], rules)
    assert assessment.harmed
    assert assessment.culprits == ()
    assert assessment.suspects == ("error", "refusal")
    assert {a.verdict for a in assessment.metrics} == {Verdict.REGRESSED}


def test_a_signal_pauses_and_recovers() -> None:
    signal = replace(REFUSAL, role=Role.SIGNAL)
    harmed = assess([observe(ERROR, 0.05), observe(signal, 0.10)], RULES)
    assert harmed.signals_harmed == ("refusal",)
    assert not harmed.harmed
    assert not harmed.may_advance
    recovered = assess([observe(ERROR, 0.05), observe(signal, 0.05)], RULES, previous=harmed)
    assert recovered.signals_harmed == ()
    assert recovered.may_advance


def test_a_report_changes_nothing() -> None:
    report = replace(REFUSAL, role=Role.REPORT)
    assessment = assess([observe(ERROR, 0.05), observe(report, 0.10)], RULES)
    assert assessment.metric("refusal").verdict is Verdict.REGRESSED
    assert assessment.may_advance


def test_harm_once_proven_stays_proven() -> None:
    harmed = assess([observe(ERROR, 0.10)], RULES)
    later = assess([observe(ERROR, 0.05)], RULES, previous=harmed)
    assert later.harmed
    assert later.log_e_peak == harmed.log_e_peak
    assert only(later) is Verdict.REGRESSED


def test_a_rollout_that_cannot_be_decided_says_so() -> None:
    thin = observe(ERROR, 0.05, n=20)
    assessment = assess([thin], RULES, progress=Progress(used=0.9, units=2000))
    assert assessment.undecidable == ("error",)
    forecast = assessment.metrics[0].forecast
    assert forecast is not None
    assert forecast.units_needed is not None
    assert forecast.units_needed > 2000
    early = assess([thin], RULES, progress=Progress(used=0.01, units=2000))
    assert early.undecidable == ()


def scores(mean: float) -> ArmCell:
    """50 scores per slice with standard deviation 0.1, slices a little apart, in millionths."""
    sums = [(i, 50, round(50e6 * mean) + i * 10_000) for i in range(64)]
    squares = sum(total * total // 50 + round(50 * 1e5**2) for _, _, total in sums)
    return ArmCell(sums, squares)


def test_the_interval_lies_in_the_metrics_own_unit_and_direction() -> None:
    adherence = known_metric("adherence")
    folds = MetricFolds(adherence)
    high, low = scores(0.9), scores(0.8)
    folds.absorb([high], [low])
    assessed = assess([Observed(adherence, folds.read(0.5))], RULES).metrics[0]
    assert assessed.verdict is Verdict.REGRESSED
    assert assessed.baseline.value == pytest.approx(0.9063)
    assert assessed.difference is not None
    assert assessed.difference.low < -0.099 < assessed.difference.high < 0


def test_an_assessment_survives_the_record() -> None:
    assessment = assess([observe(ERROR, 0.05)], RULES, progress=Progress(0.5))
    assert from_plain(Assessment, to_plain(assessment)) == assessment


def test_without_metrics_there_is_nothing_to_assess() -> None:
    with pytest.raises(InvalidValue):
        assess([], RULES)
