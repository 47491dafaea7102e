"""Rollouts and causes that tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from pitcanary.model.action import Event, Reason
from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.assessment import ArmFigures, Assessment, MetricAssessment
from pitcanary.model.health import Health
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource, Role
from pitcanary.model.rollout import Rollout
from pitcanary.model.scope import Scope
from pitcanary.model.spec import Candidate, Policies, RolloutSpec, Stage
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.machine import Cause, apply

NOW = datetime(2026, 11, 23, 14, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)

ERROR = Metric("error", MetricKind.RATE, MetricSource.ERROR)
REFUSAL = Metric("refusal", MetricKind.RATE, MetricSource.FLAG)
HELPFULNESS = Metric(
    "helpfulness",
    MetricKind.SCORE,
    MetricSource.SCORE,
    Direction.DOWN,
    Role.SIGNAL,
    gating=False,
    minimum=0.0,
    maximum=1.0,
)

SPEC = RolloutSpec(
    name="support-reply-v42",
    prompt="support-reply",
    candidates=(Candidate(42),),
    stages=(Stage(10_000), Stage(50_000), Stage(SLOT_COUNT)),
    metrics=(ERROR, REFUSAL, HELPFULNESS),
    baseline=41,
    policies=Policies(),
)


def make(spec: RolloutSpec = SPEC) -> Rollout:
    """A rollout just applied."""
    return Rollout.of(spec, Scope(), number=7, baseline=41, salt="salt", now=NOW)


def cause(at: datetime = NOW, *, actor: str = "controller") -> Cause:
    return Cause(Reason.OPERATOR if actor != "controller" else Reason.PASSED, "rule", actor, at)


def after(rollout: Rollout, *events: Event, at: datetime = NOW) -> Rollout:
    """The rollout after some events, persons being `ada`."""
    for event in events:
        actor = "ada" if event.by_operator else "controller"
        rollout = apply(rollout, event, cause(at, actor=actor)).after
    return rollout


def with_policies(**changes: object) -> RolloutSpec:
    return replace(SPEC, policies=replace(SPEC.policies, **changes))  # type: ignore[arg-type]


HEALTHY = Health(
    sidecars_expected=10,
    sidecars_reporting=10,
    evidence_age=timedelta(seconds=5),
    flush_interval=timedelta(seconds=1),
    sample_ratio_log_e=-2.0,
    units=5_000,
    units_mixed=3,
)


def figures(metric: Metric, verdict: Verdict) -> MetricAssessment:
    """One metric's assessment; only the verdict matters to the gate."""
    return MetricAssessment(
        metric=metric,
        verdict=verdict,
        reason="",
        baseline=ArmFigures(1000, 0.01),
        candidate=ArmFigures(100, 0.01),
        stage_margin=metric.margin_at(1.0),
        log_e_worse=0.0,
        log_e_worse_peak=0.0,
        log_e_better=0.0,
    )


def evidence(
    error: Verdict = Verdict.PASS,
    refusal: Verdict = Verdict.PASS,
    helpfulness: Verdict = Verdict.PASS,
    *,
    share: float = 1.0,
) -> Assessment:
    """An assessment as `statistics` would summarise these verdicts."""
    metrics = (
        figures(ERROR, error),
        figures(REFUSAL, refusal),
        figures(HELPFULNESS, helpfulness),
    )
    guards = {"error": error, "refusal": refusal}
    harmed = tuple(name for name, verdict in guards.items() if verdict is Verdict.REGRESSED)
    blocking = tuple(name for name, verdict in guards.items() if verdict is not Verdict.PASS)
    signals = ("helpfulness",) if helpfulness is Verdict.REGRESSED else ()
    return Assessment(
        share=share,
        alpha=0.05,
        alpha_advance=0.05,
        metrics=metrics,
        log_e=4.0 if harmed else 0.0,
        log_e_peak=4.0 if harmed else 0.0,
        harmed=bool(harmed),
        may_advance=not blocking and not signals,
        culprits=harmed,
        signals_harmed=signals,
        blocking=blocking,
    )


def ready(stage: int = 0, spec: RolloutSpec = SPEC) -> Rollout:
    """A progressing rollout in a stage that has had its time and its outcomes."""
    rollout = after(make(spec), Event.START, *[Event.ADVANCE] * stage)
    arms = (10_000,) + (1_000,) * len(spec.candidates)
    return rollout.counted(arms, READY)


READY = NOW + timedelta(minutes=11)
"""A time at which stages opened at NOW have lasted long enough."""
