"""Where a call applies: the environment behind a scope message.

Only pushing a prompt creates an environment; every other call refuses one that
does not exist, so a misspelt name is told and not obeyed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pitcanary.errors import NotFound, nearest
from pitcanary.model import scope as model
from pitcanary.store.interface import EnvironmentRow, Reader, Scope, Transaction
from pitcanary.v1 import admin_pb2

RandomBytes = Callable[[int], bytes]

SALT_BYTES = 16
KEY_BYTES = 32


def scope_of(message: admin_pb2.Scope) -> Scope:
    """The scope of a request with its defaults filled in.

    Raises:
        InvalidValue: A name is not one.
    """
    scope = model.Scope(message.namespace or "default", message.environment or "production")
    return Scope(scope.namespace, scope.environment)


def existing(reader: Reader, message: admin_pb2.Scope) -> EnvironmentRow:
    """The environment of a request.

    Raises:
        NotFound: There is none; names the nearest one.
    """
    scope = scope_of(message)
    row = reader.environments.find(scope)
    if row is None:
        known = [_text(other.scope) for other in reader.environments.list()]
        raise NotFound(f"environment `{_text(scope)}` does not exist{nearest(_text(scope), known)}")
    return row


def ensure(
    transaction: Transaction, scope: Scope, random_bytes: RandomBytes, at: datetime
) -> EnvironmentRow:
    """Finds or creates an environment, with a key for its tokens."""
    row = transaction.environments.find(scope)
    if row is None:
        row = transaction.environments.ensure(scope, random_bytes(SALT_BYTES).hex())
    if not transaction.token_keys.list(row.id):
        transaction.token_keys.add(row.id, random_bytes(KEY_BYTES), at)
        transaction.environments.raise_revision(row.id)
    return row


def _text(scope: Scope) -> str:
    return f"{scope.namespace}/{scope.environment}"
