"""Leases on SQL, by the database's clock.

On SQLite a file lock admits one process, and opening the file ends the leases
of the process before; see `sql.opening`.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select, update

from pitcanary.errors import Conflict
from pitcanary.store import schema
from pitcanary.store.database_time import database_now_us
from pitcanary.store.interface.fleet import Lease
from pitcanary.store.sql.session import Session

_leases = schema.leases


class SqlLeasesReader:
    """See `LeasesReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def holder(self, name: str) -> Lease | None:
        row = self._session.row(
            select(_leases).where(_leases.c.name == name, _leases.c.expires_us > database_now_us())
        )
        return None if row is None else Lease(row["name"], row["holder"], row["fence"])


class SqlLeases(SqlLeasesReader):
    """See `Leases`."""

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        self._session.insert_new(_leases, {"name": name, "holder": "", "fence": 0, "expires_us": 0})
        fence = self._session.number_or_none(
            update(_leases)
            .where(
                _leases.c.name == name,
                or_(_leases.c.holder == holder, _leases.c.expires_us <= database_now_us()),
            )
            .values(holder=holder, fence=_leases.c.fence + 1, expires_us=_expiry(seconds))
            .returning(_leases.c.fence)
        )
        return None if fence is None else Lease(name, holder, fence)

    def renew(self, lease: Lease, seconds: float) -> None:
        touched = self._session.run(
            update(_leases).where(_in_force(lease)).values(expires_us=_expiry(seconds))
        )
        if touched != 1:
            raise _lost(lease)

    def release(self, lease: Lease) -> None:
        self._session.run(update(_leases).where(_in_force(lease)).values(expires_us=0))

    def check(self, lease: Lease) -> None:
        # FOR SHARE: others may check too, but nobody can take the lease over
        # before this transaction ends.
        held = self._session.row(
            select(_leases.c.fence).where(_in_force(lease)).with_for_update(read=True)
        )
        if held is None:
            raise _lost(lease)


def _in_force(lease: Lease) -> ColumnElement[bool]:
    return (
        (_leases.c.name == lease.name)
        & (_leases.c.holder == lease.holder)
        & (_leases.c.fence == lease.fence)
        & (_leases.c.expires_us > database_now_us())
    )


def _expiry(seconds: float) -> ColumnElement[int]:
    return database_now_us() + round(seconds * 1_000_000)


def _lost(lease: Lease) -> Conflict:
    return Conflict(
        f"lease `{lease.name}` with fence `{lease.fence}` is no longer held by `{lease.holder}`"
    )
