"""Which stores are opened, created, migrated or refused."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import stat
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pitcanary.errors import StoreRefused, StoreUnavailable
from pitcanary.store import open_store
from pitcanary.store.migrate import newest
from pitcanary.store.sql.sqlite import SqliteDatabase
from tests.contract.store.samples import NAMESPACE_SALT, SCOPE
from tests.postgresql import PostgresqlServer


@pytest.mark.parametrize(
    ("address", "message"),
    [
        pytest.param("store.db", "not a URL", id="a path"),
        pytest.param("", "not a URL", id="nothing"),
        pytest.param("mysql://host/name", "`mysql` is not supported", id="another database"),
        pytest.param("postgresql+asyncpg://host/name", "not supported", id="another driver"),
        pytest.param("sqlite://store.db", "three slashes", id="two slashes"),
        pytest.param("sqlite:///store.db?mode=ro", "three slashes", id="options of SQLite"),
        pytest.param("sqlite:////nowhere/at/all/store.db", "not a folder", id="no such folder"),
    ],
)
def test_an_address_that_is_not_understood_is_refused(address: str, message: str) -> None:
    with pytest.raises(StoreRefused, match=message):
        open_store(address)


def test_a_refusal_does_not_show_a_password() -> None:
    with pytest.raises(StoreRefused) as refusal:
        open_store("sqlite://user:hunter2@host/name?x=1")
    assert "hunter2" not in str(refusal.value)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        open_store(f"postgresql+psycopg://postgres@/name?host={tmp_path}")


def test_a_database_that_is_not_there_is_unavailable(postgresql_server: PostgresqlServer) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        open_store(postgresql_server.address("nobody_made_this"))


def test_a_store_of_a_later_program_is_refused_and_left_alone(lasting_address: str) -> None:
    open_store(lasting_address).close()
    engine = create_engine(lasting_address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        StoreRefused, match=f"`9999`, which is newer than this program's `{newest()}`"
    ):
        open_store(lasting_address)
    with engine.begin() as connection:
        assert (
            connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
        )
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": newest()})
    engine.dispose()
    open_store(lasting_address).close()


def test_a_migration_that_fails_leaves_nothing(untouched_address: str) -> None:
    """The last step finds its table taken; the steps before it are undone."""
    engine = create_engine(untouched_address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE outbox (id INTEGER)"))
    with pytest.raises(Exception, match=r"outbox.* already exists"):
        open_store(untouched_address)
    with engine.begin() as connection:
        assert not connection.dialect.has_table(connection, "prompts")
        assert not connection.dialect.has_table(connection, "alembic_version")
        connection.execute(text("DROP TABLE outbox"))
    engine.dispose()
    open_store(untouched_address).close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    finally:
        os.umask(before)
    with store.transaction() as tx:
        tx.environments.ensure(SCOPE, NAMESPACE_SALT)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()
    assert modes.keys() >= {"store.db", "store.db-wal", "store.db.lock"}
    assert set(modes.values()) == {0o600}


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "store.db", None)
    with database.reading() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    full = 2
    assert settings == {
        "journal_mode": "wal",
        "synchronous": full,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def hold(address: str, opened: Connection) -> None:
    """Opens a store and keeps it until it is killed."""
    store = open_store(address)
    with store.transaction() as tx:
        tx.leases.acquire("leader", "the one before", 3600)
    opened.send(os.getpid())
    opened.recv()


def test_a_file_has_one_controller_until_that_is_dead(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'store.db'}"
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=hold, args=(address, theirs))
    process.start()
    try:
        holder = ours.recv()
        with pytest.raises(StoreRefused, match=f"in use .* `{holder}`; stop it first"):
            open_store(address)
    finally:
        process.kill()
        process.join()
        process.close()
    store = open_store(address)
    # The dead process's lease would have lasted an hour.
    with store.transaction() as tx:
        lease = tx.leases.acquire("leader", "the next one", 60)
    assert lease is not None
    assert lease.fence == 2
    store.close()


def test_two_stores_on_one_server_are_one(postgresql_address: str) -> None:
    one, two = open_store(postgresql_address), open_store(postgresql_address)
    with one.transaction() as tx:
        made = tx.environments.ensure(SCOPE, NAMESPACE_SALT)
    with two.read() as reader:
        assert reader.environments.find(SCOPE) == made
    one.close()
    two.close()


def test_a_transaction_has_the_writer_s_place_from_its_first_moment(tmp_path: Path) -> None:
    """An operator's client cannot write between what a unit reads and what it writes."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with contextlib.closing(sqlite3.connect(tmp_path / "store.db", timeout=0)) as outsider:
        with store.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
            outsider.execute("BEGIN IMMEDIATE")
        outsider.execute("BEGIN IMMEDIATE")
        outsider.rollback()
    store.close()
