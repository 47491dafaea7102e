"""From evidence to verdicts: per metric, and for the rollout as a whole.

Rollback: the weighted average of the guardrails' e-values reaches 1/alpha; averaging
is valid under any dependence (Vovk and Wang 1912.06116). Advance: every gating
metric's e-value against its stage margin reaches 1/alpha_advance; an intersection of
tests needs no correction. Health of the data beyond a metric's own counts, time and
shares are the gate's business, in `rollout`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pitcanary._native import Evidence
from pitcanary.errors import InvalidValue
from pitcanary.model.assessment import ArmFigures, Assessment, Bounds, MetricAssessment
from pitcanary.model.metric import Direction, Metric, MetricKind, Role
from pitcanary.model.verdict import Verdict
from pitcanary.statistics.forecast import Progress, forecast
from pitcanary.statistics.metrics import Reading, scale

CANDIDATE_MINIMUM = 30
"""Candidate observations before a metric may pass, or a mean may harm."""
SLICE_MINIMUM = 20
"""Non-empty candidate slices before the variance between units is believed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What evidence is asked for, at which share."""

    share: float
    alpha: float = 0.05
    alpha_advance: float = 0.05


@dataclass(frozen=True, slots=True)
class Observed:
    """One metric at one tick.

    `error` says why values could not be measured, empty if they could.
    """

    metric: Metric
    reading: Reading
    error: str = ""
    muted: bool = False


def assess(
    observed: Sequence[Observed],
    rules: Rules,
    *,
    previous: Assessment | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Judges all metrics of one candidate.

    `previous` carries the running maxima on; without it they start anew. `progress`
    tells how much of the horizon is used, for forecasts.

    Raises:
        InvalidValue: When no metric is given.
    """
    if not observed:
        raise InvalidValue("an assessment needs at least one metric")
    guards = sum(one.metric.role is Role.GUARDRAIL for one in observed)
    peaks = (
        {} if previous is None else {a.metric.name: a.log_e_worse_peak for a in previous.metrics}
    )
    metrics = [
        _assess_metric(one, rules, 1 / guards if guards else 0.0, peaks.get(one.metric.name, 0.0))
        for one in observed
    ]
    log_e = _log_average(metrics)
    peak = log_e if previous is None else max(log_e, previous.log_e_peak)
    harmed = guards > 0 and peak >= -math.log(rules.alpha)
    metrics = _with_contributions(metrics, log_e)
    suspects = _suspects(metrics, rules.alpha) if harmed else ()
    metrics = [_with_verdict(a, rules, suspects, progress) for a in metrics]
    return _summary(tuple(metrics), rules, log_e=log_e, peak=peak, harmed=harmed, suspects=suspects)


def _summary(
    metrics: tuple[MetricAssessment, ...],
    rules: Rules,
    *,
    log_e: float,
    peak: float,
    harmed: bool,
    suspects: tuple[str, ...],
) -> Assessment:
    gating = [a for a in metrics if _gates(a)]
    blocking = tuple(a.metric.name for a in gating if a.verdict is not Verdict.PASS)
    signals = tuple(
        a.metric.name
        for a in metrics
        if a.metric.role is Role.SIGNAL and a.verdict is Verdict.REGRESSED
    )
    culprits = tuple(a.metric.name for a in metrics if a.confirmed)
    return Assessment(
        share=rules.share,
        alpha=rules.alpha,
        alpha_advance=rules.alpha_advance,
        metrics=metrics,
        log_e=log_e,
        log_e_peak=peak,
        harmed=harmed,
        may_advance=bool(gating) and not blocking and not harmed and not signals,
        culprits=culprits,
        suspects=tuple(name for name in suspects if name not in culprits),
        signals_harmed=signals,
        blocking=blocking,
        undecidable=tuple(
            a.metric.name for a in gating if a.forecast is not None and not a.forecast.decidable
        ),
    )


def _gates(assessed: MetricAssessment) -> bool:
    """A muted metric gates nothing; one that only reports never did."""
    metric = assessed.metric
    return (
        metric.gating and metric.role is not Role.REPORT and assessed.verdict is not Verdict.MUTED
    )


def _assess_metric(one: Observed, rules: Rules, weight: float, peak: float) -> MetricAssessment:
    metric, reading = one.metric, one.reading
    evidence = reading.rollback
    worse = 0.0 if one.muted or not _may_harm(metric, evidence) else evidence.log_worse
    difference = _bounds(metric, reading.difference)
    verdict, reason = _first_verdict(one, rules)
    unit = scale(metric)
    return MetricAssessment(
        metric=metric,
        verdict=verdict,
        reason=reason,
        baseline=ArmFigures(reading.stage.baseline_n, evidence.baseline_value / unit),
        candidate=ArmFigures(reading.stage.candidate_n, evidence.candidate_value / unit),
        stage_margin=metric.margin_at(rules.share),
        log_e_worse=worse,
        log_e_worse_peak=max(peak, worse),
        log_e_better=reading.stage.log_better,
        weight=weight if metric.role is Role.GUARDRAIL else 0.0,
        difference=difference,
        relative=_relative(difference, evidence.baseline_value / unit),
        design_effect=reading.stage.design_effect,
        candidate_slices=reading.stage.candidate_slices,
        forecast=None,
    )


def _may_harm(metric: Metric, evidence: Evidence) -> bool:
    """A mean's variance comes from the slices alone, so it needs enough of them."""
    if metric.kind in (MetricKind.RATE, MetricKind.QUANTILE):
        return evidence.started
    return evidence.started and evidence.candidate_slices >= SLICE_MINIMUM


def _first_verdict(one: Observed, rules: Rules) -> tuple[Verdict, str]:
    """The verdict before harm is known: harm overrides all but muting."""
    stage = one.reading.stage
    if one.muted:
        return Verdict.MUTED, "muted by an operator"
    if one.error:
        return Verdict.MEASUREMENT_ERROR, one.error
    if not stage.started or stage.candidate_n < CANDIDATE_MINIMUM:
        return (
            Verdict.INSUFFICIENT_DATA,
            f"{stage.candidate_n} of {CANDIDATE_MINIMUM} observations of the candidate",
        )
    if stage.candidate_slices < SLICE_MINIMUM:
        return (
            Verdict.INSUFFICIENT_DATA,
            f"the candidate's units fill {stage.candidate_slices} of {SLICE_MINIMUM} slices",
        )
    if stage.log_better >= -math.log(rules.alpha_advance):
        return Verdict.PASS, "not worse than the stage's margin"
    return Verdict.INCONCLUSIVE, "the data do not exclude the stage's margin yet"


def _log_average(metrics: Sequence[MetricAssessment]) -> float:
    """Logarithm of the weighted average of e-values; 0 without guardrails."""
    terms = [math.log(a.weight) + a.log_e_worse for a in metrics if a.weight > 0]
    if not terms:
        return 0.0
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms))


def _with_contributions(metrics: list[MetricAssessment], log_e: float) -> list[MetricAssessment]:
    return [
        replace(a, contribution=math.exp(math.log(a.weight) + a.log_e_worse - log_e))
        if a.weight > 0
        else a
        for a in metrics
    ]


def _suspects(metrics: Sequence[MetricAssessment], alpha: float) -> tuple[str, ...]:
    """The fewest guardrails whose weighted evidence reaches the threshold together."""
    ranked = sorted(metrics, key=lambda a: (-a.weight * _capped(a), a.metric.name))
    joint, names = 0.0, []
    for assessed in ranked:
        if joint >= 1 / alpha or assessed.weight == 0:
            break
        joint += assessed.weight * _capped(assessed)
        names.append(assessed.metric.name)
    return tuple(names)


def _capped(assessed: MetricAssessment) -> float:
    return math.exp(min(assessed.log_e_worse_peak, 700.0))


def _with_verdict(
    assessed: MetricAssessment,
    rules: Rules,
    suspects: tuple[str, ...],
    progress: Progress | None,
) -> MetricAssessment:
    threshold = -math.log(rules.alpha)
    peak = assessed.log_e_worse_peak
    guard = assessed.weight > 0
    confirmed = guard and math.log(assessed.weight) + peak >= threshold
    harmed = confirmed or assessed.metric.name in suspects
    if not guard:
        # Signals and reports look at what holds now: a signal may recover.
        harmed = assessed.log_e_worse >= threshold
    if harmed and assessed.verdict is not Verdict.MUTED:
        reason = "worse than the rollback margin"
        return replace(assessed, verdict=Verdict.REGRESSED, reason=reason, confirmed=confirmed)
    if progress is None or assessed.verdict is not Verdict.INCONCLUSIVE:
        return assessed
    return replace(assessed, forecast=forecast(assessed, progress))


def _bounds(metric: Metric, difference: tuple[float, float, float]) -> Bounds | None:
    """The interval in the metric's own unit and direction; none before there is one."""
    estimate, low, high = (value / scale(metric) for value in difference)
    if math.isinf(low) and math.isinf(high):
        return None
    if metric.direction is Direction.DOWN:
        return Bounds(-estimate, -high, -low)
    return Bounds(estimate, low, high)


def _relative(difference: Bounds | None, baseline: float) -> Bounds | None:
    """The interval as parts of the baseline's mean, which is taken as known."""
    if difference is None or baseline <= 0:
        return None
    return Bounds(
        difference.estimate / baseline, difference.low / baseline, difference.high / baseline
    )
