"""Rollouts, analysis generations and threshold sets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.errors import AlreadyExists, Conflict, NotFound
from pitcanary.store import Store
from pitcanary.store.interface import GenerationRow, NewThresholdSet, Scope, ThresholdSetRow
from tests.contract.store.samples import CHANGE, NOW, Sample, make_sample, new_rollout, update_of


def test_a_rollout_comes_back_as_it_was_given(store: Store, sample: Sample) -> None:
    given = new_rollout(sample.environment, sample.prompt)
    with store.read() as reader:
        row = reader.rollouts.get(sample.environment, sample.rollout)
        assert reader.rollouts.find(sample.environment, given.name) == row
        assert reader.rollouts.holding(sample.environment, sample.prompt, "production") == row
        assert reader.rollouts.active(sample.environment) == [row]
    assert (row.spec, row.state, row.salt) == (given.spec, given.state, given.salt)
    assert (row.id, row.revision, row.active) == (1, 1, True)
    assert (row.created, row.updated_at) == (CHANGE, NOW)


def test_a_change_raises_the_revision(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        before = tx.rollouts.get(sample.environment, sample.rollout)
        update = replace(update_of(before), spec=b'{"name":"changed"}')
        after = tx.rollouts.update(update)
    assert after == replace(
        before, revision=2, state=update.state, spec=b'{"name":"changed"}', updated_at=update.at
    )
    with store.read() as reader:
        assert reader.rollouts.get(sample.environment, sample.rollout) == after


def test_a_change_keeps_the_specification_unless_it_brings_one(
    store: Store, sample: Sample
) -> None:
    with store.transaction() as tx:
        before = tx.rollouts.get(sample.environment, sample.rollout)
        assert tx.rollouts.update(update_of(before)).spec == before.spec


@pytest.mark.parametrize("expected_revision", [0, 2])
def test_a_change_of_another_revision_is_a_conflict(
    store: Store, sample: Sample, expected_revision: int
) -> None:
    with store.transaction() as tx:
        before = tx.rollouts.get(sample.environment, sample.rollout)
        with pytest.raises(Conflict, match="revision `1`"):
            tx.rollouts.update(replace(update_of(before), expected_revision=expected_revision))
    with store.read() as reader:
        assert reader.rollouts.get(sample.environment, sample.rollout) == before


def test_a_name_is_taken_for_ever(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        row = tx.rollouts.get(sample.environment, sample.rollout)
        tx.rollouts.update(update_of(row, active=False))
        with pytest.raises(AlreadyExists, match="`support-reply-v2`"):
            tx.rollouts.create(new_rollout(sample.environment, sample.prompt))


def test_one_rollout_at_a_time_holds_a_label(store: Store, sample: Sample) -> None:
    next_one = new_rollout(sample.environment, sample.prompt, name="support-reply-v3")
    with store.transaction() as tx:
        with pytest.raises(Conflict, match="`support-reply-v2`"):
            tx.rollouts.create(next_one)
        first = tx.rollouts.get(sample.environment, sample.rollout)
        ended = tx.rollouts.update(update_of(first, active=False))
        second = tx.rollouts.create(next_one)
        with pytest.raises(Conflict, match="`support-reply-v3`"):
            tx.rollouts.update(update_of(ended))
    with store.read() as reader:
        assert reader.rollouts.active(sample.environment) == [second]
        assert reader.rollouts.list(sample.environment) == [second, ended]
        assert reader.rollouts.list(sample.environment, sample.prompt + 1) == []


def test_rollouts_of_other_labels_run_side_by_side(store: Store, sample: Sample) -> None:
    other = new_rollout(sample.environment, sample.prompt, name="other", label="staging")
    with store.transaction() as tx:
        assert tx.rollouts.create(other).id == sample.rollout + 1
    with store.read() as reader:
        assert len(reader.rollouts.active(sample.environment)) == 2


def test_environments_number_their_rollouts_on_their_own(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        staging = make_sample(tx, Scope("default", "staging"))
    assert staging.environment != sample.environment
    assert staging.rollout == sample.rollout
    with store.read() as reader:
        here = reader.rollouts.get(sample.environment, sample.rollout)
        there = reader.rollouts.get(staging.environment, staging.rollout)
    assert (here.prompt, there.prompt) == (sample.prompt, staging.prompt)


def test_unknown_rollouts_are_not_found(store: Store, sample: Sample) -> None:
    with store.transaction() as tx:
        row = tx.rollouts.get(sample.environment, sample.rollout)
        with pytest.raises(NotFound, match="`9`"):
            tx.rollouts.get(sample.environment, 9)
        with pytest.raises(NotFound, match="`9`"):
            tx.rollouts.lock(sample.environment, 9)
        with pytest.raises(NotFound, match="`9`"):
            tx.rollouts.update(replace(update_of(row), rollout=9))
        assert tx.rollouts.find(sample.environment, "nobody") is None
        assert tx.rollouts.holding(sample.environment, sample.prompt, "staging") is None


def test_a_generation_is_frozen(store: Store, sample: Sample) -> None:
    first = GenerationRow(sample.environment, sample.rollout, 1, b'{"metrics":[]}', NOW)
    second = replace(first, generation=2, plan=b"[]", created_at=NOW + timedelta(hours=1))
    with store.transaction() as tx:
        tx.generations.add(second)
        tx.generations.add(first)
        with pytest.raises(AlreadyExists, match="`2`"):
            tx.generations.add(replace(second, plan=b"{}"))
    with store.read() as reader:
        assert reader.generations.list(sample.environment, sample.rollout) == [first, second]
        assert reader.generations.get(sample.environment, sample.rollout, 2) == second
        with pytest.raises(NotFound, match="`3`"):
            reader.generations.get(sample.environment, sample.rollout, 3)


def test_threshold_sets_are_numbered_within_the_environment(store: Store, sample: Sample) -> None:
    given = [
        NewThresholdSet(
            environment=sample.environment,
            rollout=rollout,
            generation=1,
            metric=2,
            segment=0,
            buckets=(-3, 0, rollout),
            from_tick=4,
            created_at=NOW,
        )
        for rollout in (sample.rollout, 0)
    ]
    with store.transaction() as tx:
        rows = [tx.threshold_sets.add(each) for each in given]
    assert rows == [ThresholdSetRow(1, given[0]), ThresholdSetRow(2, given[1])]
    with store.read() as reader:
        assert reader.threshold_sets.list(sample.environment) == rows
        assert reader.threshold_sets.list(sample.environment, 0) == [rows[1]]
