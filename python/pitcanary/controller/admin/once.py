"""Changes that happen once, however often they are asked for.

The first answer is stored in the transaction of the change, under the caller's
key; a repeat gets the same bytes and changes nothing. A key used for another
request is refused, because one of the two would be lost in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message

from pitcanary.store.interface import IdempotencyKey, Transaction

Response = TypeVar("Response", bound=Message)


def once(
    transaction: Transaction,
    key: IdempotencyKey | None,
    kind: type[Response],
    at: datetime,
    change: Callable[[], Response],
) -> Response:
    """Makes a change unless `key` was answered before; returns the first answer.

    Raises:
        Conflict: The key belonged to another request.
    """
    if key is None:
        return change()
    if (answer := transaction.idempotency.answer(key)) is not None:
        return kind.FromString(answer)
    response = change()
    transaction.idempotency.remember(key, response.SerializeToString(deterministic=True), at)
    return response


def key_of(environment: int, idempotency_key: str, request: Message) -> IdempotencyKey | None:
    """The key of a request; None when the caller gave none."""
    if not idempotency_key:
        return None
    kind = request.DESCRIPTOR.full_name.encode()
    content = request.SerializeToString(deterministic=True)
    digest = hashlib.sha256(kind + b"\0" + content).digest()
    return IdempotencyKey(environment, idempotency_key, digest)
