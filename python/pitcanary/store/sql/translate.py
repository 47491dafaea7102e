"""Turns a database's errors into those of `pitcanary.errors`.

Messages never repeat a statement's parameters: they may hold prompt text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from pitcanary.errors import Conflict, PitcanaryError, StoreUnavailable

# Classes and codes of SQLSTATE, from PostgreSQL's appendix A.
_FASTER = {"40001", "40P01"}  # serialization failure, deadlock
_UNAVAILABLE = (
    "08",  # connection exception
    "25P0",  # a transaction was idle for too long
    "53",  # out of connections, memory or disk
    "55P03",  # a lock was not to be had in time
    "57",  # shut down, starting up, cancelled
    "58",  # I/O error of the server
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the package's errors for the database's; a program's mistake stays itself."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        meant = _meaning(error)
        if meant is None:
            raise
        raise meant from error


def _meaning(error: exc.SQLAlchemyError) -> PitcanaryError | ValueError | None:
    if isinstance(error, exc.TimeoutError):
        return StoreUnavailable("every connection of the store is in use; try again")
    if isinstance(error, exc.DBAPIError):
        return _database_meaning(error)
    # A value that `store.columns` or the driver refuses before anything is sent.
    if isinstance(error, exc.StatementError) and isinstance(error.orig, ValueError):
        return error.orig
    return None


def _database_meaning(error: exc.DBAPIError) -> PitcanaryError | ValueError | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _FASTER:
        return Conflict("another transaction was faster; read again and try again")
    if isinstance(error, exc.IntegrityError):
        return Conflict(f"the store refused a write: {_reason(error)}")
    if isinstance(error, exc.DataError):
        return ValueError(_reason(error))
    if _is_unavailable(error, state):
        return StoreUnavailable(f"the store cannot be used now: {_reason(error)}")
    return None


def _is_unavailable(error: exc.DBAPIError, state: str) -> bool:
    if error.connection_invalidated or state.startswith(_UNAVAILABLE):
        return True
    # SQLite and a server that was never reached give no state.
    return not state and isinstance(error, exc.OperationalError | exc.InterfaceError)


def _reason(error: exc.DBAPIError) -> str:
    """Give the database's own sentence without the values it repeats below it."""
    diagnosis = getattr(error.orig, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    return primary or str(error.orig).partition("\n")[0]
