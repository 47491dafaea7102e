"""Decisions: one compare-and-set with their record, in one chain per environment."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson
import pytest

from pitcanary.errors import Conflict, NotFound
from pitcanary.store import Store
from pitcanary.store.interface import ChainHead, Scope
from tests.contract.store.samples import (
    Sample,
    decide,
    make_sample,
    note_of,
    record_of,
    update_of,
)

ZEROS = f"sha256:{'0' * 64}"


def test_a_decision_changes_the_rollout_and_is_recorded(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        before = tx.rollouts.get(sample.environment, sample.rollout)
        update = update_of(before)
        head = tx.decisions.head(sample.environment)
        record = record_of(update, head)
        decision, after = tx.decisions.decide(record, update, None)
    assert head == ChainHead(0, ZEROS)
    assert (after.revision, after.state) == (2, update.state)
    assert (decision.record, decision.previous_hash) == (record, ZEROS)
    assert decision.hash == f"sha256:{hashlib.sha256(record).hexdigest()}"
    assert (decision.id, decision.action, decision.decided_at) == ("1-2", "advance", update.at)
    with store.read() as reader:
        assert reader.decisions.get(sample.environment, "1-2") == decision
        assert reader.rollouts.get(sample.environment, sample.rollout) == after
        assert reader.decisions.head(sample.environment) == ChainHead(1, decision.hash)


def test_each_record_contains_the_hash_of_the_one_before(store: Store, sample: Sample) -> None:
    hashes = [ZEROS]
    for index in range(4):
        with store.transaction() as tx:
            row = tx.rollouts.get(sample.environment, sample.rollout)
            decision, _ = decide(tx, row, note=str(index))
        assert orjson.loads(decision.record)["previous_hash"] == hashes[-1]
        hashes.append(decision.hash)
    with store.read() as reader:
        rows = list(reader.decisions.chain(sample.environment))
        assert [row.hash for row in rows] == hashes[1:]
        assert [row.position for row in rows] == [1, 2, 3, 4]
        later = reader.decisions.chain(sample.environment, after=2)
        assert [row.position for row in later] == [3, 4]


def test_several_decisions_of_one_transaction_are_one_chain(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        row = tx.rollouts.get(sample.environment, sample.rollout)
        first, row = decide(tx, row)
        second, row = decide(tx, row)
    assert second.previous_hash == first.hash
    assert row.revision == 3


def test_lists_are_newest_first(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        row = tx.rollouts.get(sample.environment, sample.rollout)
        for index in range(4):
            _, row = decide(tx, row, note=str(index))
    with store.read() as reader:
        decisions = reader.decisions
        newest = decisions.list(sample.environment, limit=2)
        older = decisions.list(sample.environment, sample.rollout, before=newest[-1].position)
        assert [note_of(each) for each in newest] == ["3", "2"]
        assert [note_of(each) for each in older] == ["1", "0"]
        assert decisions.list(sample.environment, sample.rollout + 1) == []


def test_environments_have_their_own_chains(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        staging = make_sample(tx, Scope("default", "staging"))
        for each in (sample, staging):
            row = tx.rollouts.get(each.environment, each.rollout)
            decision, _ = decide(tx, row)
            assert (decision.position, decision.previous_hash) == (1, ZEROS)


def test_a_decision_about_an_old_revision_leaves_nothing(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        seen = tx.rollouts.get(sample.environment, sample.rollout)
        _, after = decide(tx, seen)
    with store.transaction() as tx, pytest.raises(Conflict, match="revision `2`"):
        decide(tx, seen)
    with store.read() as reader:
        assert reader.rollouts.get(sample.environment, sample.rollout) == after
        assert reader.decisions.head(sample.environment).position == 1


def test_a_record_that_follows_another_head_is_a_conflict(store: Store, sample: Sample) -> None:
    with store.read() as reader:
        row = reader.rollouts.get(sample.environment, sample.rollout)
        stale = reader.decisions.head(sample.environment)
    with store.transaction() as tx:
        _, row = decide(tx, row)

    def decide_on_the_stale_head() -> None:
        with store.transaction() as tx:
            update = update_of(row)
            tx.decisions.decide(record_of(update, stale), update, None)

    with pytest.raises(Conflict, match="does not follow"):
        decide_on_the_stale_head()
    with store.read() as reader:
        assert reader.rollouts.get(sample.environment, sample.rollout) == row


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"rollout_id": 2}, id="another rollout"),
        pytest.param({"after": {"revision": 3}}, id="another revision"),
        pytest.param({"after": None}, id="no revision"),
        pytest.param({"rule": 1}, id="a rule that is no text"),
        pytest.param({"decided_at": "yesterday"}, id="a time that is none"),
    ],
)
def test_a_record_must_be_about_the_update(
    store: Store, sample: Sample, forged: dict[str, object]
) -> None:
    def decide_forged() -> None:
        with store.transaction() as tx:
            update = update_of(tx.rollouts.get(sample.environment, sample.rollout))
            record = orjson.loads(record_of(update, tx.decisions.head(sample.environment)))
            tx.decisions.decide(orjson.dumps({**record, **forged}), update, None)

    with pytest.raises(ValueError, match=r"rollout|needs|isoformat"):
        decide_forged()
    with store.read() as reader:
        assert reader.decisions.head(sample.environment).position == 0
        assert reader.rollouts.get(sample.environment, sample.rollout).revision == 1


def test_a_leader_decides_under_its_fence(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        lease = tx.leases.acquire("leader", "replica-1", 60)
    assert lease is not None
    with store.transaction() as tx:
        row = tx.rollouts.get(sample.environment, sample.rollout)
        decision, _ = decide(tx, row, lease)
    assert decision.leader_fence == lease.fence == 1


def test_a_leader_that_was_replaced_decides_nothing(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        old = tx.leases.acquire("leader", "replica-1", 0)
    with store.transaction() as tx:
        new = tx.leases.acquire("leader", "replica-2", 60)
    assert old is not None
    assert new is not None

    def decide_as_old_leader() -> None:
        with store.transaction() as tx:
            decide(tx, tx.rollouts.get(sample.environment, sample.rollout), old)

    with pytest.raises(Conflict, match="`replica-1`"):
        decide_as_old_leader()
    with store.transaction() as tx:
        decide(tx, tx.rollouts.get(sample.environment, sample.rollout), new)
    with store.read() as reader:
        rows = list(reader.decisions.chain(sample.environment))
    assert [row.leader_fence for row in rows] == [2]


def test_a_person_needs_no_lease(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        tx.leases.acquire("leader", "replica-1", 60)
    with store.transaction() as tx:
        decision, _ = decide(tx, tx.rollouts.lock(sample.environment, sample.rollout))
    assert decision.leader_fence == 0


def test_unknown_decisions_are_not_found(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        with pytest.raises(NotFound, match="`1-9`"):
            tx.decisions.get(sample.environment, "1-9")
        with pytest.raises(NotFound, match="`9`"):
            tx.decisions.head(9)
        row = replace(tx.rollouts.get(sample.environment, sample.rollout), id=9)
        with pytest.raises(NotFound, match="`9`"):
            decide(tx, row)
