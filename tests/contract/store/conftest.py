"""Every test that asks for `store` or `address` runs once per kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pitcanary.store import Store, open_store
from tests.contract.store.emptying import empty
from tests.contract.store.samples import NAMESPACE_SALT, SCOPE, Sample, make_sample
from tests.postgresql import PostgresqlServer


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "memory":
        return "sqlite://"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgresql_address"))


@pytest.fixture(params=["sqlite", "postgresql"])
def lasting_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As `address`, of the stores that outlive their process."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return str(request.getfixturevalue("postgresql_address"))


@pytest.fixture(scope="session")
def _migrated_address(postgresql_server: PostgresqlServer) -> str:
    postgresql_server.create("contract")
    address = postgresql_server.address("contract")
    open_store(address).close()
    return address


@pytest.fixture
def postgresql_address(_migrated_address: str) -> str:
    """The address of an empty store on PostgreSQL.

    One database, emptied for each test: making a new one takes a second.
    """
    empty(_migrated_address)
    return _migrated_address


@pytest.fixture(params=["sqlite", "postgresql"])
def untouched_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database in which nothing was made yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return server.address(request.getfixturevalue("postgresql_database"))


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    """An empty store."""
    store = open_store(address)
    yield store
    store.close()


@pytest.fixture
def environment(store: Store) -> int:
    """The id of the only environment."""
    with store.transaction() as tx:
        return tx.environments.ensure(SCOPE, NAMESPACE_SALT).id


@pytest.fixture
def sample(store: Store) -> Sample:
    """A prompt with two versions, a label and a rollout that holds it."""
    with store.transaction() as tx:
        return make_sample(tx)
