"""One look at one rollout: seal, fold, judge, rule, change, in one transaction.

Everything is a function of what is stored and of the time that is handed in: no
wall clock, no randomness, no order of a set. So a second replica, a restart in
between or a replay comes to the same bytes. When to look is `controller.loop`'s
business; what to do is that of `rollout.gate` and `rollout.machine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pitcanary.controller.agenda import seal_time
from pitcanary.controller.analysis.facts import outcomes_of
from pitcanary.controller.analysis.folded import (
    Folded,
    Notes,
    SealedTick,
    load,
    load_notes,
    save,
)
from pitcanary.controller.analysis.reading import absorb, conclude
from pitcanary.controller.analysis.thresholds import new_thresholds
from pitcanary.controller.effects import ChangeWriter, seen_by_sidecars
from pitcanary.controller.evidence import bundle_of_rows
from pitcanary.controller.knowledge import Knowledge, gather
from pitcanary.controller.limits import Intervals
from pitcanary.controller.record import Act, basis_of, digest
from pitcanary.controller.snapshot.rollouts import thresholds_in_force
from pitcanary.controller.stored import rollout_of, update_of
from pitcanary.model.action import Event, Reason
from pitcanary.model.rollout import Rollout
from pitcanary.rollout import gate
from pitcanary.rollout.gate import Ruling
from pitcanary.rollout.machine import Cause, apply
from pitcanary.store.interface import (
    DecisionRow,
    Lease,
    OpenRow,
    RolloutRow,
    Seal,
    Transaction,
)

CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to.

    `rollout` is as it stands afterwards, `notes` what its evidence says, `decision`
    what was recorded, if anything.
    """

    rollout: Rollout
    notes: Notes
    sealed: bool = False
    decision: DecisionRow | None = None


@dataclass(frozen=True, slots=True)
class Ticker:
    """Looks at rollouts; called on the store's thread only."""

    writer: ChangeWriter
    intervals: Intervals

    def look(
        self, transaction: Transaction, environment: int, rollout: int, now: datetime,
        lease: Lease | None,
    ) -> Look:  # fmt: skip
        """Looks at one rollout.

        Raises:
            Conflict: Another replica was faster; what it did stands.
            EvidenceRefused: Stored evidence is damaged; nothing was changed.
        """
        transaction.environments.lock(environment)
        row = transaction.rollouts.lock(environment, rollout)
        if rollout_of(row).state.terminal:
            return Look(rollout_of(row), Notes())
        return _OneLook(self, transaction, row, now, lease).run()


class _OneLook:
    """What is at hand during one look."""

    def __init__(
        self, ticker: Ticker, transaction: Transaction, row: RolloutRow, now: datetime,
        lease: Lease | None,
    ) -> None:  # fmt: skip
        self._ticker = ticker
        self._transaction = transaction
        self._row = row
        self._now = now
        self._lease = lease
        self._rollout = rollout_of(row)
        self._configured = False

    def run(self) -> Look:
        """Seals if it is time, rules, and writes what follows."""
        transaction, environment, now = self._transaction, self._row.environment, self._now
        rows = transaction.evidence.open(environment, self._row.id)
        sealed = seal_due(self._rollout, counted=bool(rows), now=now)
        notes = self._seal(rows) if sealed else load_notes(transaction, environment, self._rollout)
        known = gather(
            transaction, environment, self._rollout, notes,
            intervals=self._ticker.intervals, now=now,
        )  # fmt: skip
        ruling = gate.decide(self._rollout, notes.assessment, known.health, now)
        decision = None
        if worth_recording(self._rollout, ruling):
            decision = self._decide(ruling, known)
        elif sealed:
            self._keep(ruling)
        if self._configured:
            transaction.environments.raise_revision(environment)
        return Look(self._rollout, notes, sealed, decision)

    def _seal(self, rows: Sequence[OpenRow]) -> Notes:
        """Takes the open evidence, folds it, and moves the rollout's counts on."""
        transaction, environment, rollout = self._transaction, self._row.environment, self._rollout
        bundle = bundle_of_rows(row.evidence for row in rows)
        data, tick = bundle.to_bytes(), transaction.evidence.last_tick(environment, rollout.id) + 1
        taken = tuple(row.id for row in rows)
        transaction.evidence.seal(Seal(environment, rollout.id, tick, self._now, data, taken))
        self._rollout = rollout.counted(outcomes_of(bundle, rollout), self._now)
        folded = load(transaction, environment, rollout).with_shares(rollout)
        folded = absorb(folded, rollout, bundle, SealedTick(tick, digest(data)))
        folded = conclude(folded, self._rollout, self._now)
        save(transaction, environment, rollout, folded)
        self._choose_thresholds(folded)
        return folded.notes

    def _choose_thresholds(self, folded: Folded) -> None:
        transaction, environment = self._transaction, self._row.environment
        known = transaction.threshold_sets.list(environment, self._row.id)
        in_force = thresholds_in_force(self._rollout, known)
        for thresholds in new_thresholds(folded, self._rollout, environment, in_force, self._now):
            transaction.threshold_sets.add(thresholds)
            self._configured = True

    def _decide(self, ruling: Ruling, known: Knowledge) -> DecisionRow:
        cause = Cause(ruling.reason, ruling.rule, CONTROLLER, self._now)
        change = apply(self._rollout, ruling.event, cause)
        act = Act(ruling.event, CONTROLLER, self._now, ruling.metrics)
        basis = basis_of(self._transaction, self._row, act, known)
        self._rollout = change.after
        self._configured = self._configured and not seen_by_sidecars(change)
        return self._ticker.writer.write(self._transaction, self._row, change, basis, self._lease)

    def _keep(self, ruling: Ruling) -> None:
        """Writes a seal that changed nothing worth a record."""
        if self._lease is not None:
            self._transaction.leases.check(self._lease)
        kept = replace(self._rollout, message=ruling.rule, revision=self._row.revision + 1)
        self._transaction.rollouts.update(update_of(self._row, kept, self._now))
        self._rollout = kept


def worth_recording(rollout: Rollout, ruling: Ruling) -> bool:
    """Whether a ruling gets a record: every action, and a hold for a new reason.

    A paused rollout holds because it is paused, which the record of the pause says.
    """
    if ruling.event is Event.HOLD and ruling.reason is Reason.PAUSED:
        return False
    return gate.worth_recording(rollout, ruling, sealed=False)


def seal_due(rollout: Rollout, *, counted: bool, now: datetime) -> bool:
    """Whether the schedule allows a seal now; it never asks what was counted."""
    due = seal_time(rollout)
    return counted and due is not None and now >= due
