"""The store: units of work over a database.

What differs between SQLite and PostgreSQL is behind `Database`; how they are
opened is in `store.opening`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Connection

from pitcanary.errors import StoreUnavailable
from pitcanary.store.interface import Reader, Subscription, Transaction
from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.session import Session
from pitcanary.store.sql.translate import translated
from pitcanary.store.sql.unit import SqlReader, SqlTransaction


class Database(Protocol):
    """One database with its way to begin, to commit and to wake."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Begin a consistent view."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that commits at its end."""
        ...

    def before_commit(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """Put wake-ups into the transaction, where the database can carry them."""
        ...

    def after_commit(self, notices: Sequence[Notice]) -> None:
        """Deliver wake-ups that the database cannot carry."""
        ...

    def subscribe(self) -> Subscription:
        """Listen for wake-ups."""
        ...

    def close(self) -> None:
        """Give back connections and locks."""
        ...


class SqlStore:
    """See `Store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = threading.local()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """See `Store.read`."""
        with self._alone(), translated(), self._database.reading() as connection:
            yield SqlReader(Session(connection))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """See `Store.transaction`."""
        with self._alone(), translated():
            with self._database.writing() as connection:
                session = Session(connection)
                yield SqlTransaction(session)
                session.require_sound()
                notices = tuple(dict.fromkeys(session.notices))
                self._database.before_commit(connection, notices)
            self._database.after_commit(notices)

    def subscribe(self) -> Subscription:
        """See `Store.subscribe`."""
        self._refuse_closed()
        return self._database.subscribe()

    def close(self) -> None:
        """See `Store.close`."""
        if not self._closed:
            self._closed = True
            self._database.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a unit inside a unit: it would not see, or would wait for, its parent."""
        self._refuse_closed()
        if getattr(self._thread, "in_unit", False):
            raise RuntimeError("a unit of work is open in this thread; units do not nest")
        self._thread.in_unit = True
        try:
            yield
        finally:
            self._thread.in_unit = False

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
