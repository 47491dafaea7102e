"""The migrations lead to the tables of `store.schema`, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Integer, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex
from sqlalchemy.types import TypeEngine

from pitcanary.errors import StoreRefused
from pitcanary.store import open_store, schema
from pitcanary.store.columns import PlainText, Timestamp
from pitcanary.store.migrate import current, migrate, newest, require_current
from tests.contract.store.samples import NOW

HISTORY = (
    schema.decisions,
    schema.versions,
    schema.label_moves,
    schema.analysis_generations,
    schema.threshold_sets,
)


@pytest.fixture
def engine(untouched_address: str) -> Iterator[Engine]:
    """An empty database."""
    engine = create_engine(untouched_address)
    yield engine
    engine.dispose()


def test_migrating_up_equals_creating_all(engine: Engine) -> None:
    with engine.begin() as connection:
        migrate(connection)
        migrated = shape(connection)
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        connection.execute(text("DROP TABLE alembic_version"))
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
        assert shape(connection) == migrated


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        assert current(connection) is None
        with pytest.raises(StoreRefused, match="`none`"):
            require_current(connection)
        migrate(connection)
        before = shape(connection)
        assert connection.execute(schema.store_meta.select()).all() == [(1, 1)]
        shards = connection.execute(schema.source_marks.select()).all()
        assert sorted(shards) == [(shard, b"") for shard in range(schema.SHARDS)]
    with engine.begin() as connection:
        migrate(connection)
        assert shape(connection) == before
        assert current(connection) == newest()
        require_current(connection)


def test_history_is_append_only(lasting_address: str) -> None:
    open_store(lasting_address).close()
    engine = create_engine(lasting_address)
    with engine.begin() as connection:
        fill(connection)
    for table in HISTORY:
        for statement in (table.update().values({table.columns[0]: 2}), table.delete()):
            with (
                engine.connect() as connection,
                pytest.raises(Exception, match="append-only"),
                connection.begin(),
            ):
                connection.execute(statement)
    engine.dispose()


def fill(connection: Connection) -> None:
    """One row in each append-only table; references are not checked."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL session_replication_role = replica"))
    for table in HISTORY:
        values = {column.name: example(column.type) for column in table.columns}
        connection.execute(table.insert().values(values))


def example(kind: TypeEngine[object]) -> object:
    """Any value of a type."""
    if isinstance(kind, Timestamp):
        return NOW
    if isinstance(kind, PlainText):
        return "x"
    return 1 if isinstance(kind, Integer) else b"{}"


def shape(connection: Connection) -> dict[str, object]:
    """Everything a database says about its tables, except Alembic's own."""
    inspector = inspect(connection)
    names = sorted(set(inspector.get_table_names()) - {"alembic_version"})
    tables: dict[str, object] = {
        name: (
            [
                (column["name"], repr(column["type"]), column["nullable"], column.get("default"))
                for column in inspector.get_columns(name)
            ],
            inspector.get_pk_constraint(name),
            sorted(map(repr, inspector.get_foreign_keys(name))),
            sorted(map(repr, inspector.get_unique_constraints(name))),
            sorted(map(index_shape, inspector.get_indexes(name))),
            sorted(map(repr, inspector.get_check_constraints(name))),
        )
        for name in names
    }
    return {**tables, "triggers": triggers(connection)}


def index_shape(index: ReflectedIndex) -> str:
    """An index in words; its condition is an object that equals nothing else."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr({**index, "dialect_options": options})


def triggers(connection: Connection) -> list[tuple[object, ...]]:
    """Every trigger with its definition, white space aside."""
    if connection.dialect.name == "postgresql":
        query = (
            "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal UNION ALL"
            " SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'pitcanary%'"
        )
    else:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    rows = connection.execute(text(query)).all()
    return sorted((name, " ".join(definition.split())) for name, definition in rows)
