"""Wake-ups arrive after the commit, everywhere, or are announced as missed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitcanary.store import Store, open_store
from pitcanary.store.interface import NewMessage, Notice, Scope, Subscription, Topic
from pitcanary.store.sql.notices import decode, encode
from tests.contract.store.samples import NAMESPACE_SALT, NOW, SCOPE, Sample, update_of
from tests.postgresql import PostgresqlServer

WAIT = 20.0
RESYNC = Notice(Topic.RESYNC)


@pytest.fixture
def subscription(store: Store) -> Iterator[Subscription]:
    """A subscription that has already looked at everything."""
    subscription = store.subscribe()
    assert subscription.get(WAIT) == RESYNC
    yield subscription
    subscription.close()


def test_a_change_of_configuration_wakes(
    store: Store, environment: int, subscription: Subscription
) -> None:
    with store.transaction() as tx:
        tx.environments.raise_revision(environment)
    assert subscription.get(WAIT) == Notice(Topic.CONFIG, environment)
    assert subscription.get(0) is None


def test_a_change_that_fails_wakes_nobody(
    store: Store, environment: int, subscription: Subscription
) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.environments.raise_revision(environment)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with store.transaction() as tx:
        tx.notify(Notice(Topic.EVIDENCE, environment))
    assert subscription.get(WAIT) == Notice(Topic.EVIDENCE, environment)


def test_a_transaction_says_everything_once(
    store: Store, sample: Sample, subscription: Subscription
) -> None:
    environment = sample.environment
    with store.transaction() as tx:
        for _ in range(3):
            row = tx.rollouts.get(environment, sample.rollout)
            tx.rollouts.update(update_of(row))
            tx.outbox.put(NewMessage(environment, "advanced", b"{}"), NOW)
        tx.environments.raise_incarnation()
    said = [subscription.get(WAIT) for _ in range(3)]
    assert set(said) == {
        Notice(Topic.ROLLOUT, environment),
        Notice(Topic.OUTBOX, environment),
        Notice(Topic.CONFIG),
    }
    assert subscription.get(0) is None


def test_every_subscriber_is_woken(store: Store, environment: int) -> None:
    subscriptions = [store.subscribe() for _ in range(3)]
    assert [each.get(WAIT) for each in subscriptions] == [RESYNC] * 3
    with store.transaction() as tx:
        tx.environments.raise_revision(environment)
    assert [each.get(WAIT) for each in subscriptions] == [Notice(Topic.CONFIG, environment)] * 3
    for each in subscriptions:
        each.close()


def test_closing_ends_a_waiting_call(subscription: Subscription) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(subscription.get, 600.0)
        subscription.close()
        assert waiting.result(WAIT) is None
    subscription.close()
    assert subscription.get(WAIT) is None


def test_closing_the_store_ends_a_waiting_call(store: Store, subscription: Subscription) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(subscription.get, 600.0)
        store.close()
        assert waiting.result(WAIT) is None


def test_other_replicas_are_woken(postgresql_address: str) -> None:
    one, two = open_store(postgresql_address), open_store(postgresql_address)
    subscription = two.subscribe()
    assert subscription.get(WAIT) == RESYNC
    with one.transaction() as tx:
        environment = tx.environments.ensure(SCOPE, NAMESPACE_SALT).id
        tx.environments.raise_revision(environment)
    assert subscription.get(WAIT) == Notice(Topic.CONFIG, environment)
    one.close()
    two.close()


def test_a_lost_connection_is_told_as_a_resync(
    postgresql_address: str, postgresql_server: PostgresqlServer
) -> None:
    store = open_store(postgresql_address)
    subscription = store.subscribe()
    assert subscription.get(WAIT) == RESYNC
    postgresql_server.disconnect_all("contract")
    with store.transaction() as tx:
        environment = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
        tx.environments.raise_revision(environment)
    assert subscription.get(WAIT) == RESYNC
    with store.transaction() as tx:
        tx.environments.raise_revision(environment)
    assert subscription.get(WAIT) == Notice(Topic.CONFIG, environment)
    store.close()


@pytest.mark.parametrize("payload", ["", "config", "config x", "other 1", "\x00"])
def test_a_strange_payload_is_a_resync(payload: str) -> None:
    assert decode(payload) == RESYNC


@pytest.mark.parametrize("topic", Topic)
def test_a_notice_survives_the_wire(topic: Topic) -> None:
    assert decode(encode(Notice(topic, 17))) == Notice(topic, 17)
