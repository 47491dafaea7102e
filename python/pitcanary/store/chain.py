"""What links the records of decisions to a chain.

Pure: `sql.decisions` appends by these rules and `store.audit` checks them. The
hash of a record covers all records before it, because each contains the hash of
the one before. What else a record says is `model.decision`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import orjson

from pitcanary.store.interface.decisions import ChainHead

_T = TypeVar("_T")

EMPTY = ChainHead(position=0, hash=f"sha256:{'0' * 64}")


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What the store reads from a record to link and to find it."""

    id: str
    previous_hash: str
    rollout: int
    rollout_revision: int
    decided_at: datetime
    action: str
    rule: str
    actor: str


def record_hash(record: bytes) -> str:
    """Hash a record as the chain does."""
    return f"sha256:{hashlib.sha256(record).hexdigest()}"


def read_record(record: bytes) -> RecordFacts:
    """Read the facts of a record.

    Raises:
        ValueError: It is not JSON, or a fact is missing or of another type.
    """
    try:
        plain = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"a decision record must be JSON: {error}") from None
    after = _field(plain, "after", dict)
    return RecordFacts(
        id=_field(plain, "id", str),
        previous_hash=_field(plain, "previous_hash", str),
        rollout=_field(plain, "rollout_id", int),
        rollout_revision=_field(after, "revision", int),
        decided_at=datetime.fromisoformat(_field(plain, "decided_at", str).replace("Z", "+00:00")),
        action=_field(plain, "action", str),
        rule=_field(plain, "rule", str),
        actor=_field(plain, "actor", str),
    )


def _field(plain: object, name: str, kind: type[_T]) -> _T:
    value = plain.get(name) if isinstance(plain, Mapping) else None
    if not isinstance(value, kind):
        raise ValueError(f"a decision record needs `{name}` as {kind.__name__}")
    return value
