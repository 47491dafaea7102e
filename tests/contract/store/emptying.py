"""Empties a store on PostgreSQL between two tests."""

from __future__ import annotations

from sqlalchemy import create_engine, func, insert, select, text

from pitcanary.store.schema import SHARDS, metadata, source_marks, store_meta


def empty(address: str) -> None:
    """Brings a migrated database back to how its migration left it."""
    engine = create_engine(address)
    with engine.begin() as connection:
        # Neither the triggers of append-only tables nor foreign keys are asked.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for table in metadata.tables.values():
            connection.execute(table.delete())
        sequences = text("SELECT quote_ident(sequencename) FROM pg_sequences")
        for name in connection.execute(sequences).scalars():
            connection.execute(select(func.setval(name, 1, False)))
        connection.execute(insert(store_meta).values(id=1, store_incarnation=1))
        shards = [{"shard": shard, "marks": b""} for shard in range(SHARDS)]
        connection.execute(insert(source_marks), shards)
    engine.dispose()
