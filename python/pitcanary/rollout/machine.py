"""The states of a rollout as one table, and the change that each event makes.

The table is the whole rule: every state answers every event with a move, with nothing,
or with a refusal in words. Which event the evidence asks for is `rollout.gate`; writing
the change with its record in one transaction is the controller's work.

Laws, each with its test: rollback and abort are reachable from every state that has not
ended; abort with nothing running changes nothing; nothing ended starts again; only
ADVANCE, START and a promotion raise a share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from pitcanary.errors import TransitionRefused
from pitcanary.model.action import Event, Reason
from pitcanary.model.allocation import Allocation
from pitcanary.model.rollout import Pause, Rollout, RolloutState, StageProgress
from pitcanary.rollout.allocation import release, resize, split_evenly, withdraw


class Effect(Enum):
    """What a move does beside changing the state."""

    OPEN_STAGE = "open_stage"
    """Opens the first stage unless one is open."""
    NEXT_STAGE = "next_stage"
    """Opens the next stage."""
    REWIND_SEALS = "rewind_seals"
    """Looks often again, and counts the policies' deadlines from now."""
    PAUSE = "pause"
    """Notes who paused and why."""
    UNPAUSE = "unpause"
    """Ends the pause."""
    WITHDRAW = "withdraw"
    """Gives every slot back to the baseline."""
    RELEASE = "release"
    """Gives the candidate the whole ring, the hold-back included."""
    MOVE_LABEL = "move_label"
    """Points the label at the candidate."""
    RESTORE_LABEL = "restore_label"
    """Points the label at the baseline again."""
    CLOSE = "close"
    """Ends the rollout; it holds its label no longer."""


@dataclass(frozen=True, slots=True)
class Move:
    """A state to go to, and what happens on the way."""

    to: RolloutState
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """The event changes nothing and is not an error."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The event is an error; says why and what to do."""

    why: str


Answer = Move | Nothing | Refusal
State = RolloutState

_TAKE_BACK = (Effect.WITHDRAW, Effect.CLOSE)
_UNDO_PROMOTION = (Effect.WITHDRAW, Effect.RESTORE_LABEL, Effect.CLOSE)
_GIVE_EVERYTHING = (Effect.UNPAUSE, Effect.RELEASE, Effect.MOVE_LABEL)
_STOP = (Effect.PAUSE, Effect.REWIND_SEALS)
_GO_ON = (Effect.UNPAUSE, Effect.REWIND_SEALS, Effect.OPEN_STAGE)

_NOT_STARTED = Refusal("it has not started; the first tick starts it")
_RUNNING = Refusal("it is running already")
_IS_PAUSED = Refusal("it is paused; resume it first")
_NOT_PAUSED = Refusal("it is not paused")
_NOT_PROMOTED = Refusal("it is not being promoted")
_PROMOTING = Refusal("the candidate has everything already; abort to take it back")
_ENDED = Refusal("it has ended; apply a new rollout")

_ENDED_ROW: Mapping[Event, Answer] = {
    **dict.fromkeys(Event, _ENDED),
    Event.OPERATOR_ABORT: Nothing(),
}

TABLE: Mapping[RolloutState, Mapping[Event, Answer]] = {
    State.PENDING: {
        Event.START: Move(State.PROGRESSING, (Effect.OPEN_STAGE,)),
        Event.HOLD: Move(State.PENDING),
        Event.ADVANCE: _NOT_STARTED,
        Event.PAUSE: _NOT_STARTED,
        Event.RESUME: _NOT_PAUSED,
        Event.PROMOTE: _NOT_STARTED,
        Event.COMPLETE: _NOT_PROMOTED,
        Event.ROLLBACK: Move(State.ROLLED_BACK, _TAKE_BACK),
        Event.OPERATOR_PAUSE: Move(State.PAUSED, (Effect.PAUSE,)),
        Event.OPERATOR_RESUME: Nothing(),
        Event.OPERATOR_ABORT: Move(State.ABORTED, _TAKE_BACK),
        Event.OPERATOR_PROMOTE: Move(State.PROMOTING, _GIVE_EVERYTHING),
    },
    State.PROGRESSING: {
        Event.START: _RUNNING,
        Event.HOLD: Move(State.PROGRESSING),
        Event.ADVANCE: Move(State.PROGRESSING, (Effect.NEXT_STAGE,)),
        Event.PAUSE: Move(State.PAUSED, (Effect.PAUSE,)),
        Event.RESUME: _NOT_PAUSED,
        Event.PROMOTE: Move(State.PROMOTING, _GIVE_EVERYTHING),
        Event.COMPLETE: _NOT_PROMOTED,
        Event.ROLLBACK: Move(State.ROLLED_BACK, _TAKE_BACK),
        Event.OPERATOR_PAUSE: Move(State.PAUSED, _STOP),
        Event.OPERATOR_RESUME: Nothing(),
        Event.OPERATOR_ABORT: Move(State.ABORTED, _TAKE_BACK),
        Event.OPERATOR_PROMOTE: Move(State.PROMOTING, _GIVE_EVERYTHING),
    },
    State.PAUSED: {
        Event.START: _IS_PAUSED,
        Event.HOLD: Move(State.PAUSED),
        Event.ADVANCE: _IS_PAUSED,
        Event.PAUSE: _IS_PAUSED,
        Event.RESUME: Move(State.PROGRESSING, (Effect.UNPAUSE, Effect.OPEN_STAGE)),
        Event.PROMOTE: _IS_PAUSED,
        Event.COMPLETE: _NOT_PROMOTED,
        Event.ROLLBACK: Move(State.ROLLED_BACK, (Effect.UNPAUSE, *_TAKE_BACK)),
        Event.OPERATOR_PAUSE: Move(State.PAUSED, _STOP),
        Event.OPERATOR_RESUME: Move(State.PROGRESSING, _GO_ON),
        Event.OPERATOR_ABORT: Move(State.ABORTED, (Effect.UNPAUSE, *_TAKE_BACK)),
        Event.OPERATOR_PROMOTE: Move(State.PROMOTING, _GIVE_EVERYTHING),
    },
    State.PROMOTING: {
        Event.START: _PROMOTING,
        Event.HOLD: Move(State.PROMOTING),
        Event.ADVANCE: _PROMOTING,
        Event.PAUSE: _PROMOTING,
        Event.RESUME: _NOT_PAUSED,
        Event.PROMOTE: _PROMOTING,
        Event.COMPLETE: Move(State.PROMOTED, (Effect.CLOSE,)),
        Event.ROLLBACK: Move(State.ROLLED_BACK, _UNDO_PROMOTION),
        Event.OPERATOR_PAUSE: _PROMOTING,
        Event.OPERATOR_RESUME: Nothing(),
        Event.OPERATOR_ABORT: Move(State.ABORTED, _UNDO_PROMOTION),
        Event.OPERATOR_PROMOTE: Nothing(),
    },
    State.PROMOTED: {**_ENDED_ROW, Event.OPERATOR_PROMOTE: Nothing()},
    State.ROLLED_BACK: _ENDED_ROW,
    State.ABORTED: _ENDED_ROW,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Who makes a change, when and why.

    `arm` is the one to promote. `muted` names metrics whose harm is known to the person
    who promotes, or resumes after a signal's pause, all the same: they are out of the
    decision from then on.
    """

    reason: Reason
    rule: str
    actor: str
    at: datetime
    arm: int = 1
    muted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """A rollout before and after an event.

    `label_to` is the version number to point the label at in the same transaction,
    none when the label stays. Without a change `after` is `before` and there is
    nothing to record.
    """

    before: Rollout
    after: Rollout
    effects: tuple[Effect, ...] = ()
    label_to: int | None = None

    @property
    def changed(self) -> bool:
        """Whether there is anything to record."""
        return self.after is not self.before


def apply(rollout: Rollout, event: Event, cause: Cause) -> Change:
    """Answers one event with the rollout that follows.

    Raises:
        TransitionRefused: When the state forbids the event; says what to do.
    """
    answer = _guarded(rollout, event)
    if isinstance(answer, Refusal):
        what = f"rollout `{rollout.spec.name}` cannot {_verb(event)}"
        raise TransitionRefused(f"{what}: {answer.why}")
    if isinstance(answer, Nothing):
        return Change(rollout, rollout)
    after = rollout
    for effect in answer.effects:
        after = _EFFECTS[effect](after, event, cause)
    after = replace(
        after,
        state=answer.to,
        state_since=rollout.state_since if answer.to is rollout.state else cause.at,
        muted=_muted(rollout, event, cause),
        revision=rollout.revision + 1,
        reason=cause.reason,
        message=cause.rule,
    )
    return Change(rollout, after, answer.effects, _label_to(answer.effects, rollout, cause))


def _guarded(rollout: Rollout, event: Event) -> Answer:
    """The table's answer, narrowed by what a state alone does not tell."""
    pause = rollout.pause
    if event is Event.RESUME and pause is not None and not pause.automatic:
        return Refusal(f"`{pause.actor}` paused it; only a person can resume it")
    if event is Event.ADVANCE and rollout.at_last_stage:
        return Refusal("it is at its last stage; the next pass promotes it")
    if event is Event.PROMOTE and not rollout.at_last_stage:
        return Refusal("it is not at its last stage")
    return TABLE[rollout.state][event]


def _muted(rollout: Rollout, event: Event, cause: Cause) -> tuple[str, ...]:
    pause = rollout.pause
    resumed = event is Event.OPERATOR_RESUME and pause and pause.reason is Reason.SIGNAL_HARMED
    if event is Event.OPERATOR_PROMOTE or resumed:
        return tuple(dict.fromkeys((*rollout.muted, *cause.muted)))
    return rollout.muted


def _verb(event: Event) -> str:
    return "roll back" if event is Event.ROLLBACK else event.action.value


def _label_to(effects: tuple[Effect, ...], rollout: Rollout, cause: Cause) -> int | None:
    if Effect.MOVE_LABEL in effects:
        return rollout.arms[cause.arm].version
    return rollout.arms[0].version if Effect.RESTORE_LABEL in effects else None


def _allocated(rollout: Rollout, allocation: Allocation) -> Rollout:
    """A change of shares opens a new epoch, since evidence of two shares never mixes."""
    if allocation == rollout.allocation:
        return rollout
    epoch = rollout.allocation_epoch + 1
    return replace(rollout, allocation=allocation, allocation_epoch=epoch)


def _enter(rollout: Rollout, index: int, at: datetime) -> Rollout:
    stage = rollout.spec.stages[index]
    targets = split_evenly(stage.owned_slots, len(rollout.arms) - 1)
    moved = _allocated(rollout, resize(rollout.allocation, targets))
    progress = StageProgress(index, at, at, moved.allocation_epoch)
    return replace(moved, stage=progress, started_at=moved.started_at or at)


def _open_stage(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    return rollout if rollout.stage else _enter(rollout, 0, cause.at)


def _next_stage(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    return _enter(rollout, rollout.stage.index + 1 if rollout.stage else 0, cause.at)


def _rewind_seals(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    if rollout.stage is None:
        return rollout
    return replace(rollout, stage=replace(rollout.stage, since=cause.at, seals=0))


def _pause(rollout: Rollout, event: Event, cause: Cause) -> Rollout:
    pause = Pause(cause.reason, cause.actor, not event.by_operator, cause.at)
    return replace(rollout, pause=pause)


def _unpause(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    stage = replace(rollout.stage, since=cause.at) if rollout.stage else None
    return replace(rollout, pause=None, stage=stage)


def _withdraw(rollout: Rollout, _: Event, __: Cause) -> Rollout:
    return _allocated(rollout, withdraw(rollout.allocation))


def _release(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    return _allocated(rollout, release(rollout.allocation, cause.arm))


def _keep(rollout: Rollout, _: Event, __: Cause) -> Rollout:
    return rollout


def _close(rollout: Rollout, _: Event, cause: Cause) -> Rollout:
    return replace(rollout, ended_at=cause.at)


_EFFECTS: Mapping[Effect, Callable[[Rollout, Event, Cause], Rollout]] = {
    Effect.OPEN_STAGE: _open_stage,
    Effect.NEXT_STAGE: _next_stage,
    Effect.REWIND_SEALS: _rewind_seals,
    Effect.PAUSE: _pause,
    Effect.UNPAUSE: _unpause,
    Effect.WITHDRAW: _withdraw,
    Effect.RELEASE: _release,
    Effect.MOVE_LABEL: _keep,
    Effect.RESTORE_LABEL: _keep,
    Effect.CLOSE: _close,
}
