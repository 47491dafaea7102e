"""Rollouts and causes that tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from pitcanary.model.action import Event, Reason
from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource, Role
from pitcanary.model.rollout import Rollout
from pitcanary.model.scope import Scope
from pitcanary.model.spec import Candidate, Policies, RolloutSpec, Stage
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
