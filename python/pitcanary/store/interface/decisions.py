"""What was decided: an append-only chain of records, one per environment.

A decision and the change it makes are one compare-and-set on the rollout's
revision and the leader's fence, in the transaction that the caller holds. What a
record says is `model.decision`; the store keeps its bytes, and `store.audit`
checks that nobody changed them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pitcanary.store.interface.fleet import Lease
from pitcanary.store.interface.rollouts import RolloutRow, RolloutUpdate


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a chain ends: the number of its records and the hash of the last one.

    The hash is `sha256:` and hex; all zeros while the chain is empty.
    """

    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A recorded decision.

    `record` is exactly the bytes that were given and `hash` their SHA-256; the
    bytes contain `previous_hash`, so a change of any byte breaks the chain. The
    other fields repeat what the record says, for searching, except
    `leader_fence`: the fence it was written under, 0 for a person's action.
    """

    environment: int
    position: int
    id: str
    rollout: int
    rollout_revision: int
    leader_fence: int
    decided_at: datetime
    action: str
    rule: str
    actor: str
    previous_hash: str
    hash: str
    record: bytes


class DecisionsReader(Protocol):
    """Reads decisions."""

    def head(self, environment: int) -> ChainHead:
        """Tell where the chain ends; `NotFound` without the environment.

        In a transaction it stays the end until `decide` is called or the
        transaction ends.
        """
        ...

    def get(self, environment: int, decision: str) -> DecisionRow:
        """Read a decision by its id; `NotFound`."""
        ...

    def list(
        self,
        environment: int,
        rollout: int | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> Sequence[DecisionRow]:
        """Read decisions, newest first, below position `before` when given."""
        ...

    def chain(self, environment: int, after: int = 0) -> Iterator[DecisionRow]:
        """Read the chain in order, from the first position above `after`."""
        ...


class Decisions(DecisionsReader, Protocol):
    """Records decisions; nothing changes or removes one."""

    def decide(
        self, record: bytes, update: RolloutUpdate, lease: Lease | None
    ) -> tuple[DecisionRow, RolloutRow]:
        """Change a rollout and append the record of why.

        The record is `canonical_bytes(to_plain(decision))`; its `previous_hash`
        is the hash of `head` and its `after.revision` the revision that the
        update makes. `lease` None is a person's action: it needs no leader, and
        the revision alone keeps it and the leader from overwriting each other.

        Raises:
            Conflict: The revision or the head is another, or the lease is not
                in force.
            NotFound: There is no such rollout.
            ValueError: The record is not about this update.
        """
        ...
