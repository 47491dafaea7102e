"""Open and sealed evidence, and the states folded from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pitcanary.errors import Conflict
from pitcanary.store import Store, Transaction
from pitcanary.store.interface import (
    NewEvidence,
    OpenCount,
    Scope,
    Seal,
    SealedRow,
    StateKey,
    StateKind,
    StateRow,
)
from tests.contract.store.samples import NAMESPACE_SALT, NOW


def append(store: Store, environment: int, *evidence: bytes, rollout: int = 1) -> None:
    with store.transaction() as tx:
        tx.evidence.append([NewEvidence(environment, rollout, each) for each in evidence])


def seal_open(tx: Transaction, environment: int, rollout: int = 1) -> Seal:
    """Seals everything open, joined as the extension would merge it."""
    rows = tx.evidence.open(environment, rollout)
    seal = Seal(
        environment=environment,
        rollout=rollout,
        tick=tx.evidence.last_tick(environment, rollout) + 1,
        sealed_at=NOW,
        evidence=b"".join(row.evidence for row in rows),
        taken=tuple(row.id for row in rows),
    )
    tx.evidence.seal(seal)
    return seal


def test_open_evidence_comes_back_in_order(store: Store, environment: int) -> None:
    append(store, environment, b"a", b"b")
    append(store, environment, b"\0\xff" * 1000)
    append(store, environment, b"none", rollout=0)
    with store.read() as reader:
        rows = reader.evidence.open(environment, 1)
        assert [row.evidence for row in rows] == [b"a", b"b", b"\0\xff" * 1000]
        assert reader.evidence.waiting() == [
            OpenCount(environment, 0, 1),
            OpenCount(environment, 1, 3),
        ]


def test_nothing_to_append_is_fine(store: Store, environment: int) -> None:
    append(store, environment)
    with store.read() as reader:
        assert reader.evidence.waiting() == []


def test_a_seal_replaces_what_was_open(store: Store, environment: int) -> None:
    append(store, environment, b"a", b"b")
    with store.transaction() as tx:
        seal = seal_open(tx, environment)
    append(store, environment, b"c" * 100_000)
    with store.transaction() as tx:
        later = replace(seal, tick=2)
        assert seal_open(tx, environment).tick == later.tick
    with store.read() as reader:
        assert reader.evidence.open(environment, 1) == []
        assert reader.evidence.last_tick(environment, 1) == 2
        sealed = list(reader.evidence.sealed(environment, 1))
        assert sealed == [SealedRow(1, NOW, b"ab"), SealedRow(2, NOW, b"c" * 100_000)]
        assert list(reader.evidence.sealed(environment, 1, after=1)) == sealed[1:]


def test_a_seal_takes_only_what_it_read(store: Store, environment: int) -> None:
    append(store, environment, b"a", b"b")
    with store.transaction() as tx:
        first = tx.evidence.open(environment, 1)[0]
        tx.evidence.seal(Seal(environment, 1, 1, NOW, first.evidence, (first.id,)))
    with store.read() as reader:
        assert [row.evidence for row in reader.evidence.open(environment, 1)] == [b"b"]


def test_a_seal_may_take_thousands_of_rows(store: Store, environment: int) -> None:
    append(store, environment, *(b"x" for _ in range(2_500)))
    with store.transaction() as tx:
        seal_open(tx, environment)
    with store.read() as reader:
        assert reader.evidence.waiting() == []
        assert next(reader.evidence.sealed(environment, 1)).evidence == b"x" * 2_500


def test_ids_are_never_used_again(store: Store, environment: int) -> None:
    append(store, environment, b"a")
    with store.transaction() as tx:
        taken = seal_open(tx, environment).taken
    append(store, environment, b"b")
    with store.read() as reader:
        assert reader.evidence.open(environment, 1)[0].id > max(taken)


@pytest.mark.parametrize("tick", [1, 3])
def test_only_the_next_tick_can_be_sealed(store: Store, environment: int, tick: int) -> None:
    append(store, environment, b"a")
    with store.transaction() as tx:
        seal = seal_open(tx, environment)
    with store.transaction() as tx, pytest.raises(Conflict, match=f"tick `{tick}`"):
        tx.evidence.seal(replace(seal, tick=tick, taken=()))


def test_a_row_is_sealed_once(store: Store, environment: int) -> None:
    append(store, environment, b"a")
    with store.transaction() as tx:
        seal = seal_open(tx, environment)

    def seal_again() -> None:
        with store.transaction() as tx:
            tx.evidence.seal(replace(seal, tick=2))

    with pytest.raises(Conflict, match="sealed by another"):
        seal_again()
    with store.read() as reader:
        assert reader.evidence.last_tick(environment, 1) == 1


def test_rollouts_and_environments_seal_on_their_own(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        other = tx.environments.ensure(Scope("default", "staging"), NAMESPACE_SALT).id
    for where, rollout in ((environment, 1), (environment, 2), (other, 1)):
        append(store, where, f"{where}.{rollout}".encode(), rollout=rollout)
    with store.transaction() as tx:
        seal_open(tx, environment)
    with store.read() as reader:
        assert reader.evidence.waiting() == [OpenCount(environment, 2, 1), OpenCount(other, 1, 1)]
        assert reader.evidence.last_tick(other, 1) == 0


def test_many_seals_are_read_in_order(store: Store, environment: int) -> None:
    with store.transaction() as tx:
        for tick in range(1, 201):
            at = NOW + timedelta(seconds=tick)
            tx.evidence.seal(Seal(environment, 1, tick, at, str(tick).encode(), ()))
    with store.read() as reader:
        rows = list(reader.evidence.sealed(environment, 1))
    assert [int(row.evidence) for row in rows] == [row.tick for row in rows] == [*range(1, 201)]
    assert rows[-1].sealed_at == NOW + timedelta(seconds=200)


def test_a_state_is_replaced_by_a_later_one_only(store: Store, environment: int) -> None:
    key = StateKey(environment, 1, 1, StateKind.FOLD)
    with store.transaction() as tx:
        assert tx.states.get(key) is None
        tx.states.put(StateRow(key, 1, b"one"))
        tx.states.put(StateRow(key, 3, b"three"))
        for tick in (2, 3):
            with pytest.raises(Conflict, match=f"tick `{tick}`"):
                tx.states.put(StateRow(key, tick, b"late"))
    with store.read() as reader:
        assert reader.states.get(key) == StateRow(key, 3, b"three")


def test_states_of_other_keys_stay(store: Store, environment: int) -> None:
    keys = [
        StateKey(environment, 1, generation, kind, epoch)
        for generation in (1, 2)
        for kind in (StateKind.EXPOSURES, StateKind.FOLD, StateKind.UNITS)
        for epoch in (0, 1)
    ]
    with store.transaction() as tx:
        for key in reversed(keys):
            tx.states.put(StateRow(key, 1, repr(key).encode()))
        tx.states.put(StateRow(StateKey(environment, 2, 1, StateKind.UNITS), 1, b"other"))
        assert tx.states.delete(environment, 1, StateKind.UNITS) == 4
    with store.read() as reader:
        rows = reader.states.list(environment, 1)
        assert [row.key for row in rows] == [k for k in keys if k.kind is not StateKind.UNITS]
        assert all(row.state == repr(row.key).encode() for row in rows)
        assert len(reader.states.list(environment, 2)) == 1
