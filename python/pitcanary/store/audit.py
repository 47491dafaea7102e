"""Checks that the chain of decisions is whole.

Pure over rows and a head. A chain proves that nobody changed a part of it; whoever
owns the database can still write a new chain from some point on, or cut its end,
together with the head. Heads that were published elsewhere (logs, webhooks)
show that too: pass them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from pitcanary.store.chain import EMPTY, RecordFacts, read_record, record_hash
from pitcanary.store.interface import Reader
from pitcanary.store.interface.decisions import ChainHead, DecisionRow


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place of the chain."""

    position: int
    problem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; the chain is whole when there is no fault."""

    decisions: int
    head: ChainHead
    faults: tuple[Fault, ...]


def audit(reader: Reader, environment: int, published: Iterable[ChainHead] = ()) -> Audit:
    """Check the chain of an environment; `NotFound` without the environment."""
    head = reader.decisions.head(environment)
    return verify(reader.decisions.chain(environment), head, published)


def verify(
    rows: Iterable[DecisionRow], head: ChainHead, published: Iterable[ChainHead] = ()
) -> Audit:
    """Check a chain against the head it should have and heads seen elsewhere."""
    walk = _Walk()
    faults = [fault for row in rows for fault in walk.check(row)]
    faults += walk.check_end(head)
    faults += walk.check_published(published)
    return Audit(decisions=walk.decisions, head=head, faults=tuple(faults))


class _Walk:
    """One pass along a chain."""

    def __init__(self) -> None:
        self._previous = EMPTY
        self._hashes = {EMPTY.position: EMPTY.hash}
        self.decisions = 0

    def check(self, row: DecisionRow) -> Iterator[Fault]:
        """Check one record and its link to the one before."""
        if row.position != self._previous.position + 1:
            yield Fault(
                row.position, f"follows position `{self._previous.position}`; some are missing"
            )
        if row.previous_hash != self._previous.hash:
            yield Fault(row.position, "does not follow the record before it")
        computed = record_hash(row.record)
        if computed != row.hash:
            yield Fault(row.position, "its record is not the one that was hashed")
        yield from _differences(row)
        # What the bytes say counts from here on, not what the row claims.
        self._previous = ChainHead(row.position, computed)
        self._hashes[row.position] = computed
        self.decisions += 1

    def check_end(self, head: ChainHead) -> Iterator[Fault]:
        """Check that the chain ends where it should."""
        if head != self._previous:
            yield Fault(
                head.position,
                f"should be the last record, but the chain ends at `{self._previous.position}`"
                " or with another hash",
            )

    def check_published(self, published: Iterable[ChainHead]) -> Iterator[Fault]:
        """Check heads that were seen outside the database."""
        for head in published:
            if self._hashes.get(head.position) != head.hash:
                yield Fault(head.position, "is not the record whose hash was published")


def _differences(row: DecisionRow) -> Iterator[Fault]:
    """Compare the columns, which people read and search, with the hashed bytes."""
    columns = RecordFacts(
        id=row.id,
        previous_hash=row.previous_hash,
        rollout=row.rollout,
        rollout_revision=row.rollout_revision,
        decided_at=row.decided_at,
        action=row.action,
        rule=row.rule,
        actor=row.actor,
    )
    try:
        said = read_record(row.record)
    except ValueError as error:
        yield Fault(row.position, str(error))
        return
    for field in fields(columns):
        if getattr(columns, field.name) != getattr(said, field.name):
            yield Fault(row.position, f"its column for `{field.name}` is not what its record says")
