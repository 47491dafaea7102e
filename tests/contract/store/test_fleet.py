"""Sidecars, token keys and leases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.errors import Conflict, NotFound
from pitcanary.store import Store
from pitcanary.store.interface import ConfigVersion, SidecarHello, SidecarRow
from tests.contract.store.samples import NOW

LATER = NOW + timedelta(minutes=1)


def hello(environment: int, sidecar_id: str = "pod-0") -> SidecarHello:
    return SidecarHello(
        environment=environment,
        sidecar_id=sidecar_id,
        boot_id=bytes(16),
        build="0.1.0",
        capabilities=("jinja", "chat"),
        replica="replica-1",
        serving=None,
    )


def only(store: Store, environment: int) -> SidecarRow:
    with store.read() as reader:
        (row,) = reader.sidecars.list(environment)
    return row


def test_a_sidecar_is_known_by_its_last_hello(store: Store, environment: int) -> None:
    first = hello(environment)
    second = replace(
        first, boot_id=b"\1" * 16, build="0.2.0", replica="replica-2", serving=ConfigVersion(1, 7)
    )
    with store.transaction() as tx:
        tx.sidecars.hello(first, NOW)
    assert only(store, environment) == SidecarRow(first, NOW, None, None, None, "")
    with store.transaction() as tx:
        tx.sidecars.hello(second, LATER)
    assert only(store, environment) == SidecarRow(
        second, LATER, ConfigVersion(1, 7), LATER, None, ""
    )


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        pytest.param(ConfigVersion(1, 4), ConfigVersion(1, 5), id="an older revision"),
        pytest.param(ConfigVersion(1, 6), ConfigVersion(1, 6), id="a newer revision"),
        pytest.param(ConfigVersion(2, 1), ConfigVersion(2, 1), id="a newer incarnation"),
        pytest.param(ConfigVersion(0, 9), ConfigVersion(1, 5), id="an older incarnation"),
    ],
)
def test_the_highest_acknowledgement_counts(
    store: Store, environment: int, second: ConfigVersion, kept: ConfigVersion
) -> None:
    with store.transaction() as tx:
        tx.sidecars.hello(hello(environment), NOW)
        tx.sidecars.acknowledge(environment, "pod-0", ConfigVersion(1, 5), NOW)
        tx.sidecars.acknowledge(environment, "pod-0", second, LATER)
    assert only(store, environment).acknowledged == kept


def test_a_refusal_stays_until_something_as_new_is_acknowledged(
    store: Store, environment: int
) -> None:
    refused = ConfigVersion(1, 5)
    with store.transaction() as tx:
        tx.sidecars.hello(hello(environment), NOW)
        tx.sidecars.refuse(environment, "pod-0", refused, "unknown capability", NOW)
        tx.sidecars.acknowledge(environment, "pod-0", ConfigVersion(1, 4), LATER)
    row = only(store, environment)
    assert (row.refused, row.refusal) == (refused, "unknown capability")
    with store.transaction() as tx:
        tx.sidecars.acknowledge(environment, "pod-0", ConfigVersion(1, 6), LATER)
    row = only(store, environment)
    assert (row.refused, row.refusal) == (None, "")


def test_a_sidecar_that_moved_is_not_disconnected_by_its_old_replica(
    store: Store, environment: int
) -> None:
    with store.transaction() as tx:
        tx.sidecars.hello(hello(environment), NOW)
        tx.sidecars.hello(replace(hello(environment), replica="replica-2"), NOW)
        tx.sidecars.disconnected(environment, "pod-0", "replica-1")
    assert only(store, environment).hello.replica == "replica-2"
    with store.transaction() as tx:
        tx.sidecars.disconnected(environment, "pod-0", "replica-2")
    assert only(store, environment).hello.replica == ""


def test_a_replica_that_stops_takes_its_connections_along(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        for index in range(3):
            given = replace(hello(environment, f"pod-{index}"), replica=f"replica-{index % 2}")
            tx.sidecars.hello(given, NOW)
        tx.sidecars.replica_stopped("replica-0")
    with store.read() as reader:
        replicas = [row.hello.replica for row in reader.sidecars.list(environment)]
    assert replicas == ["", "replica-1", ""]


def test_only_silent_and_disconnected_sidecars_are_forgotten(
    store: Store, environment: int
) -> None:
    with store.transaction() as tx:
        for name in ("connected", "heard", "gone"):
            tx.sidecars.hello(hello(environment, name), NOW)
        tx.sidecars.disconnected(environment, "heard", "replica-1")
        tx.sidecars.disconnected(environment, "gone", "replica-1")
        tx.sidecars.seen(environment, ["heard", "nobody"], LATER)
        assert tx.sidecars.forget(LATER) == 1
    with store.read() as reader:
        rows = reader.sidecars.list(environment)
    assert [(row.hello.sidecar_id, row.seen_at) for row in rows] == [
        ("connected", NOW),
        ("heard", LATER),
    ]


def test_token_keys_are_numbered_around(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        for index in range(256):
            row = tx.token_keys.add(environment, bytes([index]) * 32, NOW + timedelta(days=index))
            assert row.key_id == index
        with pytest.raises(Conflict, match="256"):
            tx.token_keys.add(environment, bytes(32), NOW)
        tx.token_keys.delete(environment, 0)
        tx.token_keys.delete(environment, 7)
        again = tx.token_keys.add(environment, bytes(32), NOW + timedelta(days=256))
        assert again.key_id == 0
        assert tx.token_keys.add(environment, bytes(32), NOW + timedelta(days=257)).key_id == 7
    with store.read() as reader:
        keys = reader.token_keys.list(environment)
    assert [key.key_id for key in keys] == [*range(1, 7), *range(8, 256), 0, 7]


def test_a_retired_key_stays_known(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        added = tx.token_keys.add(environment, b"\xff" * 32, NOW)
        tx.token_keys.retire(environment, added.key_id, LATER)
        with pytest.raises(NotFound, match="`9`"):
            tx.token_keys.retire(environment, 9, LATER)
        with pytest.raises(NotFound, match="`9`"):
            tx.token_keys.delete(environment, 9)
    with store.read() as reader:
        assert reader.token_keys.list(environment) == [replace(added, retired_at=LATER)]


def test_a_key_does_not_show_its_secret(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        key = tx.token_keys.add(environment, b"very secret bytes", NOW)
    assert "very secret" not in repr(key)


def test_one_replica_at_a_time_holds_a_lease(store: Store) -> None:
    with store.transaction() as tx:
        lease = tx.leases.acquire("leader", "replica-1", 60)
        assert lease is not None
        assert lease.fence == 1
    with store.transaction() as tx:
        assert tx.leases.acquire("leader", "replica-2", 60) is None
        assert tx.leases.holder("leader") == lease
        assert tx.leases.acquire("other", "replica-2", 60) is not None
        tx.leases.renew(lease, 60)
        tx.leases.check(lease)


def test_every_acquisition_raises_the_fence(store: Store) -> None:
    fences = []
    for holder, seconds in (
        ("replica-1", 60),
        ("replica-1", 0),
        ("replica-2", 0),
        ("replica-1", 60),
    ):
        with store.transaction() as tx:
            lease = tx.leases.acquire("leader", holder, seconds)
        assert lease is not None
        fences.append(lease.fence)
    assert fences == [1, 2, 3, 4]


def test_an_expired_lease_is_dead(store: Store) -> None:
    with store.transaction() as tx:
        lease = tx.leases.acquire("leader", "replica-1", 0)
    assert lease is not None
    with store.transaction() as tx:
        assert tx.leases.holder("leader") is None
        with pytest.raises(Conflict, match="no longer held"):
            tx.leases.renew(lease, 60)
        with pytest.raises(Conflict, match="no longer held"):
            tx.leases.check(lease)


def test_an_older_lease_of_the_same_holder_is_dead(store: Store) -> None:
    with store.transaction() as tx:
        old = tx.leases.acquire("leader", "replica-1", 60)
        new = tx.leases.acquire("leader", "replica-1", 60)
        assert old is not None
        assert new is not None
        with pytest.raises(Conflict):
            tx.leases.check(old)
        tx.leases.release(old)
        tx.leases.check(new)
        tx.leases.release(new)
        assert tx.leases.holder("leader") is None
        assert tx.leases.acquire("leader", "replica-2", 60) is not None
