"""Opens a store by its address: the only way to get one.

    sqlite://                       in memory, gone with the process
    sqlite:///relative.db           a file; four slashes make the path absolute
    postgresql+psycopg://host/name  a server, shared by replicas

Creates and migrates what is there; refuses what it does not understand.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from pitcanary.errors import StoreRefused
from pitcanary.store import schema
from pitcanary.store.interface import Store
from pitcanary.store.migrate import migrate
from pitcanary.store.sql.file_lock import FileLock
from pitcanary.store.sql.sqlite import SqliteDatabase
from pitcanary.store.sql.store import Database, SqlStore
from pitcanary.store.sql.translate import translated

SQLITE = "sqlite"
POSTGRESQL = "postgresql+psycopg"


def open_store(address: str) -> Store:
    """Open a store, creating and migrating it as needed.

    Raises:
        StoreRefused: The address is not understood, its driver is missing, the
            schema is newer than this program, or (SQLite) another controller
            has the file.
        StoreUnavailable: The database cannot be reached.
    """
    url = _parsed(address)
    database = _sqlite(url) if url.drivername == SQLITE else _postgresql(url)
    try:
        with translated(), database.writing() as connection:
            migrate(connection)
            if url.drivername == SQLITE:
                # The file lock is ours, so whoever held a lease is dead.
                connection.execute(update(schema.leases).values(expires_us=0))
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        raise StoreRefused(
            "the store's address is not a URL; use `sqlite:///file.db` or"
            " `postgresql+psycopg://host/name`"
        ) from None
    if url.drivername not in {SQLITE, POSTGRESQL}:
        raise StoreRefused(
            f"a store of kind `{url.drivername}` is not supported; use `{SQLITE}` or `{POSTGRESQL}`"
        )
    return url


def _sqlite(url: URL) -> Database:
    if url.host or url.query:
        raise StoreRefused(
            f"`{url.render_as_string()}` has a host or options; a path takes three slashes"
            " (`sqlite:///file.db`) or four (`sqlite:////var/lib/file.db`)"
        )
    if not url.database or url.database == ":memory:":
        return SqliteDatabase(None, None)
    path = Path(url.database)
    if not path.parent.is_dir():
        raise StoreRefused(f"`{path.parent}` is not a folder; create it first")
    lock = FileLock(path)
    # The file holds the keys of the tokens; SQLite gives its journals the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return SqliteDatabase(path, lock)


def _postgresql(url: URL) -> Database:
    try:
        from pitcanary.store.sql.postgresql import PostgresqlDatabase  # noqa: PLC0415 - optional
    except ModuleNotFoundError:
        raise StoreRefused(
            "the PostgreSQL driver is missing; install `pitcanary[postgresql]`"
        ) from None
    return PostgresqlDatabase(url)
