"""What one unit of work shares: its connection, its locks, its wake-ups.

Order of locks, so that replicas cannot block each other: lease, environments,
rollouts, marks. Whoever writes configuration or a decision locks the
environment's row first; evidence never does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from pitcanary.errors import NotFound
from pitcanary.store import schema
from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.translate import translated

Columns = Mapping[str, object]


class Session:
    """One unit of work on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.notices: list[Notice] = []

    @property
    def on_postgresql(self) -> bool:
        """Tell which dialect the connection speaks."""
        return self.connection.dialect.name == "postgresql"

    def rows(self, statement: Executable) -> Sequence[RowMapping]:
        """Read all rows."""
        with translated():
            return self.connection.execute(statement).mappings().all()

    def row(self, statement: Executable) -> RowMapping | None:
        """Read the only row, if there is one."""
        with translated():
            return self.connection.execute(statement).mappings().one_or_none()

    def number(self, statement: Executable) -> int:
        """Read a number that is surely there."""
        with translated():
            return int(self.connection.execute(statement).scalar_one())

    def number_or_none(self, statement: Executable) -> int | None:
        """Read a number, if there is one."""
        with translated():
            number = self.connection.execute(statement).scalar_one_or_none()
        return None if number is None else int(number)

    def run(self, statement: Executable) -> int:
        """Write; tells how many rows it touched."""
        with translated():
            return self.connection.execute(statement).rowcount

    def run_many(self, statement: Executable, values: Sequence[Columns]) -> None:
        """Write the same statement for many rows; none is fine."""
        if values:
            with translated():
                self.connection.execute(statement, [dict(each) for each in values])

    def insert_new(self, table: Table, values: Columns) -> bool:
        """Insert a row unless a key of it is taken; tells whether it was inserted.

        Unlike an insert that fails, it leaves the transaction usable, and on
        PostgreSQL it waits for another transaction that inserts the same key.
        """
        insert = postgresql.insert if self.on_postgresql else sqlite.insert
        statement = insert(table).values(dict(values)).on_conflict_do_nothing()
        # Without the option the count of an insert is gone with its cursor.
        return self.run(statement.execution_options(preserve_rowcount=True)) == 1

    def lock_environment(self, environment: int) -> RowMapping:
        """Lock an environment's row until the unit ends; `NotFound`.

        A NO KEY lock: rows that only refer to the environment, such as
        evidence, are still added by others.
        """
        row = self.row(
            select(schema.environments)
            .where(schema.environments.c.id == environment)
            .with_for_update(key_share=True)
        )
        if row is None:
            raise NotFound(f"there is no environment with id `{environment}`")
        return row
