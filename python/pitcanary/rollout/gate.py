"""Decide what happens to a rollout now: the first rule that speaks.

A pure function of rollout, assessment, health and time. Harm is asked about first and
in every state; only a PASS of every gating metric raises a share; whatever is absent,
stale, partial or in error holds, and never becomes a pass or a fail by waiting. What
the action does to the rollout is `rollout.machine`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pitcanary.model.action import Event, Reason
from pitcanary.model.assessment import Assessment
from pitcanary.model.health import Health
from pitcanary.model.quantity import format_duration, format_share
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import DeadlinePolicy, Response
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.situation import SAMPLE_RATIO_LOG_E, UNITS_FOR_EXPOSURE, Situation


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do and the rule in words.

    `metrics` are those the rule names. While a policy's deadline runs, `deadline` is
    when it ends and `then` what follows.
    """

    event: Event
    reason: Reason
    rule: str
    metrics: tuple[str, ...] = ()
    deadline: datetime | None = None
    then: Response | None = None


Rule = Callable[[Situation], Ruling | None]


def decide(
    rollout: Rollout, assessment: Assessment | None, health: Health, now: datetime
) -> Ruling:
    """Chooses the event of this tick for a rollout that has not ended.

    Args:
        rollout: As it stands, the seal of this tick counted.
        assessment: What the evidence says; None before the first sealed tick.
        health: Whether the evidence may be believed.
        now: The time.

    Raises:
        ValueError: For a rollout that has ended.
    """
    if rollout.state.terminal:
        raise ValueError(f"rollout `{rollout.spec.name}` has ended")
    situation = Situation(rollout, assessment, health, now)
    for rule in (*_ALWAYS, *_BY_STATE[rollout.state]):
        ruling = rule(situation)
        if ruling is not None:
            return ruling
    raise AssertionError("the last rule of every state speaks")


def worth_recording(rollout: Rollout, ruling: Ruling, *, sealed: bool) -> bool:
    """Whether a ruling makes a decision record: a seal, an action, or a new reason to hold."""
    return sealed or ruling.event is not Event.HOLD or ruling.reason is not rollout.reason


# --- harm: in every state ---------------------------------------------------------


def _fleet_tripped(s: Situation) -> Ruling | None:
    trips, fleet = s.health.breaker_trips, s.health.sidecars_expected
    if trips >= 2 or (trips == 1 and fleet <= 1):
        rule = f"{trips} of {max(fleet, trips)} sidecars took their candidate traffic back"
        return Ruling(Event.ROLLBACK, Reason.BREAKER, rule)
    return None


def _harmed(s: Situation) -> Ruling | None:
    culprits = s.culprits()
    if culprits is None:
        return None
    rule = f"{_names(culprits)} harmed beyond the rollback margin at α = {s.policies.alpha:g}"
    return Ruling(Event.ROLLBACK, Reason.REGRESSED, rule, culprits)


# --- before and after the ramp ----------------------------------------------------


def _start(s: Situation) -> Ruling:
    share = format_share(s.rollout.spec.stages[0].share_slots)
    return Ruling(Event.START, Reason.STARTED, f"stage 1 opens at {share}")


def _complete(s: Situation) -> Ruling:
    behind = s.health.sidecars_behind
    since = s.rollout.state_since or s.now
    late = s.now >= since + s.policies.max_unattended
    if behind and not late:
        rule = f"{len(behind)} sidecars do not serve the promoted version yet: {_names(behind)}"
        return Ruling(Event.HOLD, Reason.WAITING_FLEET, rule)
    rule = "every connected sidecar serves the promoted version"
    if behind:
        rule = f"every connected sidecar but {_names(behind)} serves the promoted version"
    return Ruling(Event.COMPLETE, Reason.FLEET_SERVES, rule)


def _recover(s: Situation) -> Ruling | None:
    pause = s.rollout.pause
    if pause is None or not pause.automatic or pause.reason is not Reason.SIGNAL_HARMED:
        return None
    if not s.signals_recovered():
        return None
    return Ruling(Event.RESUME, Reason.SIGNAL_RECOVERED, "no signal shows harm any more")


def _stay_paused(s: Situation) -> Ruling:
    pause = s.rollout.pause
    who = f" by {pause.actor} for {pause.reason.value}" if pause else ""
    return Ruling(Event.HOLD, Reason.PAUSED, f"paused{who}; guards stay active")


# --- the ramp: what stops it ------------------------------------------------------


def _signal(s: Situation) -> Ruling | None:
    harmed = s.signals_harmed()
    if not harmed:
        return None
    rule = f"{_names(harmed)} harmed; resumes on recovery"
    return Ruling(Event.PAUSE, Reason.SIGNAL_HARMED, rule, harmed)


def _horizon(s: Situation) -> Ruling | None:
    reached = s.horizon_at()
    if reached is None:
        return None
    policy = s.policies.on_inconclusive
    deadline = max(reached, s.progress.since) + policy.deadline
    rule = "the horizon is reached without a decision"
    return _under(s, Reason.HORIZON, rule, policy=policy, deadline=deadline)


def _one_breaker(s: Situation) -> Ruling | None:
    if not s.health.breaker_trips:
        return None
    return _hold(s, Reason.BREAKER, "one sidecar took its candidate traffic back")


def _coverage(s: Situation) -> Ruling | None:
    health, least = s.health, s.policies.min_coverage
    if health.sidecars_expected and health.coverage >= least:
        return None
    rule = f"{health.sidecars_reporting} of {health.sidecars_expected} sidecars report"
    return _hold(s, Reason.COVERAGE, f"{rule}; {least:.0%} are needed")


def _sample_ratio(s: Situation) -> Ruling | None:
    log_e = s.health.sample_ratio_log_e
    if log_e is None or log_e < SAMPLE_RATIO_LOG_E:
        return None
    rule = f"units are not split as decided (ln e = {log_e:.1f}); the arms cannot be compared"
    return _hold(s, Reason.SAMPLE_RATIO, rule)


def _exposure(s: Situation) -> Ruling | None:
    mixed, units, most = s.health.units_mixed, s.health.units, s.policies.max_mixed_share
    if units < UNITS_FOR_EXPOSURE or mixed <= most * units:
        return None
    rule = f"{mixed} of {units} units met two arms; at most {most:.1%} may"
    return _hold(s, Reason.MULTIPLE_EXPOSURE, rule)


def _drift(s: Situation) -> Ruling | None:
    if not s.health.drift:
        return None
    return _hold(s, Reason.DRIFT, "both arms degrade together; the cause is not the candidate")


def _min_time(s: Situation) -> Ruling | None:
    ends = s.waited_from()
    if s.now >= ends:
        return None
    rule = f"stage {_position(s)} lasts at least {format_duration(s.stage.min_time)}"
    return Ruling(Event.HOLD, Reason.WAITING_MIN_TIME, rule, deadline=ends)


def _no_traffic(s: Situation) -> Ruling | None:
    arms = s.rollout.arms
    outcomes = s.progress.outcomes or (0,) * len(arms)
    silent = [arm.name for arm, count in zip(arms, outcomes, strict=True) if not count]
    if not silent:
        return None
    rule = f"no outcomes of {_names(tuple(silent))} in stage {_position(s)}"
    return _under(s, Reason.NO_TRAFFIC, rule, policy=s.policies.on_no_traffic)


def _stale(s: Situation) -> Ruling | None:
    age, limit = s.health.evidence_age, s.stale_after()
    if age is not None and age <= limit:
        return None
    ago = "never" if age is None else f"{format_duration(age)} ago"
    return _hold(s, Reason.STALE, f"the newest counts came {ago}; {format_duration(limit)} is old")


def _min_outcomes(s: Situation) -> Ruling | None:
    counted, least = sum(s.progress.outcomes[1:]), s.stage.min_outcomes
    if counted >= least:
        return None
    rule = f"{counted} of {least} outcomes of the candidate in stage {_position(s)}"
    policy = s.policies.on_insufficient_data
    return _under(s, Reason.WAITING_MIN_OUTCOMES, rule, policy=policy)


# --- the ramp: the verdicts -------------------------------------------------------


def _errors(s: Situation) -> Ruling | None:
    names = s.unmeasured()
    if not names:
        return None
    return _hold(s, Reason.MEASUREMENT_ERROR, f"{_names(names)} could not be measured", names)


def _insufficient(s: Situation) -> Ruling | None:
    names = s.unobserved()
    if not names:
        return None
    rule = f"too few observations for {_names(names)}"
    policy = s.policies.on_insufficient_data
    return _under(s, Reason.INSUFFICIENT_DATA, rule, policy=policy, metrics=names)


def _pass(s: Situation) -> Ruling | None:
    if not s.all_pass():
        return None
    if s.rollout.at_last_stage:
        return Ruling(Event.PROMOTE, Reason.PASSED, "every gating metric passes the last stage")
    stages = s.rollout.spec.stages
    share = format_share(stages[s.progress.index + 1].share_slots)
    rule = f"every gating metric passes stage {_position(s)}; the next share is {share}"
    return Ruling(Event.ADVANCE, Reason.PASSED, rule)


def _inconclusive(s: Situation) -> Ruling:
    names = s.gating(Verdict.INCONCLUSIVE, Verdict.REGRESSED)
    rule = f"{_names(names) or 'the evidence'} cannot be told from the stage's margin yet"
    policy = s.policies.on_inconclusive
    return _under(s, Reason.WAITING_EVIDENCE, rule, policy=policy, metrics=names)


# --- policies ---------------------------------------------------------------------


def _hold(s: Situation, reason: Reason, rule: str, metrics: tuple[str, ...] = ()) -> Ruling:
    """Holds for want of trustworthy evidence, then pauses; never takes the candidate back."""
    policy = s.policies.on_insufficient_data
    gentle = DeadlinePolicy(_gently(policy.action), policy.deadline, _gently(policy.then))
    return _under(s, reason, rule, policy=gentle, metrics=metrics)


def _under(
    s: Situation,
    reason: Reason,
    rule: str,
    *,
    policy: DeadlinePolicy,
    metrics: tuple[str, ...] = (),
    deadline: datetime | None = None,
) -> Ruling:
    """Answers as the owner's policy says, once the stage has had its least time."""
    ends = deadline or s.waited_from() + policy.deadline
    waiting = s.now < ends
    response = policy.action if waiting else policy.then
    if s.now < s.waited_from():
        response = Response.HOLD
    return Ruling(
        _RESPONSES[response],
        reason,
        rule if waiting else f"{rule}, and the deadline has passed",
        metrics,
        deadline=ends if waiting else None,
        then=policy.then if waiting else None,
    )


def _gently(response: Response) -> Response:
    return Response.PAUSE if response is Response.ROLLBACK else response


def _position(s: Situation) -> str:
    return f"{s.progress.index + 1} of {len(s.rollout.spec.stages)}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_RESPONSES = {
    Response.HOLD: Event.HOLD,
    Response.PAUSE: Event.PAUSE,
    Response.ROLLBACK: Event.ROLLBACK,
}
_ALWAYS: tuple[Rule, ...] = (_fleet_tripped, _harmed)
_RAMP: tuple[Rule, ...] = (
    _signal,
    _horizon,
    _one_breaker,
    _coverage,
    _sample_ratio,
    _exposure,
    _drift,
    _min_time,
    _no_traffic,
    _stale,
    _min_outcomes,
    _errors,
    _insufficient,
    _pass,
    _inconclusive,
)
_BY_STATE: dict[RolloutState, tuple[Rule, ...]] = {
    RolloutState.PENDING: (_start,),
    RolloutState.PROGRESSING: _RAMP,
    RolloutState.PAUSED: (_recover, _stay_paused),
    RolloutState.PROMOTING: (_complete,),
}
