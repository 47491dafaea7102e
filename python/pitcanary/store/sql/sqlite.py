"""SQLite: one process, one writer, every commit on the disk.

`synchronous=FULL` because an acknowledged frame must survive a power cut, not
only a crash of the program. Write transactions take the writer's place at their
first moment (BEGIN IMMEDIATE): one that reads first and writes later could find
that another has written in between.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from pitcanary.errors import StoreUnavailable
from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.file_lock import FileLock
from pitcanary.store.sql.notices import Hub, HubSubscription

BUSY_SECONDS = 10.0
_IMMEDIATE = "pitcanary_immediate"


class SqliteDatabase:
    """See `Database`; without a path it lives in memory and dies with its store."""

    def __init__(self, path: Path | None, lock: FileLock | None) -> None:
        self._engine = _memory_engine() if path is None else _file_engine(path)
        self._lock = lock
        self._hub = Hub()
        # Writers queue here rather than poll for the file's lock. In memory
        # there is one connection, which readers must queue for as well.
        self._writer = threading.Lock()
        self._reader = self._writer if path is None else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        with self._reader, self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        if not self._writer.acquire(timeout=BUSY_SECONDS):
            raise StoreUnavailable(f"another write has been going on for `{BUSY_SECONDS}` s")
        try:
            with self._engine.connect() as connection:
                immediate = connection.execution_options(**{_IMMEDIATE: True})
                with immediate.begin():
                    yield immediate
        finally:
            self._writer.release()

    def before_commit(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """Do nothing: SQLite carries no wake-ups."""

    def after_commit(self, notices: Sequence[Notice]) -> None:
        """See `Database.after_commit`."""
        if notices:
            self._hub.publish(notices)

    def subscribe(self) -> HubSubscription:
        """See `Database.subscribe`."""
        return self._hub.subscribe()

    def close(self) -> None:
        """See `Database.close`."""
        self._hub.close()
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()


def _memory_engine() -> Engine:
    engine = create_engine(
        "sqlite://",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    return _prepared(engine)


def _file_engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,
    )
    return _prepared(engine)


def _prepared(engine: Engine) -> Engine:
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: SqliteConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own BEGIN comes too late; `_on_begin` sends ours.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _on_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
