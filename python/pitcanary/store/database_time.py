"""The database's own clock as an SQL expression, in microseconds.

Leases compare times of several replicas, whose clocks may differ; the
database's clock is the one they share. It is the time of the statement, not of
the transaction: a transaction that waited for a lock must not extend the past.
"""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class database_now_us(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it is
    """Microseconds since the Unix epoch, by the database."""

    type = BigInteger()
    inherit_cache = True


@compiles(database_now_us, "postgresql")
def _on_postgresql(element: database_now_us, compiler: SQLCompiler, **_: object) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"


@compiles(database_now_us, "sqlite")
def _on_sqlite(element: database_now_us, compiler: SQLCompiler, **_: object) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    # Milliseconds are all that SQLite has; 2440587.5 is the epoch as a Julian day.
    return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"
