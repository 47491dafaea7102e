"""Who takes part: sidecars, the keys they sign with, and who may decide.

Liveness of connections is the controller's business; the store keeps what it
was told last, so that every replica can answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pitcanary.model.decision import ConfigVersion


@dataclass(frozen=True, slots=True)
class SidecarHello:
    """How a sidecar introduced itself, and to which replica."""

    environment: int
    sidecar_id: str
    boot_id: bytes
    build: str
    capabilities: tuple[str, ...]
    replica: str
    serving: ConfigVersion | None


@dataclass(frozen=True, slots=True)
class SidecarRow:
    """What is known of a sidecar.

    `hello.replica` is empty when it is not connected. `acknowledged` is the
    last version that is on its disk and in force; `refused` the last one it
    refused, None once it acknowledged a later one.
    """

    hello: SidecarHello
    seen_at: datetime
    acknowledged: ConfigVersion | None
    acknowledged_at: datetime | None
    refused: ConfigVersion | None
    refusal: str


@dataclass(frozen=True, slots=True)
class TokenKeyRow:
    """A key of the tokens; the newest one that is not retired issues."""

    environment: int
    key_id: int
    secret: bytes = field(repr=False)
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to decide, until it expires by the database's clock.

    `fence` grows by one at every acquisition; a write that names an older one
    is refused.
    """

    name: str
    holder: str
    fence: int


class SidecarsReader(Protocol):
    """Reads sidecars."""

    def list(self, environment: int) -> Sequence[SidecarRow]:
        """Read all sidecars, ascending by their id."""
        ...


class Sidecars(SidecarsReader, Protocol):
    """Records what sidecars say."""

    def hello(self, hello: SidecarHello, at: datetime) -> None:
        """Record a connection; what it holds counts as acknowledged."""
        ...

    def acknowledge(
        self, environment: int, sidecar_id: str, version: ConfigVersion, at: datetime
    ) -> None:
        """Record that a version is in force; an older one than known changes nothing."""
        ...

    def refuse(
        self, environment: int, sidecar_id: str, version: ConfigVersion, reason: str, at: datetime
    ) -> None:
        """Record that a version was refused and why."""
        ...

    def seen(self, environment: int, sidecar_ids: Iterable[str], at: datetime) -> None:
        """Record that sidecars were heard; unknown ones are ignored."""
        ...

    def disconnected(self, environment: int, sidecar_id: str, replica: str) -> None:
        """Record that a connection ended, unless it has moved to another replica."""
        ...

    def replica_stopped(self, replica: str) -> None:
        """Record that all connections of a replica have ended."""
        ...

    def forget(self, before: datetime) -> int:
        """Delete sidecars not heard since and not connected; returns how many."""
        ...


class TokenKeysReader(Protocol):
    """Reads token keys."""

    def list(self, environment: int) -> Sequence[TokenKeyRow]:
        """Read all keys, oldest first."""
        ...


class TokenKeys(TokenKeysReader, Protocol):
    """Changes token keys."""

    def add(self, environment: int, secret: bytes, at: datetime) -> TokenKeyRow:
        """Add a key under a free id (0..255); `Conflict` when all are in use."""
        ...

    def retire(self, environment: int, key_id: int, at: datetime) -> None:
        """Stop issuing with a key; tokens signed with it stay valid. `NotFound`."""
        ...

    def delete(self, environment: int, key_id: int) -> None:
        """Forget a key: its tokens become invalid. `NotFound`."""
        ...


class LeasesReader(Protocol):
    """Reads leases."""

    def holder(self, name: str) -> Lease | None:
        """Tell who holds a lease now; None when nobody does or it has expired."""
        ...


class Leases(LeasesReader, Protocol):
    """Takes and keeps leases; time is the database's own.

    Take, renew and release in transactions of their own: while one of these waits
    for a decision to end, it must hold nothing that the decision needs.
    """

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take a lease that is free, expired or one's own; None when it is not.

        Always a new acquisition: the fence grows, older leases of the same
        holder are dead.
        """
        ...

    def renew(self, lease: Lease, seconds: float) -> None:
        """Extend a lease that is in force; `Conflict` when it is not."""
        ...

    def release(self, lease: Lease) -> None:
        """Give a lease back; does nothing when it is held by another."""
        ...

    def check(self, lease: Lease) -> None:
        """Make sure that a lease is in force until this transaction ends; `Conflict`."""
        ...
