"""Brings a database to this program's schema, or refuses it.

All steps run in the caller's transaction: a schema is there whole or not at
all. There is no way back: an older program refuses a newer schema, and going
back means restoring a backup.
"""

from __future__ import annotations

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pitcanary.errors import StoreRefused

# Any fixed number: replicas that start together take it one after the other.
_ADVISORY_LOCK = 0x7069_7463_616E


def migrate(connection: Connection) -> None:
    """Run the missing steps; `StoreRefused` when the schema is newer."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    if current(connection) == newest():
        return
    _refuse_unknown(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def require_current(connection: Connection) -> None:
    """Refuse any schema but this program's own."""
    _refuse_unknown(connection)
    found = current(connection)
    if found != newest():
        raise StoreRefused(
            f"the store has schema `{found or 'none'}`, this program reads `{newest()}`;"
            " start the controller once to migrate it"
        )


def current(connection: Connection) -> str | None:
    """Tell the schema of a database; None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


@cache
def newest() -> str:
    """Tell the schema of this program."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None  # noqa: S101 - the package has at least one step
    return head


def _refuse_unknown(connection: Connection) -> None:
    found = current(connection)
    known = {step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StoreRefused(
            f"the store has schema `{found}`, which is newer than this program's `{newest()}`;"
            " use the program that wrote it, or a later one"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "pitcanary.store:migrations")
    return config
