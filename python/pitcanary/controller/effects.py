"""Writes one change of a rollout: state, label, configuration, record, notices.

One transaction or nothing. The same function serves the loop and a person's action;
they differ in their lease: a person needs none, because abort must work without
a leader.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitcanary.controller.metrics import Metrics
from pitcanary.controller.notice import message_of
from pitcanary.controller.record import Basis, record_bytes
from pitcanary.controller.stored import update_of
from pitcanary.errors import NotFound
from pitcanary.model.action import Action
from pitcanary.rollout.machine import Change, Effect
from pitcanary.store import interface as rows
from pitcanary.store.interface import DecisionRow, Lease, RolloutRow, Transaction

_SEEN_BY_SIDECARS = frozenset(
    {
        Effect.OPEN_STAGE,
        Effect.NEXT_STAGE,
        Effect.WITHDRAW,
        Effect.RELEASE,
        Effect.MOVE_LABEL,
        Effect.RESTORE_LABEL,
        Effect.CLOSE,
    }
)


@dataclass(frozen=True, slots=True)
class ChangeWriter:
    """Writes changes and counts them; `tells` says whether somebody empties the outbox."""

    metrics: Metrics
    tells: bool

    def write(
        self,
        transaction: Transaction,
        row: RolloutRow,
        change: Change,
        basis: Basis,
        lease: Lease | None,
    ) -> DecisionRow:
        """Writes a change with its record; wakes whoever watches.

        Raises:
            Conflict: Somebody else changed the rollout first, or the lease is not in force.
        """
        head = transaction.decisions.head(row.environment)
        record = record_bytes(change, basis, head.hash)
        decided, _ = transaction.decisions.decide(
            record, update_of(row, change.after, basis.act.at), lease
        )
        if change.label_to is not None:
            _move_label(transaction, row, change.label_to, decided)
        if seen_by_sidecars(change):
            transaction.environments.raise_revision(row.environment)
        message = message_of(decided, change) if self.tells else None
        if message is not None:
            queued = rows.NewMessage(row.environment, decided.action, message)
            transaction.outbox.put(queued, basis.act.at)
        self._count(change, basis)
        return decided

    def _count(self, change: Change, basis: Basis) -> None:
        act, prompt = basis.act, change.after.spec.prompt
        reason = change.after.reason.value if change.after.reason else ""
        self.metrics.decisions.labels(prompt, act.event.action.value, reason).inc()
        if act.event.action in (Action.ROLLBACK, Action.ABORT):
            trigger = "manual" if act.event.by_operator else "auto"
            for metric in act.metrics or ("",):
                self.metrics.rollbacks.labels(prompt, trigger, metric).inc()


def seen_by_sidecars(change: Change) -> bool:
    """Whether a change alters the snapshot."""
    return not _SEEN_BY_SIDECARS.isdisjoint(change.effects)


def _move_label(
    transaction: Transaction, row: RolloutRow, number: int, decided: DecisionRow
) -> None:
    version = transaction.versions.by_number(row.environment, row.prompt, number)
    if version is None:
        raise NotFound(f"version `{number}` of rollout `{row.name}` does not exist any more")
    change = rows.Change(decided.actor, f"decision {decided.id}", decided.decided_at)
    transaction.labels.move(row.environment, row.prompt, row.label, version.id, change)
