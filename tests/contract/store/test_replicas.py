"""Several writers at once: threads on one store, replicas on one PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta

import pytest

from pitcanary.errors import Conflict, PitcanaryError
from pitcanary.store import Store, Transaction, open_store
from pitcanary.store.audit import audit
from pitcanary.store.interface import (
    FrameMark,
    IdempotencyKey,
    NewEvidence,
    NewMessage,
    RolloutRow,
    Scope,
    Seal,
)
from tests.contract.store.samples import (
    CHANGE,
    NAMESPACE_SALT,
    NOW,
    Sample,
    decide,
    make_sample,
    source,
)

WRITERS = 4


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def replicas(request: pytest.FixtureRequest) -> Iterator[list[Store]]:
    """One store per writer; where only one process may have it, the same one."""
    if request.param == "postgresql":
        address = str(request.getfixturevalue("postgresql_address"))
        stores = [open_store(address) for _ in range(WRITERS)]
    else:
        tmp_path = request.getfixturevalue("tmp_path")
        address = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/store.db"
        stores = [open_store(address)] * WRITERS
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def made(replicas: list[Store]) -> Sample:
    with replicas[0].transaction() as tx:
        return make_sample(tx)


def together(replicas: list[Store], work: Callable[[int, Store], object]) -> list[object]:
    """Runs the same work on every replica at once; gives results or errors."""
    start = threading.Barrier(len(replicas))

    def run(number: int, store: Store) -> object:
        start.wait()
        try:
            return work(number, store)
        except PitcanaryError as error:
            return error

    with ThreadPoolExecutor(len(replicas)) as pool:
        return list(pool.map(run, range(len(replicas)), replicas))


def test_one_of_several_decisions_wins(replicas: list[Store], made: Sample) -> None:
    for round_number in range(10):
        with replicas[0].read() as reader:
            seen = reader.rollouts.get(made.environment, made.rollout)

        def work(number: int, store: Store, seen: RolloutRow = seen) -> object:
            with store.transaction() as tx:
                return decide(tx, seen, note=f"replica {number}")

        results = together(replicas, work)
        lost = [result for result in results if isinstance(result, Conflict)]
        assert len(lost) == WRITERS - 1, results
        with replicas[0].read() as reader:
            now = reader.rollouts.get(made.environment, made.rollout)
            found = audit(reader, made.environment)
        assert now.revision == seen.revision + 1
        assert (found.decisions, found.faults) == (round_number + 1, ())


def test_a_person_and_the_leader_never_overwrite_each_other(
    replicas: list[Store], made: Sample
) -> None:
    """People lock and retry nothing; the leader decides on what it has read."""
    with replicas[0].transaction() as tx:
        lease = tx.leases.acquire("leader", "replica-0", 600)

    def work(number: int, store: Store) -> object:
        done = 0
        for _ in range(10):
            try:
                with store.transaction() as tx:
                    if number == 0:
                        row = tx.rollouts.get(made.environment, made.rollout)
                        decide(tx, row, lease)
                    else:
                        decide(tx, tx.rollouts.lock(made.environment, made.rollout))
                done += 1
            except Conflict:
                assert number == 0, "a person who has locked the rollout cannot lose"
        return done

    results = together(replicas, work)
    assert results[1:] == [10] * (WRITERS - 1)
    decided = sum(int(str(result)) for result in results)
    with replicas[0].read() as reader:
        assert reader.rollouts.get(made.environment, made.rollout).revision == 1 + decided
        found = audit(reader, made.environment)
    assert (found.decisions, found.faults) == (decided, ())


def test_a_frame_sent_to_every_replica_counts_once(replicas: list[Store], made: Sample) -> None:
    pods = [source(made.environment, f"pod-{index}") for index in range(20)]

    def work(number: int, store: Store) -> object:
        claimed: Counter[tuple[str, int]] = Counter()
        for seq in range(1, 6):
            with store.transaction() as tx:
                group = pods if number % 2 else list(reversed(pods))
                fresh = tx.marks.claim([FrameMark(pod, seq) for pod in group], NOW)
                rows = [
                    NewEvidence(made.environment, 1, f"{f.source.sidecar_id}/{f.seq}".encode())
                    for f in fresh
                ]
                tx.evidence.append(rows)
            claimed.update((frame.source.sidecar_id, frame.seq) for frame in fresh)
        return claimed

    results = together(replicas, work)
    total: Counter[object] = Counter()
    for result in results:
        assert isinstance(result, Counter), result
        total.update(result)
    expected = {(pod.sidecar_id, seq) for pod in pods for seq in range(1, 6)}
    assert total == dict.fromkeys(expected, 1)
    with replicas[0].read() as reader:
        counted = [row.evidence for row in reader.evidence.open(made.environment, 1)]
    assert sorted(counted) == sorted(f"{name}/{seq}".encode() for name, seq in expected)


def seal_open(tx: Transaction, environment: int) -> None:
    rows = tx.evidence.open(environment, 1)
    tx.evidence.seal(
        Seal(
            environment=environment,
            rollout=1,
            tick=tx.evidence.last_tick(environment, 1) + 1,
            sealed_at=NOW,
            evidence=b"".join(row.evidence for row in rows),
            taken=tuple(row.id for row in rows),
        )
    )


def test_evidence_is_sealed_once_while_more_arrives(replicas: list[Store], made: Sample) -> None:
    rounds = 15

    def work(number: int, store: Store) -> object:
        for index in range(rounds):
            try:
                with store.transaction() as tx:
                    if number < 2:
                        evidence = f"{number}.{index};".encode()
                        tx.evidence.append([NewEvidence(made.environment, 1, evidence)])
                    else:
                        seal_open(tx, made.environment)
            except Conflict:
                assert number >= 2
        return None

    assert together(replicas, work) == [None] * WRITERS
    with replicas[0].read() as reader:
        sealed = list(reader.evidence.sealed(made.environment, 1))
        waiting = reader.evidence.open(made.environment, 1)
    parts = b"".join([row.evidence for row in sealed] + [row.evidence for row in waiting])
    names = [name for name in parts.decode().split(";") if name]
    assert sorted(names) == sorted(f"{n}.{i}" for n in range(2) for i in range(rounds))
    assert [row.tick for row in sealed] == list(range(1, len(sealed) + 1))


def test_a_key_answers_one_of_several_calls(replicas: list[Store], made: Sample) -> None:
    key = IdempotencyKey(made.environment, "push-1", b"digest")

    def work(number: int, store: Store) -> object:
        with store.transaction() as tx:
            answer = tx.idempotency.answer(key)
            if answer is None:
                answer = str(number).encode()
                tx.idempotency.remember(key, answer, NOW)
            return answer

    results = together(replicas, work)
    with replicas[0].read() as reader:
        first = reader.idempotency.answer(key)
    answers = [result for result in results if not isinstance(result, Conflict)]
    assert answers
    assert set(answers) == {first}


def test_one_replica_becomes_leader(replicas: list[Store], made: Sample) -> None:
    def work(number: int, store: Store) -> object:
        with store.transaction() as tx:
            return tx.leases.acquire("leader", f"replica-{number}", 600)

    results = together(replicas, work)
    assert len([result for result in results if result is not None]) == 1
    with replicas[0].read() as reader:
        assert reader.leases.holder("leader") in results
    assert made.rollout


def test_a_lease_cannot_be_taken_while_its_holder_commits(
    postgresql_address: str,
) -> None:
    """A leader that was checked finishes its transaction before another can lead."""
    one, two = open_store(postgresql_address), open_store(postgresql_address)
    order: list[str] = []
    with one.transaction() as tx:
        lease = tx.leases.acquire("leader", "replica-1", 600)
    assert lease is not None
    with ThreadPoolExecutor(1) as pool:
        with one.transaction() as tx:
            tx.leases.check(lease)

            def take_over() -> None:
                with two.transaction() as other:
                    other.leases.acquire("leader", "replica-1", 600)
                    order.append("taken")

            taken = pool.submit(take_over)
            with pytest.raises(NotYet):
                taken.result(timeout=0.5)
            order.append("committed")
        taken.result(timeout=30)
    assert order == ["committed", "taken"]
    one.close()
    two.close()


def test_units_that_block_each_other_are_told_to_try_again(postgresql_address: str) -> None:
    """Locking against the order is a mistake, and must not hang a replica."""
    stores = [open_store(postgresql_address) for _ in range(2)]
    with stores[0].transaction() as tx:
        ids = [
            tx.environments.ensure(Scope("default", name), NAMESPACE_SALT).id
            for name in ("production", "staging")
        ]
    both_locked = threading.Barrier(2)

    def work(number: int, store: Store) -> object:
        with store.transaction() as tx:
            tx.environments.lock(ids[number])
            both_locked.wait(timeout=30)
            tx.environments.lock(ids[1 - number])
        return "committed"

    results = together(stores, work)
    assert results.count("committed") == 1
    (lost,) = (result for result in results if isinstance(result, Conflict))
    assert "try again" in str(lost)
    for store in stores:
        store.close()


def test_a_message_is_claimed_by_one_sender(replicas: list[Store], made: Sample) -> None:
    with replicas[0].transaction() as tx:
        for index in range(40):
            tx.outbox.put(NewMessage(made.environment, "paused", str(index).encode()), NOW)

    def work(number: int, store: Store) -> object:
        assert number >= 0
        with store.transaction() as tx:
            rows = tx.outbox.claim(NOW, NOW + timedelta(hours=1), limit=10)
            return [row.id for row in rows]

    claimed = [number for result in together(replicas, work) for number in list_of(result)]
    assert len(claimed) == len(set(claimed)) == 40


def list_of(result: object) -> list[int]:
    assert isinstance(result, list), result
    return result


def test_versions_pushed_at_once_are_numbered_without_gaps(
    replicas: list[Store], made: Sample
) -> None:
    def work(number: int, store: Store) -> object:
        for index in range(5):
            with store.transaction() as tx:
                tx.versions.push(
                    made.environment, made.prompt, f"sha256:{number}.{index}", b"text", CHANGE
                )
                tx.environments.raise_revision(made.environment)
        return None

    assert together(replicas, work) == [None] * WRITERS
    with replicas[0].read() as reader:
        rows = reader.versions.list(made.environment, made.prompt)
        revision = reader.environments.config_version(made.environment).revision
    assert [row.number for row in rows] == list(range(2 + 5 * WRITERS, 0, -1))
    assert revision == 5 * WRITERS


def test_a_view_does_not_change_while_it_is_open(lasting_address: str) -> None:
    store = open_store(lasting_address)
    with store.transaction() as tx:
        made = make_sample(tx)

    def change() -> None:
        with store.transaction() as tx:
            decide(tx, tx.rollouts.get(made.environment, made.rollout))

    with store.read() as reader:
        before = reader.rollouts.get(made.environment, made.rollout)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(change).result()
        assert reader.rollouts.get(made.environment, made.rollout) == before
        assert reader.decisions.head(made.environment).position == 0
    with store.read() as reader:
        assert reader.decisions.head(made.environment).position == 1
    store.close()
