"""Column types that mean the same on SQLite and PostgreSQL.

Times are integer microseconds because SQLite has no time zones and floats
round; JSON is text because a record must come back byte for byte and an
operator must be able to read it. Whatever one of the two databases cannot hold
is refused with a `ValueError` on both.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)


class Timestamp(TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since the Unix epoch."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Write microseconds; a time without a zone is refused, not guessed."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"`{value.isoformat()}` has no time zone; pass a UTC time")
        return (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Read a moment in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class PlainText(TypeDecorator[str]):
    """Text that both databases can hold."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse what PostgreSQL cannot keep."""
        if value is not None:
            value.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
            if "\0" in value:
                raise ValueError(f"{value!r} contains a NUL character; remove it")
        return value


class JsonBytes(TypeDecorator[bytes]):
    """JSON as the bytes it was given, kept as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Write text; bytes that are not UTF-8 are not JSON and are refused."""
        return None if value is None else value.decode("utf-8")

    def process_result_value(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Read the same bytes."""
        return None if value is None else value.encode("utf-8")


def row_id() -> TypeEngine[int]:
    """Give the type of a generated key: SQLite numbers only plain INTEGER columns."""
    return BigInteger().with_variant(Integer, "sqlite")
