"""The audit finds every edit, deletion, insertion and reordering of the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, bindparam, create_engine, text

from pitcanary.errors import NotFound
from pitcanary.store import Store, open_store
from pitcanary.store.audit import Audit, audit, verify
from pitcanary.store.chain import record_hash
from pitcanary.store.interface import ChainHead, DecisionRow
from tests.contract.store.samples import Sample, decide, make_sample

LENGTH = 12


def decided(store: Store, count: int = LENGTH) -> tuple[Sample, list[ChainHead]]:
    """A store with a chain, and every head it ever had."""
    with store.transaction() as tx:
        sample = make_sample(tx)
        row = tx.rollouts.get(sample.environment, sample.rollout)
        heads = []
        for index in range(count):
            decision, row = decide(tx, row, note=f"note {index}")
            heads.append(ChainHead(decision.position, decision.hash))
    return sample, heads


def audited(store: Store, environment: int) -> Audit:
    with store.read() as reader:
        return audit(reader, environment)


def test_a_whole_chain_has_no_fault(store: Store) -> None:
    sample, heads = decided(store)
    with store.read() as reader:
        found = audit(reader, sample.environment, published=heads)
    assert found == Audit(decisions=LENGTH, head=heads[-1], faults=())


def test_an_empty_chain_has_no_fault(store: Store, environment: int) -> None:
    assert audited(store, environment).faults == ()
    with store.read() as reader, pytest.raises(NotFound):
        audit(reader, environment + 1)


@contextmanager
def owner(address: str) -> Iterator[Connection]:
    """A connection of whoever owns the database: the triggers do not stop it."""
    engine = create_engine(address)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("DROP TRIGGER decisions_never_updated"))
            connection.execute(text("DROP TRIGGER decisions_never_deleted"))
        yield connection
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        pytest.param("DELETE FROM decisions WHERE position = 5", 6, id="a record in the middle"),
        pytest.param("DELETE FROM decisions WHERE position = 1", 2, id="the first record"),
        pytest.param("DELETE FROM decisions WHERE position = 12", 12, id="the last record"),
        pytest.param("DELETE FROM decisions", 12, id="all records"),
        pytest.param(
            "UPDATE decisions SET record = replace(record, 'note 4', 'note x') WHERE position = 5",
            5,
            id="a record is edited",
        ),
        pytest.param(
            "UPDATE decisions SET actor = 'nobody' WHERE position = 5", 5, id="a column is edited"
        ),
        pytest.param("UPDATE environments SET chain_position = 11", 11, id="the head is set back"),
    ],
)
def test_what_an_owner_changes_in_the_database_is_found(
    lasting_address: str, statement: str, position: int
) -> None:
    store = open_store(lasting_address)
    sample, _ = decided(store)
    with owner(lasting_address) as connection:
        assert connection.execute(text(statement)).rowcount >= 1
    found = audited(store, sample.environment)
    store.close()
    assert position in {fault.position for fault in found.faults}


def test_a_rewritten_chain_is_found_by_a_published_head(lasting_address: str) -> None:
    """An owner who recomputes every hash, head included, cannot recall what was published."""
    store = open_store(lasting_address)
    sample, heads = decided(store)
    with store.read() as reader:
        rows = list(reader.decisions.chain(sample.environment))
    forged = forge(rows, 4)
    with owner(lasting_address) as connection:
        for row in forged:
            connection.execute(
                text(
                    "UPDATE decisions SET record = :record, hash = :hash,"
                    " previous_hash = :previous WHERE position = :position"
                ).bindparams(bindparam("record", row.record.decode())),
                {"hash": row.hash, "previous": row.previous_hash, "position": row.position},
            )
        connection.execute(
            text("UPDATE environments SET chain_hash = :hash"), {"hash": forged[-1].hash}
        )
    with store.read() as reader:
        assert audit(reader, sample.environment).faults == ()
        faults = audit(reader, sample.environment, published=[heads[2], heads[7]]).faults
    store.close()
    assert [fault.position for fault in faults] == [8]


def forge(rows: list[DecisionRow], at: int) -> list[DecisionRow]:
    """A chain that says something else at one place and is sound again after it."""
    forged = list(rows)
    for index in range(at, len(rows)):
        record = orjson.loads(rows[index].record)
        if index == at:
            record["note"] = "forged"
        else:
            record["previous_hash"] = forged[index - 1].hash
        data = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        forged[index] = replace(
            rows[index],
            record=data,
            hash=record_hash(data),
            previous_hash=record["previous_hash"],
        )
    return forged


@pytest.fixture(scope="module")
def chain() -> tuple[list[DecisionRow], ChainHead]:
    """A sound chain, for laws over rows."""
    store = open_store("sqlite://")
    sample, heads = decided(store)
    with store.read() as reader:
        rows = list(reader.decisions.chain(sample.environment))
    store.close()
    return rows, heads[-1]


Tampering = Callable[[list[DecisionRow], st.DataObject], list[DecisionRow]]


def drop_one(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    index = data.draw(st.integers(0, len(rows) - 1))
    return rows[:index] + rows[index + 1 :]


def swap_two(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    one, two = data.draw(
        st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True)
    )
    swapped = list(rows)
    swapped[one], swapped[two] = rows[two], rows[one]
    return swapped


def swap_two_and_renumber(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    return [replace(row, position=index) for index, row in enumerate(swap_two(rows, data), start=1)]


def repeat_one(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    index = data.draw(st.integers(0, len(rows) - 1))
    return rows[: index + 1] + rows[index:]


def flip_one_byte(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    index = data.draw(st.integers(0, len(rows) - 1))
    record = bytearray(rows[index].record)
    record[data.draw(st.integers(0, len(record) - 1))] ^= data.draw(st.integers(1, 255))
    return [*rows[:index], replace(rows[index], record=bytes(record)), *rows[index + 1 :]]


def edit_one_column(rows: list[DecisionRow], data: st.DataObject) -> list[DecisionRow]:
    index = data.draw(st.integers(0, len(rows) - 1))
    row = rows[index]
    edited = data.draw(
        st.sampled_from(
            [
                replace(row, id="1-99"),
                replace(row, rollout=row.rollout + 1),
                replace(row, rollout_revision=row.rollout_revision + 1),
                replace(row, decided_at=row.decided_at.replace(year=2020)),
                replace(row, action="promote"),
                replace(row, rule="because"),
                replace(row, actor="nobody"),
                replace(row, previous_hash=row.hash),
                replace(row, hash=row.previous_hash),
                replace(row, record=b"{}"),
            ]
        )
    )
    return [*rows[:index], edited, *rows[index + 1 :]]


@pytest.mark.parametrize(
    "tamper",
    [drop_one, swap_two, swap_two_and_renumber, repeat_one, flip_one_byte, edit_one_column],
)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_tampering_is_found(
    chain: tuple[list[DecisionRow], ChainHead], tamper: Tampering, data: st.DataObject
) -> None:
    rows, head = chain
    assert verify(rows, head).faults == ()
    assert verify(tamper(rows, data), head).faults != ()


@given(kept=st.integers(0, LENGTH - 1))
def test_a_cut_end_is_found(chain: tuple[list[DecisionRow], ChainHead], kept: int) -> None:
    rows, head = chain
    assert verify(rows[:kept], head).faults != ()


@given(at=st.integers(0, LENGTH - 1))
def test_a_sound_forgery_has_another_head(
    chain: tuple[list[DecisionRow], ChainHead], at: int
) -> None:
    rows, head = chain
    assert verify(forge(rows, at), head).faults != ()
