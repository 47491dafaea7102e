"""PostgreSQL: any number of replicas, rows locked as they are used.

Writers run at READ COMMITTED: they lock the rows they decide by, and then read
what is committed *now*; a snapshot from before the lock would be out of date.
Readers run at REPEATABLE READ, so that one view is consistent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.listener import CHANNEL, Listener
from pitcanary.store.sql.notices import encode

POOL_SIZE = 8
POOL_WAIT_SECONDS = 10
# A dead network must show within seconds, not after the kernel's two hours.
_CONNECT_ARGS: dict[str, object] = {
    "application_name": "pitcanary",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class PostgresqlDatabase:
    """See `Database`."""

    def __init__(self, url: URL) -> None:
        self._engine = _engine(url)
        self._arguments = self._engine.dialect.create_connect_args(url)[1]
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        with self._engine.connect() as connection:
            view = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            with view.begin():
                yield view

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        with self._engine.begin() as connection:
            yield connection

    def before_commit(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """See `Database.before_commit`."""
        for notice in notices:
            connection.execute(select(func.pg_notify(CHANNEL, encode(notice))))

    def after_commit(self, notices: Sequence[Notice]) -> None:
        """Do nothing: the commit carried them."""

    def subscribe(self) -> Listener:
        """See `Database.subscribe`."""
        listener = Listener(self._connect)
        with self._lock:
            self._listeners = [each for each in self._listeners if not each.closed]
            self._listeners.append(listener)
        return listener

    def close(self) -> None:
        """See `Database.close`."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        self._engine.dispose()

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(**{**_CONNECT_ARGS, **self._arguments}, autocommit=True)


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        connect_args={**_CONNECT_ARGS, **url.query},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_connect)
    return engine


def _on_connect(connection: psycopg.Connection[tuple[object, ...]], _: ConnectionPoolEntry) -> None:
    # A replica that hangs must not keep the others' rows locked for ever.
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '10s'")
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
    connection.commit()
