"""What was decided: an append-only chain of records, one per environment.

A decision and the change it makes are one compare-and-set on the rollout's
revision and the leader's fence, in the transaction that the caller holds. The
chain is checked by `store.audit`; the bytes are built in `store.chain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from pitcanary.store.interface.fleet import Lease
from pitcanary.store.interface.rollouts import RolloutRow, RolloutUpdate

JsonValue: TypeAlias = (
    "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
)


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision to record.

    `evidence` holds the rest of the record: arms, intervals, limits, shares,
    acknowledgements, digests. Its keys may not be those the store fills in
    itself (`store.chain.RESERVED`).
    """

    action: str
    rule: str
    actor: str
    decided_at: datetime
    evidence: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a chain ends; position 0 and 32 zero bytes when it is empty."""

    position: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A recorded decision.

    `record` is canonical JSON and `hash` its SHA-256; the record contains the
    hash of the one before, so a change of any byte breaks the chain.
    `rollout_revision` is the revision after the decision. `leader_fence` is 0
    for a person's action.
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
    prev_hash: bytes
    hash: bytes
    record: bytes


class DecisionsReader(Protocol):
    """Reads decisions."""

    def head(self, environment: int) -> ChainHead:
        """Tell where the chain should end; `NotFound` without the environment."""
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
        self, decision: NewDecision, update: RolloutUpdate, lease: Lease | None
    ) -> tuple[DecisionRow, RolloutRow]:
        """Change a rollout and append the record of why.

        `lease` None is a person's action: it needs no leader, and the revision
        alone keeps it and the leader from overwriting each other.

        Raises:
            Conflict: The revision is another, or the lease is not in force.
            NotFound: There is no such rollout.
        """
        ...
