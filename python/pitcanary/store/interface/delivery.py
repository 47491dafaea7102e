"""What happens once: answers to repeated calls, webhooks after a commit, wake-ups.

A wake-up carries no data and may be lost with a connection: whoever is woken
reads the store, and a `Topic.RESYNC` says that wake-ups may have been missed.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A call that must happen once: its key, and what it asked for.

    `request_digest` tells a repeat from another call under the same key.
    """

    environment: int
    key: str
    request_digest: bytes


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A webhook to send after the commit: `body` is sent byte for byte."""

    environment: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A webhook that waits; `attempts` counts the claims, this one included."""

    id: int
    message: NewMessage
    created_at: datetime
    attempts: int


class Topic(enum.Enum):
    """What there may be news about."""

    CONFIG = "config"
    ROLLOUT = "rollout"
    EVIDENCE = "evidence"
    OUTBOX = "outbox"
    RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Notice:
    """A wake-up: look at this topic of this environment; 0 means all of them."""

    topic: Topic
    environment: int = 0


class IdempotencyReader(Protocol):
    """Reads remembered answers."""

    def answer(self, key: IdempotencyKey) -> bytes | None:
        """Read the first answer; `Conflict` when the key belonged to another request."""
        ...


class Idempotency(IdempotencyReader, Protocol):
    """Remembers answers."""

    def remember(self, key: IdempotencyKey, answer: bytes, at: datetime) -> None:
        """Store the answer with the change itself; `Conflict` when the key is taken."""
        ...

    def forget(self, before: datetime) -> int:
        """Delete older answers; returns how many."""
        ...


class OutboxReader(Protocol):
    """Reads the outbox."""

    def pending(self) -> int:
        """Count what waits."""
        ...


class Outbox(OutboxReader, Protocol):
    """Queues webhooks: sent at least once, and only after the commit."""

    def put(self, message: NewMessage, at: datetime) -> int:
        """Queue a message and wake the senders; returns its id."""
        ...

    def claim(self, now: datetime, until: datetime, limit: int = 100) -> Sequence[MessageRow]:
        """Take what is due, oldest first, and hide it from other senders until then."""
        ...

    def delivered(self, message: int) -> None:
        """Delete a message that arrived."""
        ...

    def retry(self, message: int, error: str, at: datetime) -> None:
        """Try a message again at a later time; `error` is kept for operators."""
        ...

    def give_up(self, message: int, error: str, at: datetime) -> None:
        """Keep a message as failed; nobody claims it again."""
        ...


class Subscription(Protocol):
    """Wake-ups of other replicas and of this one."""

    def get(self, timeout_seconds: float) -> Notice | None:
        """Wait for the next wake-up; None when the time is over or it was closed.

        Never raises for a lost connection: it connects again and gives a
        `Topic.RESYNC`.
        """
        ...

    def close(self) -> None:
        """End the subscription from any thread; a waiting `get` returns None."""
        ...
