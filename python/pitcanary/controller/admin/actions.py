"""What a person does to a rollout: pause, resume, abort, promote.

Needs no leader and no evidence. Abort is stored before it is answered, ignores the
expected revision, and does nothing where nothing runs. The rules of what is allowed
are the table in `rollout.machine`.
"""

from __future__ import annotations

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.decisions import find_rollout
from pitcanary.controller.admin.view import rollout_info
from pitcanary.controller.analysis.folded import Notes, load_notes
from pitcanary.controller.knowledge import gather
from pitcanary.controller.record import Act, basis_of
from pitcanary.controller.stored import rollout_of
from pitcanary.errors import Conflict, InvalidValue
from pitcanary.model.action import Event, Reason
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.machine import Cause, Change, apply
from pitcanary.store.interface import RolloutRow, Transaction
from pitcanary.v1 import admin_pb2

_EVENTS = {
    admin_pb2.ROLLOUT_ACTION_PAUSE: (Event.OPERATOR_PAUSE, "paused"),
    admin_pb2.ROLLOUT_ACTION_RESUME: (Event.OPERATOR_RESUME, "resumed"),
    admin_pb2.ROLLOUT_ACTION_ABORT: (Event.OPERATOR_ABORT, "aborted"),
    admin_pb2.ROLLOUT_ACTION_PROMOTE: (Event.OPERATOR_PROMOTE, "promoted by override"),
}


def act_on_rollout(
    transaction: Transaction,
    environment: int,
    request: admin_pb2.ActOnRolloutRequest,
    moment: Moment,
) -> admin_pb2.ActOnRolloutResponse:
    """Does what a person asks for.

    Raises:
        NotFound: There is no such rollout.
        Conflict: The rollout has changed since the person looked.
        TransitionRefused: The state forbids it; says what to do.
    """
    transaction.environments.lock(environment)
    found = find_rollout(transaction, environment, request.name)
    row = transaction.rollouts.lock(environment, found.id)
    event, verb = _event(request)
    _refuse_surprise(row, request, event)
    rollout = rollout_of(row)
    notes = load_notes(transaction, environment, rollout)
    actor = request.actor or "operator"
    rule = f"`{actor}` {verb} it" + (f": {request.reason}" if request.reason else "")
    cause = Cause(Reason.OPERATOR, rule, actor, moment.at, muted=_known_harm(notes))
    change = apply(rollout, event, cause)
    decision_id = ""
    if change.changed:
        act = Act(event, actor, moment.at, note=request.reason)
        decision_id = _write(transaction, row, change, notes, act, moment)
        row = transaction.rollouts.get(environment, row.id)
    return admin_pb2.ActOnRolloutResponse(
        rollout=rollout_info(transaction, row, moment), decision_id=decision_id
    )


def _write(
    transaction: Transaction,
    row: RolloutRow,
    change: Change,
    notes: Notes,
    act: Act,
    moment: Moment,
) -> str:
    known = gather(
        transaction, row.environment, change.before, notes,
        intervals=moment.tools.intervals, now=act.at,
    )  # fmt: skip
    basis = basis_of(transaction, row, act, known)
    return moment.tools.writer.write(transaction, row, change, basis, None).id


def _event(request: admin_pb2.ActOnRolloutRequest) -> tuple[Event, str]:
    if request.action not in _EVENTS:
        raise InvalidValue("say what to do: pause, resume, abort or promote")
    return _EVENTS[request.action]


def _refuse_surprise(row: RolloutRow, request: admin_pb2.ActOnRolloutRequest, event: Event) -> None:
    if event is Event.OPERATOR_ABORT:
        return
    if request.expected_revision not in (0, row.revision):
        raise Conflict(
            f"rollout `{row.name}` is at revision `{row.revision}`, not at "
            f"`{request.expected_revision}`; look at it again"
        )


def _known_harm(notes: Notes) -> tuple[str, ...]:
    """The metrics whose harm a person can see now, and so knows when promoting."""
    if notes.assessment is None:
        return ()
    harmed = (
        item.metric.name for item in notes.assessment.metrics if item.verdict is Verdict.REGRESSED
    )
    return tuple(dict.fromkeys((*notes.assessment.culprits, *notes.assessment.suspects, *harmed)))
