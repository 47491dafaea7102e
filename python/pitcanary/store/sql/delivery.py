"""Remembered answers and the outbox on SQL; wake-ups are in `sql.notices`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from pitcanary.errors import Conflict
from pitcanary.store import schema
from pitcanary.store.interface.delivery import (
    IdempotencyKey,
    MessageRow,
    NewMessage,
    Notice,
    Topic,
)
from pitcanary.store.sql.session import Session

_keys = schema.idempotency_keys
_outbox = schema.outbox


class SqlIdempotencyReader:
    """See `IdempotencyReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def answer(self, key: IdempotencyKey) -> bytes | None:
        row = self._session.row(
            select(_keys).where(_keys.c.environment_id == key.environment, _keys.c.key == key.key)
        )
        if row is None:
            return None
        if row["request_digest"] != key.request_digest:
            raise Conflict(
                f"idempotency key `{key.key}` was used for another request; use a new key"
            )
        return bytes(row["answer"])


class SqlIdempotency(SqlIdempotencyReader):
    """See `Idempotency`."""

    def remember(self, key: IdempotencyKey, answer: bytes, at: datetime) -> None:
        added = self._session.insert_new(
            _keys,
            {
                "environment_id": key.environment,
                "key": key.key,
                "request_digest": key.request_digest,
                "answer": answer,
                "created_at": at,
            },
        )
        if not added:
            raise Conflict(f"idempotency key `{key.key}` was used meanwhile; read its answer")

    def forget(self, before: datetime) -> int:
        return self._session.run(delete(_keys).where(_keys.c.created_at < before))


class SqlOutboxReader:
    """See `OutboxReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def pending(self) -> int:
        return self._session.number(
            select(func.count()).select_from(_outbox).where(_outbox.c.due_at.is_not(None))
        )


class SqlOutbox(SqlOutboxReader):
    """See `Outbox`; a message that was given up has no `due_at`."""

    def put(self, message: NewMessage, at: datetime) -> int:
        number = self._session.number(
            insert(_outbox)
            .values(
                environment_id=message.environment,
                kind=message.kind,
                body=message.body,
                created_at=at,
                due_at=at,
                attempts=0,
                error="",
            )
            .returning(_outbox.c.id)
        )
        self._session.notices.append(Notice(Topic.OUTBOX, message.environment))
        return number

    def claim(self, now: datetime, until: datetime, limit: int = 100) -> Sequence[MessageRow]:
        rows = self._session.rows(
            select(_outbox)
            .where(_outbox.c.due_at <= now)
            .order_by(_outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        self._session.run(
            update(_outbox)
            .where(_outbox.c.id.in_([row["id"] for row in rows]))
            .values(due_at=until, attempts=_outbox.c.attempts + 1)
        )
        return [
            MessageRow(
                id=row["id"],
                message=NewMessage(row["environment_id"], row["kind"], row["body"]),
                created_at=row["created_at"],
                attempts=row["attempts"] + 1,
            )
            for row in rows
        ]

    def delivered(self, message: int) -> None:
        self._session.run(delete(_outbox).where(_outbox.c.id == message))

    def retry(self, message: int, error: str, at: datetime) -> None:
        self._session.run(
            update(_outbox).where(_outbox.c.id == message).values(due_at=at, error=error)
        )

    def give_up(self, message: int, error: str, at: datetime) -> None:
        self._session.run(
            update(_outbox)
            .where(_outbox.c.id == message)
            .values(due_at=None, error=error, given_up_at=at)
        )
