"""The store as the controller sees it: units of work over named concepts.

Nothing here names a database. `pitcanary.store.open_store` gives the stores
that implement it; each concept has a reader and a writer protocol in the file
of its name. Units of work do not nest: a unit opened inside another one of the
same thread is a `RuntimeError`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from pitcanary.model.decision import ConfigVersion
from pitcanary.model.scope import Scope
from pitcanary.store.interface.catalog import (
    Change,
    EnvironmentRow,
    Environments,
    EnvironmentsReader,
    LabelMoveRow,
    LabelRow,
    Labels,
    LabelsReader,
    PromptRow,
    Prompts,
    PromptsReader,
    VersionRow,
    Versions,
    VersionsReader,
)
from pitcanary.store.interface.decisions import (
    ChainHead,
    DecisionRow,
    Decisions,
    DecisionsReader,
)
from pitcanary.store.interface.delivery import (
    Idempotency,
    IdempotencyKey,
    IdempotencyReader,
    MessageRow,
    NewMessage,
    Notice,
    Outbox,
    OutboxReader,
    Subscription,
    Topic,
)
from pitcanary.store.interface.evidence import (
    Evidence,
    EvidenceReader,
    FrameMark,
    Marks,
    MarksReader,
    NewEvidence,
    OpenCount,
    OpenRow,
    Seal,
    SealedRow,
    Source,
    StateKey,
    StateKind,
    StateRow,
    States,
    StatesReader,
)
from pitcanary.store.interface.fleet import (
    Lease,
    Leases,
    LeasesReader,
    SidecarHello,
    SidecarRow,
    Sidecars,
    SidecarsReader,
    TokenKeyRow,
    TokenKeys,
    TokenKeysReader,
)
from pitcanary.store.interface.rollouts import (
    GenerationRow,
    Generations,
    GenerationsReader,
    NewRollout,
    NewThresholdSet,
    RolloutRow,
    Rollouts,
    RolloutsReader,
    RolloutUpdate,
    ThresholdSetRow,
    ThresholdSets,
    ThresholdSetsReader,
)

__all__ = [
    "ChainHead",
    "Change",
    "ConfigVersion",
    "DecisionRow",
    "EnvironmentRow",
    "FrameMark",
    "GenerationRow",
    "IdempotencyKey",
    "LabelMoveRow",
    "LabelRow",
    "Lease",
    "MessageRow",
    "NewEvidence",
    "NewMessage",
    "NewRollout",
    "NewThresholdSet",
    "Notice",
    "OpenCount",
    "OpenRow",
    "PromptRow",
    "Reader",
    "RolloutRow",
    "RolloutUpdate",
    "Scope",
    "Seal",
    "SealedRow",
    "SidecarHello",
    "SidecarRow",
    "Source",
    "StateKey",
    "StateKind",
    "StateRow",
    "Store",
    "Subscription",
    "ThresholdSetRow",
    "TokenKeyRow",
    "Topic",
    "Transaction",
    "VersionRow",
]


class Reader(Protocol):
    """One consistent view of everything; a write through it fails."""

    @property
    def environments(self) -> EnvironmentsReader:
        """Environments and the order of their configurations."""

    @property
    def prompts(self) -> PromptsReader:
        """Prompts by name."""

    @property
    def versions(self) -> VersionsReader:
        """Immutable versions."""

    @property
    def labels(self) -> LabelsReader:
        """Labels and their history."""

    @property
    def rollouts(self) -> RolloutsReader:
        """Rollouts."""

    @property
    def generations(self) -> GenerationsReader:
        """Analysis generations."""

    @property
    def threshold_sets(self) -> ThresholdSetsReader:
        """Threshold sets."""

    @property
    def decisions(self) -> DecisionsReader:
        """The chain of decisions."""

    @property
    def marks(self) -> MarksReader:
        """How far sources are committed."""

    @property
    def evidence(self) -> EvidenceReader:
        """Open and sealed evidence."""

    @property
    def states(self) -> StatesReader:
        """Folded states."""

    @property
    def sidecars(self) -> SidecarsReader:
        """Sidecars."""

    @property
    def token_keys(self) -> TokenKeysReader:
        """Keys of the tokens."""

    @property
    def leases(self) -> LeasesReader:
        """Who may decide."""

    @property
    def idempotency(self) -> IdempotencyReader:
        """Answers to repeated calls."""

    @property
    def outbox(self) -> OutboxReader:
        """Webhooks that wait."""


class Transaction(Reader, Protocol):
    """One unit of work: everything in it is committed together or not at all."""

    @property
    def environments(self) -> Environments:
        """Environments and the order of their configurations."""

    @property
    def prompts(self) -> Prompts:
        """Prompts by name."""

    @property
    def versions(self) -> Versions:
        """Immutable versions."""

    @property
    def labels(self) -> Labels:
        """Labels and their history."""

    @property
    def rollouts(self) -> Rollouts:
        """Rollouts."""

    @property
    def generations(self) -> Generations:
        """Analysis generations."""

    @property
    def threshold_sets(self) -> ThresholdSets:
        """Threshold sets."""

    @property
    def decisions(self) -> Decisions:
        """The chain of decisions."""

    @property
    def marks(self) -> Marks:
        """How far sources are committed."""

    @property
    def evidence(self) -> Evidence:
        """Open and sealed evidence."""

    @property
    def states(self) -> States:
        """Folded states."""

    @property
    def sidecars(self) -> Sidecars:
        """Sidecars."""

    @property
    def token_keys(self) -> TokenKeys:
        """Keys of the tokens."""

    @property
    def leases(self) -> Leases:
        """Who may decide."""

    @property
    def idempotency(self) -> Idempotency:
        """Answers to repeated calls."""

    @property
    def outbox(self) -> Outbox:
        """Webhooks that wait."""

    def notify(self, notice: Notice) -> None:
        """Wake every subscriber, of this and of other processes, after the commit."""
        ...


class Store(Protocol):
    """Keeps everything the controller must not forget.

    Safe to use from several threads. Every error is one of `pitcanary.errors`:
    `Conflict` (read again and decide again), `NotFound`, `AlreadyExists`,
    `StoreUnavailable` (try again later). Work is undone by any error; only when
    the connection is lost during the commit itself can nobody tell, which is why
    frames, keys and revisions make every repeat harmless.
    """

    def read(self) -> AbstractContextManager[Reader]:
        """Open one consistent view."""
        ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a unit of work: commits at the end, rolls back on any exception.

        Refusals that name a reason (`NotFound`, `AlreadyExists`, most of
        `Conflict`, `ValueError`) may be caught inside it. An error of the
        database itself may not: the unit then ends in a `RuntimeError`.

        On SQLite it holds the one writer's place from its first moment; on
        PostgreSQL rows are locked as they are used, so keep it short.
        """
        ...

    def subscribe(self) -> Subscription:
        """Listen for wake-ups; the first one is always a `Topic.RESYNC`."""
        ...

    def close(self) -> None:
        """Give back connections and locks; the store cannot be used afterwards."""
        ...
