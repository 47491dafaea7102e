"""PostgreSQL breaks off, and comes back."""

from __future__ import annotations

import pytest

from pitcanary.errors import StoreUnavailable
from pitcanary.store import open_store
from pitcanary.store.interface import FrameMark, Notice, Topic
from tests.contract.store.samples import NAMESPACE_SALT, NOW, SCOPE, source
from tests.postgresql import PostgresqlServer


def test_a_crash_of_the_server_loses_nothing_that_was_committed(
    postgresql_address: str, postgresql_server: PostgresqlServer
) -> None:
    store = open_store(postgresql_address)
    subscription = store.subscribe()
    assert subscription.get(20) == Notice(Topic.RESYNC)
    with store.transaction() as tx:
        environment = tx.environments.ensure(SCOPE, NAMESPACE_SALT).id
    pod = source(environment)

    def claim_while_it_crashes() -> None:
        with store.transaction() as tx:
            tx.marks.claim([FrameMark(pod, 2)], NOW)
            postgresql_server.stop()

    with store.transaction() as tx:
        tx.marks.claim([FrameMark(pod, 1)], NOW)
    try:
        with pytest.raises(StoreUnavailable):
            claim_while_it_crashes()
        for use in (store.read, store.transaction):
            with pytest.raises(StoreUnavailable), use():
                pass
        assert subscription.get(0.1) is None
    finally:
        postgresql_server.start()
    with store.read() as reader:
        assert reader.marks.committed_through(pod) == 1
    with store.transaction() as tx:
        assert len(tx.marks.claim([FrameMark(pod, 1), FrameMark(pod, 2)], NOW)) == 1
    assert subscription.get(20) == Notice(Topic.RESYNC)
    store.close()


def test_a_broken_connection_in_the_middle_of_a_unit_undoes_it(
    postgresql_address: str, postgresql_server: PostgresqlServer
) -> None:
    store = open_store(postgresql_address)
    with store.transaction() as tx:
        environment = tx.environments.ensure(SCOPE, NAMESPACE_SALT).id

    def raise_revision_and_break() -> None:
        with store.transaction() as tx:
            tx.environments.raise_revision(environment)
            postgresql_server.disconnect_all("contract")
            tx.environments.raise_revision(environment)

    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        raise_revision_and_break()
    with store.read() as reader:
        assert reader.environments.config_version(environment).revision == 0
    store.close()
