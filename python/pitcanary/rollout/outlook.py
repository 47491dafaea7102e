"""What can happen next to a rollout, for people: the NEXT line of a view.

Derived from the gate's own ruling, so it cannot promise what the gate would not do.
Times stay instants in `Step.at`; whoever shows them chooses the zone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from pitcanary.model.action import Action, Event, Reason
from pitcanary.model.metric import Role
from pitcanary.model.quantity import format_share
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.spec import Response
from pitcanary.rollout.gate import Ruling


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that can happen: `action` when `condition` holds, or at a time.

    `share` is the candidate's share in slots afterwards, where it changes.
    """

    action: Action
    condition: str = ""
    at: datetime | None = None
    share: int | None = None


def next_steps(rollout: Rollout, ruling: Ruling) -> tuple[Step, ...]:
    """What can follow, most likely first; empty when the rollout has ended.

    Args:
        rollout: As it stands after the ruling.
        ruling: What the gate said last.
    """
    if rollout.state.terminal:
        return ()
    return _STEPS[rollout.state](rollout, ruling)


def next_line(steps: tuple[Step, ...], show: Callable[[datetime], str] | None = None) -> str:
    """The steps in one line: `if … → advance 5%; if … → rollback; at … → pause`.

    Args:
        steps: What `next_steps` gave.
        show: Writes an instant; without it, UTC to the minute.
    """
    return "; ".join(_phrase(step, show or _utc) for step in steps)


def _progressing(rollout: Rollout, ruling: Ruling) -> tuple[Step, ...]:
    steps = [_upwards(rollout, ruling), _downwards(rollout)]
    signals = _named(rollout, Role.SIGNAL)
    if signals:
        steps.append(Step(Action.PAUSE, f"{signals} shows harm"))
    if ruling.deadline and ruling.then and ruling.then is not Response.HOLD:
        steps.append(Step(Action(ruling.then.value), at=ruling.deadline))
    return tuple(steps)


def _upwards(rollout: Rollout, ruling: Ruling) -> Step:
    condition = _CONDITIONS.get(ruling.reason, "every gating metric passes")
    if ruling.metrics and ruling.event is Event.HOLD:
        condition = f"{_list(ruling.metrics)} passes and nothing else fails"
    waits = ruling.reason is Reason.WAITING_MIN_TIME
    stages, stage = rollout.spec.stages, rollout.stage
    if stage is None or rollout.at_last_stage:
        action, share = Action.PROMOTE, None
    else:
        action, share = Action.ADVANCE, stages[stage.index + 1].share_slots
    return Step(action, condition, at=ruling.deadline if waits else None, share=share)


def _downwards(rollout: Rollout) -> Step:
    guards = _named(rollout, Role.GUARDRAIL) or "a guardrail"
    return Step(Action.ROLLBACK, f"{guards} shows harm")


def _paused(rollout: Rollout, _: Ruling) -> tuple[Step, ...]:
    pause = rollout.pause
    recovers = pause is not None and pause.automatic and pause.reason is Reason.SIGNAL_HARMED
    condition = "the signal recovers or a person resumes" if recovers else "a person resumes"
    return Step(Action.RESUME, condition), _downwards(rollout)


def _pending(rollout: Rollout, _: Ruling) -> tuple[Step, ...]:
    share = rollout.spec.stages[0].share_slots
    return (Step(Action.START, "the next tick comes", share=share),)


def _promoting(rollout: Rollout, _: Ruling) -> tuple[Step, ...]:
    complete = Step(Action.COMPLETE, "every connected sidecar serves the promoted version")
    return complete, _downwards(rollout)


def _named(rollout: Rollout, role: Role) -> str:
    names = tuple(metric.name for metric in rollout.spec.metrics if metric.role is role)
    if len(names) > 3:
        return f"any of {len(names)} {role.value}s"
    return _list(names)


def _list(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names) if len(names) < 3 else _comma_list(names)


def _comma_list(names: tuple[str, ...]) -> str:
    return f"{', '.join(f'`{name}`' for name in names[:-1])} or `{names[-1]}`"


def _phrase(step: Step, show: Callable[[datetime], str]) -> str:
    to = f" {format_share(step.share)}" if step.share is not None else ""
    parts = [f"from {show(step.at)}" if step.at and step.condition else ""]
    if step.at and not step.condition:
        parts = [f"at {show(step.at)}"]
    if step.condition:
        parts.append(f"if {step.condition}")
    return f"{' '.join(part for part in parts if part)} → {step.action.value}{to}"


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


_CONDITIONS = {
    Reason.SAMPLE_RATIO: "units are split as decided and every gating metric passes",
    Reason.COVERAGE: "enough sidecars report and every gating metric passes",
    Reason.STALE: "fresh counts arrive and every gating metric passes",
    Reason.NO_TRAFFIC: "both arms get traffic and every gating metric passes",
}
_STEPS: dict[RolloutState, Callable[[Rollout, Ruling], tuple[Step, ...]]] = {
    RolloutState.PENDING: _pending,
    RolloutState.PROGRESSING: _progressing,
    RolloutState.PAUSED: _paused,
    RolloutState.PROMOTING: _promoting,
}
