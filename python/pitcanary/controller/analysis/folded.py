"""Everything known of a rollout's evidence, as it lies in the store between seals.

Two states: the folds, behind notes on what was concluded from them, and the counts
that later facts depend on as a whole (units, distributions). Reading back what was
written and going on gives the same bits as never having stopped.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from pitcanary._native import Bundle
from pitcanary.errors import EvidenceRefused
from pitcanary.model.assessment import Assessment
from pitcanary.model.plain import canonical_bytes, from_plain, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.statistics.metrics import MetricFolds
from pitcanary.store.interface import Reader, StateKey, StateKind, StateRow, Transaction

CANDIDATE = 1
"""The arm that is compared with arm 0."""


@dataclass(frozen=True, slots=True)
class SealedTick:
    """A seal and the digest of its evidence."""

    tick: int
    digest: str


@dataclass(frozen=True, slots=True)
class Notes:
    """What was concluded at the last seal.

    `shares` holds the shares of the arms in each allocation epoch that had a seal;
    `shares_actual` those observed in the last seal, empty without traffic. Units are
    those first seen in the stage of the last seal. `sealed` names the latest seals.
    """

    assessment: Assessment | None = None
    sealed_at: datetime | None = None
    shares: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    shares_actual: tuple[float, ...] = ()
    units: int = 0
    units_mixed: int = 0
    sample_ratio_log_e: float | None = None
    sealed: tuple[SealedTick, ...] = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """The evidence of one analysis generation after seal number `tick`."""

    folds: tuple[MetricFolds, ...]
    lasting: Bundle
    notes: Notes
    tick: int

    def with_shares(self, rollout: Rollout) -> Folded:
        """Remembers the shares of the current allocation epoch."""
        shares = tuple(rollout.allocation.share(arm.index) for arm in rollout.arms)
        known = {**self.notes.shares, rollout.allocation_epoch: shares}
        return replace(self, notes=replace(self.notes, shares=known))


def load_notes(reader: Reader, environment: int, rollout: Rollout) -> Notes:
    """Reads what was concluded at the last seal, without the folds."""
    stored = reader.states.get(_key(environment, rollout, StateKind.FOLD))
    return _notes(unpack(stored.state)[0]) if stored else Notes()


def load(reader: Reader, environment: int, rollout: Rollout) -> Folded:
    """Reads what is stored of a rollout's current analysis generation.

    Raises:
        EvidenceRefused: What is stored is not understood, or is of other metrics.
    """
    metrics = rollout.spec.metrics
    stored = reader.states.get(_key(environment, rollout, StateKind.FOLD))
    if stored is None:
        return Folded(tuple(MetricFolds(metric) for metric in metrics), Bundle(), Notes(), tick=0)
    head, *parts = unpack(stored.state)
    if len(parts) != len(metrics):
        raise EvidenceRefused(
            f"rollout `{rollout.spec.name}` has `{len(metrics)}` metrics and `{len(parts)}` stored "
            "folds; fold the sealed evidence again"
        )
    lasting = reader.states.get(_key(environment, rollout, StateKind.UNITS))
    return Folded(
        folds=tuple(MetricFolds.from_bytes(*pair) for pair in zip(metrics, parts, strict=True)),
        lasting=Bundle.from_bytes(lasting.state) if lasting else Bundle(),
        notes=_notes(head),
        tick=stored.tick,
    )


def save(transaction: Transaction, environment: int, rollout: Rollout, folded: Folded) -> None:
    """Writes the state after a seal over the one before."""
    head = canonical_bytes(to_plain(folded.notes))
    state = pack([head, *(fold.to_bytes() for fold in folded.folds)])
    for kind, data in ((StateKind.FOLD, state), (StateKind.UNITS, folded.lasting.to_bytes())):
        key = _key(environment, rollout, kind)
        transaction.states.put(StateRow(key, folded.tick, data))


def pack(parts: Sequence[bytes]) -> bytes:
    """Joins byte strings so that `unpack` finds them again."""
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def unpack(data: bytes) -> list[bytes]:
    """Splits what `pack` joined.

    Raises:
        EvidenceRefused: The bytes are not what `pack` wrote.
    """
    parts: list[bytes] = []
    while data:
        length = int.from_bytes(data[:4], "little")
        part, rest = data[4 : 4 + length], data[4 + length :]
        if len(data) < 4 or len(part) < length:
            raise EvidenceRefused("a stored state is cut off; fold the sealed evidence again")
        parts.append(part)
        data = rest
    return parts


def _notes(head: bytes) -> Notes:
    return from_plain(Notes, orjson.loads(head))


def _key(environment: int, rollout: Rollout, kind: StateKind) -> StateKey:
    return StateKey(environment, rollout.id, rollout.analysis_generation, kind)
