"""What one unit of work shares: its connection, its locks, its wake-ups.

Order of locks, so that replicas cannot block each other: environments (ascending),
rollouts, marks. Whoever writes configuration or a decision locks the environment's
row first; evidence never does. A lease is taken and renewed in a transaction of
its own, so it may be checked at any place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, RowMapping, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from pitcanary.errors import NotFound, PitcanaryError
from pitcanary.store import schema
from pitcanary.store.interface.delivery import Notice
from pitcanary.store.sql.translate import translated

Columns = Mapping[str, object]


class Session:
    """One unit of work on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._broken = False
        self.notices: list[Notice] = []

    def rows(self, statement: Executable) -> Sequence[RowMapping]:
        """Read all rows."""
        with self._calling():
            return self._connection.execute(statement).mappings().all()

    def row(self, statement: Executable) -> RowMapping | None:
        """Read the only row, if there is one."""
        with self._calling():
            return self._connection.execute(statement).mappings().one_or_none()

    def number(self, statement: Executable) -> int:
        """Read a number that is surely there."""
        with self._calling():
            return int(self._connection.execute(statement).scalar_one())

    def number_or_none(self, statement: Executable) -> int | None:
        """Read a number, if there is one."""
        with self._calling():
            number = self._connection.execute(statement).scalar_one_or_none()
        return None if number is None else int(number)

    def run(self, statement: Executable) -> int:
        """Write; tells how many rows it touched."""
        with self._calling():
            return self._connection.execute(statement).rowcount

    def run_many(self, statement: Executable, values: Sequence[Columns]) -> None:
        """Write the same statement for many rows; none is fine."""
        if values:
            with self._calling():
                self._connection.execute(statement, [dict(each) for each in values])

    def insert_new(self, table: Table, values: Columns) -> bool:
        """Insert a row unless a key of it is taken; tells whether it was inserted.

        Unlike an insert that fails, it leaves the transaction usable, and on
        PostgreSQL it waits for another transaction that inserts the same key.
        """
        on_postgresql = self._connection.dialect.name == "postgresql"
        insert = postgresql.insert if on_postgresql else sqlite.insert
        statement = insert(table).values(dict(values)).on_conflict_do_nothing()
        # Without the option the count of an insert is gone with its cursor.
        return self.run(statement.execution_options(preserve_rowcount=True)) == 1

    def require_sound(self) -> None:
        """Raise before a commit that could only be half of the unit.

        PostgreSQL undoes a transaction in which a statement failed, and answers
        its COMMIT as if nothing had happened.
        """
        if self._broken:
            raise RuntimeError(
                "a call to the store failed in this unit; let its error end the unit"
            )

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """Translate errors, and remember that the database refused a statement."""
        self.require_sound()
        try:
            with translated():
                yield
        except OverflowError as error:  # SQLite's driver, for integers beyond 64 bits
            self._broken = True
            raise ValueError(str(error)) from error
        except (PitcanaryError, ValueError) as error:
            # A value that was refused before it was sent does no harm.
            self._broken |= isinstance(error.__cause__, DBAPIError)
            raise

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
