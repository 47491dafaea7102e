"""The state machine: its table, and the laws that the table must keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pitcanary.errors import TransitionRefused
from pitcanary.model.action import Event, Reason
from pitcanary.model.allocation import LARGEST_SHARE, SLOT_COUNT
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.rollout.machine import TABLE, Cause, Effect, Move, Nothing, Refusal, apply
from tests.unit.rollout.cases import NOW, SPEC, after, cause, make

S, E = RolloutState, Event

LIVE = [state for state in RolloutState if not state.terminal]
ENDED = [state for state in RolloutState if state.terminal]

# The expected table, written apart from the code: `-` refuses, `=` does nothing.
EXPECTED = """
event             pending      progressing  paused       promoting    promoted  rolled_back aborted
start             progressing  -            -            -            -         -           -
advance           -            progressing  -            -            -         -           -
hold              pending      progressing  paused       promoting    -         -           -
pause             -            paused       -            -            -         -           -
resume            -            -            progressing  -            -         -           -
rollback          rolled_back  rolled_back  rolled_back  rolled_back  -         -           -
promote           -            promoting    -            -            -         -           -
complete          -            -            -            promoted     -         -           -
operator_pause    paused       paused       paused       -            -         -           -
operator_resume   =            =            progressing  =            -         -           -
operator_abort    aborted      aborted      aborted      aborted      =         =           =
operator_promote  promoting    promoting    promoting    =            =         -           -
"""


def expected_cells() -> Iterator[tuple[RolloutState, Event, str]]:
    header, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    for event, *cells in rows:
        for state, cell in zip(header[1:], cells, strict=True):
            yield RolloutState(state), Event(event), cell


def in_state(state: RolloutState) -> Rollout:
    """A rollout in a state, reached by events and at the last stage where it matters."""
    pending = make()
    last = after(pending, E.START, E.ADVANCE, E.ADVANCE)
    return {
        S.PENDING: pending,
        S.PROGRESSING: after(pending, E.START),
        S.PAUSED: after(pending, E.START, E.PAUSE),
        S.PROMOTING: after(last, E.PROMOTE),
        S.PROMOTED: after(last, E.PROMOTE, E.COMPLETE),
        S.ROLLED_BACK: after(pending, E.START, E.ROLLBACK),
        S.ABORTED: after(pending, E.START, E.OPERATOR_ABORT),
    }[state]


def answer(rollout: Rollout, event: Event) -> str:
    try:
        change = apply(rollout, event, cause())
    except TransitionRefused:
        return "-"
    return change.after.state.value if change.changed else "="


@pytest.mark.parametrize(("state", "event", "cell"), list(expected_cells()))
def test_every_state_answers_every_event(state: RolloutState, event: Event, cell: str) -> None:
    rollout = in_state(state)
    if event is E.PROMOTE and state is S.PROGRESSING:
        rollout = after(rollout, E.ADVANCE, E.ADVANCE)
    assert answer(rollout, event) == cell


def test_the_table_is_whole() -> None:
    assert TABLE.keys() == set(RolloutState)
    assert all(row.keys() == set(Event) for row in TABLE.values())
    assert len(list(expected_cells())) == len(RolloutState) * len(Event)


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("event", [E.ROLLBACK, E.OPERATOR_ABORT])
def test_taking_back_works_from_every_state_that_has_not_ended(
    state: RolloutState, event: Event
) -> None:
    change = apply(in_state(state), event, cause())
    assert change.after.allocation.slots(0) == SLOT_COUNT
    assert change.after.allocation.hold_back
    assert change.after.pause is None
    assert change.after.ended_at == NOW
    assert Effect.CLOSE in change.effects


@pytest.mark.parametrize("state", ENDED)
def test_nothing_ended_starts_again(state: RolloutState) -> None:
    assert all(not isinstance(answer, Move) for answer in TABLE[state].values())


@pytest.mark.parametrize("state", [S.PENDING, S.PROGRESSING, S.PAUSED])
def test_taking_back_before_a_promotion_leaves_the_label_alone(state: RolloutState) -> None:
    assert apply(in_state(state), E.ROLLBACK, cause()).label_to is None


@pytest.mark.parametrize("event", [E.ROLLBACK, E.OPERATOR_ABORT])
def test_taking_back_a_promotion_restores_the_label(event: Event) -> None:
    change = apply(in_state(S.PROMOTING), event, cause())
    assert change.label_to == 41
    assert Effect.RESTORE_LABEL in change.effects


@pytest.mark.parametrize("state", [S.PENDING, S.PROGRESSING, S.PAUSED])
def test_a_person_promotes_from_every_state_before(state: RolloutState) -> None:
    change = apply(in_state(state), E.OPERATOR_PROMOTE, cause(actor="ada"))
    assert change.label_to == 42
    assert change.after.allocation.slots(1) == SLOT_COUNT
    assert change.after.pause is None


def test_promotion_gives_everything_and_moves_the_label_in_one_change() -> None:
    last = after(make(), E.START, E.ADVANCE, E.ADVANCE)
    assert last.allocation.slots(1) == LARGEST_SHARE
    change = apply(last, E.PROMOTE, cause())
    assert change.label_to == 42
    assert change.after.allocation.slots(1) == SLOT_COUNT
    assert not change.after.allocation.hold_back


def test_stages_open_one_by_one_and_each_opens_an_epoch() -> None:
    rollout, epochs = make(), []
    for event, slots in [(E.START, 10_000), (E.ADVANCE, 50_000), (E.ADVANCE, LARGEST_SHARE)]:
        rollout = after(rollout, event)
        assert rollout.allocation.slots(1) == slots
        assert rollout.stage is not None
        assert rollout.stage.first_epoch == rollout.allocation_epoch
        epochs.append(rollout.allocation_epoch)
    assert epochs == [2, 3, 4]
    with pytest.raises(TransitionRefused, match="last stage"):
        after(rollout, E.ADVANCE)


def test_promotion_is_refused_before_the_last_stage() -> None:
    with pytest.raises(TransitionRefused, match="not at its last stage"):
        after(make(), E.START, E.PROMOTE)


def test_a_pause_keeps_the_share_and_the_epoch() -> None:
    running = after(make(), E.START, E.ADVANCE)
    paused = after(running, E.PAUSE)
    assert paused.allocation == running.allocation
    assert paused.allocation_epoch == running.allocation_epoch
    assert paused.pause is not None
    assert paused.pause.automatic


def test_automation_does_not_resume_what_a_person_paused() -> None:
    paused = after(make(), E.START, E.OPERATOR_PAUSE)
    with pytest.raises(TransitionRefused, match="`ada` paused it"):
        after(paused, E.RESUME)


def test_a_person_takes_over_an_automatic_pause() -> None:
    paused = after(make(), E.START, E.PAUSE, E.OPERATOR_PAUSE)
    with pytest.raises(TransitionRefused, match="only a person"):
        after(paused, E.RESUME)


def test_a_pause_before_the_start_starts_when_resumed() -> None:
    paused = after(make(), E.OPERATOR_PAUSE)
    assert paused.candidate_share == 0
    resumed = after(paused, E.OPERATOR_RESUME)
    assert resumed.state is S.PROGRESSING
    assert resumed.allocation.slots(1) == 10_000


def test_deadlines_count_from_the_resume() -> None:
    later = NOW + timedelta(hours=5)
    rollout = after(after(make(), E.START, E.PAUSE), E.OPERATOR_RESUME, at=later)
    assert rollout.stage is not None
    assert rollout.stage.since == later
    assert rollout.stage.entered_at == NOW


def test_every_change_raises_the_revision_by_one_and_nothing_else_does() -> None:
    rollout = in_state(S.PROGRESSING)
    assert after(rollout, E.HOLD).revision == rollout.revision + 1
    same = apply(rollout, E.OPERATOR_RESUME, cause(actor="ada"))
    assert same.after is rollout
    assert not same.changed


def test_state_since_is_the_time_of_the_last_change_of_state() -> None:
    later = NOW + timedelta(hours=1)
    running = after(make(), E.START)
    assert after(running, E.HOLD, at=later).state_since == NOW
    assert after(running, E.PAUSE, at=later).state_since == later


def test_several_candidates_share_a_stage_evenly_and_one_is_promoted() -> None:
    candidates = (
        replace(SPEC.candidates[0], name="short"),
        replace(SPEC.candidates[0], version=43),
    )
    rollout = after(make(replace(SPEC, candidates=candidates)), E.START)
    assert [rollout.allocation.slots(arm) for arm in (1, 2)] == [5_000, 5_000]
    chosen = Cause(Reason.OPERATOR, "best", "ada", NOW, arm=2)
    change = apply(rollout, E.OPERATOR_PROMOTE, chosen)
    assert change.label_to == 43
    assert [change.after.allocation.slots(arm) for arm in (1, 2)] == [0, SLOT_COUNT]


def test_known_harm_is_muted_by_a_person_only() -> None:
    muted = Cause(Reason.OPERATOR, "known", "ada", NOW, muted=("refusal",))
    rollout = in_state(S.PROGRESSING)
    assert apply(rollout, E.OPERATOR_PROMOTE, muted).after.muted == ("refusal",)
    assert apply(rollout, E.HOLD, muted).after.muted == ()


def test_every_refusal_says_what_to_do_or_why() -> None:
    refusals = {a.why for row in TABLE.values() for a in row.values() if isinstance(a, Refusal)}
    assert all(len(why) > 10 for why in refusals)
    assert any(isinstance(a, Nothing) for row in TABLE.values() for a in row.values())


# --- faults of other systems, each of which took a bad version to users ----------


def test_an_abort_with_nothing_running_is_a_no_op() -> None:
    """argo-rollouts #1292: such an abort scaled the *stable* version to nothing."""
    for state in ENDED:
        rollout = in_state(state)
        change = apply(rollout, E.OPERATOR_ABORT, cause(actor="ada"))
        assert change.after is rollout
        assert change.label_to is None
    pending = apply(in_state(S.PENDING), E.OPERATOR_ABORT, cause(actor="ada"))
    assert pending.after.allocation.slots(0) == SLOT_COUNT


def test_abort_wins_over_a_full_promotion() -> None:
    """argo-rollouts #4461: an abort after `promote --full` was ignored."""
    promoted = after(make(), E.START, E.OPERATOR_PROMOTE)
    aborted = apply(promoted, E.OPERATOR_ABORT, cause(actor="ada"))
    assert aborted.after.state is S.ABORTED
    assert aborted.after.allocation.slots(0) == SLOT_COUNT
    assert aborted.label_to == 41
    with pytest.raises(TransitionRefused):
        after(aborted.after, E.OPERATOR_PROMOTE)


@pytest.mark.parametrize("event", [event for event in Event if not event.by_operator])
def test_automation_never_overrides_an_abort(event: Event) -> None:
    """argo-rollouts #1152: an abort was not obeyed."""
    with pytest.raises(TransitionRefused):
        after(in_state(S.ABORTED), event)


def test_a_promotion_after_a_pause_for_want_of_evidence_is_not_stuck() -> None:
    """argo-rollouts #3015: a rollout hung after Inconclusive and promote."""
    paused = after(make(), E.START, E.PAUSE)
    done = after(paused, E.OPERATOR_PROMOTE, E.COMPLETE)
    assert done.state is S.PROMOTED


def test_an_aborted_rollout_is_not_progressing() -> None:
    """argo-rollouts #404, #942: aborted rollouts were shown as progressing."""
    aborted = apply(in_state(S.PROGRESSING), E.OPERATOR_ABORT, cause(actor="ada")).after
    assert aborted.state.terminal
    assert (aborted.reason, aborted.message) == (Reason.OPERATOR, "rule")


def test_the_documented_table_is_the_one_in_force() -> None:
    text = (Path(__file__).parents[3] / "docs" / "concepts" / "states.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line]
    header = next(row for row in rows if row[0] == "Event")
    documented = {
        (RolloutState(state), Event(row[0].strip("`")), cell)
        for row in rows
        if len(row) == len(header) and row[0].strip("`") in {event.value for event in Event}
        for state, cell in zip(header[1:], row[1:], strict=True)
    }
    assert documented == set(expected_cells())
