"""Runs the steps on the connection that `store.migrate` hands over.

Alembic executes this file; it opens no connection and reads no settings.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=False,
)
context.run_migrations()
