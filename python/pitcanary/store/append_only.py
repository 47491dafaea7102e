"""Tables whose rows nothing may change or remove.

Triggers stop a slip of the program and of an operator's client. They do not
stop whoever owns the database; that is what the chain of decisions and
`store.audit` are for.
"""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

# PostgreSQL keeps the refusal in a function; SQLite in each trigger.
POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION pitcanary_refuse_change() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'rows of %% are append-only', TG_TABLE_NAME;
    END
    $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %(table)s
    FOR EACH ROW EXECUTE FUNCTION pitcanary_refuse_change()
    """,
    """
    CREATE TRIGGER never_truncated BEFORE TRUNCATE ON %(table)s
    FOR EACH STATEMENT EXECUTE FUNCTION pitcanary_refuse_change()
    """,
)
SQLITE = (
    """
    CREATE TRIGGER %(table)s_never_updated BEFORE UPDATE ON %(table)s
    BEGIN SELECT RAISE(ABORT, 'rows are append-only'); END
    """,
    """
    CREATE TRIGGER %(table)s_never_deleted BEFORE DELETE ON %(table)s
    BEGIN SELECT RAISE(ABORT, 'rows are append-only'); END
    """,
)


def protect(table: Table) -> None:
    """Create the triggers whenever the table is created."""
    for dialect, statements in (("postgresql", POSTGRESQL), ("sqlite", SQLITE)):
        for statement in statements:
            ddl = DDL(statement)  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl.execute_if(dialect=dialect))
