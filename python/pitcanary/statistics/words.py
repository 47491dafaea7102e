"""Assessments as sentences for people: what was seen, what it means, what is missing.

No jargon and no numbers that are not in the assessment. The sentence about a decision
is written from the e-value that made it, never from the interval, which answers
another question.
"""

from __future__ import annotations

import math

from pitcanary.model.assessment import Assessment, Bounds, Forecast, MetricAssessment
from pitcanary.model.margin import Margin
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource
from pitcanary.model.verdict import Verdict

_MOST_ODDS = 1e6


def difference_sentence(assessed: MetricAssessment) -> str:
    """How the candidate differs: "candidate error rate is +0.4 to +1.9 points (95 % anytime)"."""
    subject = f"candidate {_subject(assessed.metric)}"
    bounds = assessed.difference
    if bounds is None:
        return f"{subject}: no interval yet"
    if assessed.metric.kind is MetricKind.MEAN and assessed.relative is not None:
        text = f"{_span(assessed.relative, 100)} %"
    elif assessed.metric.kind in (MetricKind.RATE, MetricKind.QUANTILE):
        text = f"{_span(_clipped(bounds, 1.0), 100)} points"
    else:
        text = _span(bounds, 1)
    return f"{subject} is {text}{_judgement(bounds, assessed.metric)} (95 % anytime)"


def evidence_sentence(assessed: MetricAssessment) -> str:
    """The odds behind the verdict: "evidence 34:1 that error is more than 1.1× worse"."""
    metric = assessed.metric
    if assessed.verdict is Verdict.REGRESSED:
        margin = margin_words(metric, metric.rollback)
        return f"evidence {odds(assessed.log_e_worse_peak)} against `not more than {margin} worse`"
    if assessed.verdict is Verdict.PASS:
        margin = margin_words(metric, assessed.stage_margin)
        return f"evidence {odds(assessed.log_e_better)} that it is not {margin} worse"
    return assessed.reason


def weight_sentence(assessed: MetricAssessment) -> str:
    """What the observations are worth, when units repeat themselves."""
    if assessed.candidate.n == 0:
        return "no observation of the candidate"
    effect = assessed.design_effect
    if effect < 1.5:
        return f"{assessed.candidate.n:,} observations of the candidate"
    return (
        f"{assessed.candidate.n:,} observations of the candidate count like "
        f"{assessed.effective_candidate_n:,.0f} (users repeat themselves: one counts like "
        f"1/{effect:.0f})"
    )


def forecast_sentence(forecast: Forecast) -> str:
    """Whether waiting helps: "cannot be decided by the horizon; needs about 9,000 users"."""
    if forecast.decidable:
        part = forecast.growth_needed / forecast.growth_expected
        return f"can be decided at about {max(part, 0.01):.0%} of the horizon"
    ways = []
    if forecast.units_needed is not None:
        ways.append(f"≈{_rounded(forecast.units_needed):,} users")
    if forecast.share_needed is not None:
        ways.append(f"a share of {forecast.share_needed:.0%}")
    need = " or ".join(ways) or f"{forecast.growth_needed:.0f} times the data"
    return f"cannot be decided by the horizon; needs {need}"


def summary_sentence(assessment: Assessment) -> str:
    """What the rollout's evidence asks for, and why."""
    threshold = f"{1 / assessment.alpha:g}:1"
    if assessment.harmed:
        names = ", ".join(assessment.culprits or assessment.suspects)
        certainty = "worse" if assessment.culprits else "together worse, none alone for certain"
        reached = odds(assessment.log_e_peak)
        return f"roll back: {names} {certainty}; evidence {reached}, threshold {threshold}"
    if assessment.signals_harmed:
        return f"pause: {', '.join(assessment.signals_harmed)} worse"
    if assessment.may_advance:
        return f"may advance from {assessment.share:g}: every gating metric passes"
    if not assessment.blocking:
        return "hold: no gating metric allows an advance"
    parts = [f"{name} {assessment.metric(name).verdict.value}" for name in assessment.blocking]
    return f"hold: {', '.join(parts)}"


def odds(log_e: float) -> str:
    """An e-value as odds: 34:1; at most 1,000,000:1, and 1:1 when it says nothing."""
    value = math.exp(min(max(log_e, 0.0), math.log(_MOST_ODDS)))
    more = ">" if log_e > math.log(_MOST_ODDS) else ""
    return f"{more}{value:.0f}:1" if value >= 10 else f"{value:.2g}:1"


def margin_words(metric: Metric, margin: Margin) -> str:
    """A margin as people say it: 1.1×, 0.2 points, 16 buckets as 1.19×."""
    if metric.kind is MetricKind.QUANTILE:
        return f"{2 ** (margin.buckets / 64):.2f}×"
    if metric.kind is MetricKind.SCORE:
        return f"{margin.difference:g}"
    ratio = f"{margin.ratio:.3g}×"
    return f"{ratio} or {margin.floor * 100:g} points" if margin.floor else ratio


def _subject(metric: Metric) -> str:
    if metric.kind is MetricKind.QUANTILE:
        percent = f"{(metric.quantile or 0) * 100:g}"
        name = "latency" if metric.source is MetricSource.LATENCY else "time to first token"
        return f"{name} above the baseline's p{percent}"
    return f"{metric.name} rate" if metric.kind is MetricKind.RATE else metric.name


def _judgement(bounds: Bounds, metric: Metric) -> str:
    """Says worse or better only where the whole interval lies on one side."""
    up = metric.direction is Direction.UP
    if bounds.low > 0:
        return " worse" if up else " better"
    if bounds.high < 0:
        return " better" if up else " worse"
    return ""


def _span(bounds: Bounds, factor: float) -> str:
    return f"{_signed(bounds.low * factor)} to {_signed(bounds.high * factor)}"


def _signed(value: float) -> str:
    if math.isinf(value):
        return "unbounded"
    digits = 1 if abs(value) >= 1 else 2 if abs(value) >= 0.1 else 3
    return f"{value:+.{digits}f}"


def _clipped(bounds: Bounds, limit: float) -> Bounds:
    return Bounds(bounds.estimate, max(bounds.low, -limit), min(bounds.high, limit))


def _rounded(value: int) -> int:
    """Two leading digits, so that a forecast does not look like a measurement."""
    unit = int(10 ** max(len(str(value)) - 2, 0))
    return math.ceil(value / unit) * unit
