"""Sentences people read, each from a real assessment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pitcanary.model.assessment import Bounds, Forecast
from pitcanary.model.known_metrics import known_metric
from pitcanary.statistics import words
from pitcanary.statistics.assess import assess
from tests.unit.statistics.test_assess import ERROR, REFUSAL, RULES, observe

ASSESSED = assess([observe(ERROR, 0.10)], RULES).metrics[0]


def test_a_difference_is_told_in_points() -> None:
    told = replace(ASSESSED, difference=Bounds(0.011, 0.004, 0.019))
    expected = "candidate error rate is +0.40 to +1.9 points worse (95 % anytime)"
    assert words.difference_sentence(told) == expected


def test_an_interval_over_zero_is_not_judged() -> None:
    told = replace(ASSESSED, difference=Bounds(0.0, -0.004, 0.004))
    expected = "candidate error rate is -0.40 to +0.40 points (95 % anytime)"
    assert words.difference_sentence(told) == expected


def test_scores_fall_when_they_get_worse() -> None:
    told = replace(
        ASSESSED, metric=known_metric("adherence"), difference=Bounds(-0.03, -0.04, -0.02)
    )
    expected = "candidate adherence is -0.040 to -0.020 worse (95 % anytime)"
    assert words.difference_sentence(told) == expected


def test_latency_is_told_as_what_lies_above_the_baselines_quantile() -> None:
    told = replace(
        ASSESSED, metric=known_metric("latency_p95"), difference=Bounds(0.03, 0.01, 0.05)
    )
    assert words.difference_sentence(told).startswith("candidate latency above the baseline's p95")


def test_unbounded_and_missing_intervals() -> None:
    half = replace(ASSESSED, difference=Bounds(0.1, float("-inf"), 0.2))
    assert "-100.0 to +20.0 points" in words.difference_sentence(half)
    assert words.difference_sentence(replace(ASSESSED, difference=None)).endswith("no interval yet")


def test_evidence_is_told_as_odds() -> None:
    told = replace(ASSESSED, log_e_worse_peak=3.5264)
    expected = "evidence 34:1 against `not more than 1.1× or 0.2 points worse`"
    assert words.evidence_sentence(told) == expected


@pytest.mark.parametrize(
    ("log_e", "expected"), [(-5.0, "1:1"), (1.0, "2.7:1"), (3.0, "20:1"), (1e5, ">1000000:1")]
)
def test_odds(log_e: float, expected: str) -> None:
    assert words.odds(log_e) == expected


def test_users_who_repeat_themselves_count_less() -> None:
    told = replace(ASSESSED, design_effect=15.0)
    assert "one counts like 1/15" in words.weight_sentence(told)
    assert "count like" not in words.weight_sentence(replace(ASSESSED, design_effect=1.0))


def test_a_forecast_names_the_ways_out() -> None:
    hopeless = Forecast(10.0, 2.0, units_needed=87_654, share_needed=0.25)
    expected = "cannot be decided by the horizon; needs ≈88,000 users or a share of 25%"
    assert words.forecast_sentence(hopeless) == expected
    assert (
        words.forecast_sentence(Forecast(2.0, 4.0)) == "can be decided at about 50% of the horizon"
    )


def test_summaries() -> None:
    assert words.summary_sentence(assess([observe(ERROR, 0.10)], RULES)).startswith(
        "roll back: error worse; evidence >1000000:1, threshold 20:1"
    )
    assert words.summary_sentence(assess([observe(ERROR, 0.05)], RULES)) == (
        "may advance from 0.5: every gating metric passes"
    )
    waiting = assess([observe(ERROR, 0.05), observe(REFUSAL, 0.058, n=60)], RULES)
    assert words.summary_sentence(waiting) == "hold: refusal inconclusive"
