"""What was counted: frame marks, open and sealed evidence, folded states.

Evidence is opaque bytes; merging it happens in the extension, outside the
store. Frames are claimed *before* they are merged, in the transaction that
stores the result, so a repeated frame cannot count twice on any replica.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One start of one sidecar; frames are numbered within it."""

    environment: int
    sidecar_id: str
    boot_id: bytes


@dataclass(frozen=True, slots=True)
class FrameMark:
    """A frame's number, and how far its client streams are counted with it."""

    source: Source
    seq: int
    stream_marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """Merged evidence of one rollout from one group of frames; rollout 0 is none."""

    environment: int
    rollout: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class OpenRow:
    """Evidence that no seal has taken yet."""

    id: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How much of a rollout waits for its next seal."""

    environment: int
    rollout: int
    rows: int


@dataclass(frozen=True, slots=True)
class Seal:
    """What a seal writes: the merged evidence, and exactly which rows it replaces.

    `tick` is the arrival tick, 1, 2, 3 … within the rollout.
    """

    environment: int
    rollout: int
    tick: int
    sealed_at: datetime
    evidence: bytes
    taken: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SealedRow:
    """Evidence that never changes again."""

    tick: int
    sealed_at: datetime
    evidence: bytes


class StateKind(enum.Enum):
    """What a folded state is about."""

    FOLD = "fold"
    EXPOSURES = "exposures"
    UNITS = "units"
    TRIPS = "trips"


@dataclass(frozen=True, slots=True, order=True)
class StateKey:
    """Which folded state; epoch 0 where a state spans all epochs."""

    environment: int
    rollout: int
    generation: int
    kind: StateKind
    allocation_epoch: int = 0


@dataclass(frozen=True, slots=True)
class StateRow:
    """A folded state after `tick`, as the extension gave it."""

    key: StateKey
    tick: int
    state: bytes


class MarksReader(Protocol):
    """Reads how far each source is committed."""

    def committed_through(self, source: Source) -> int:
        """Tell the highest committed frame of a source; 0 when there is none."""
        ...

    def stream_marks(self, environment: int, sidecar_id: str) -> Mapping[str, int]:
        """Tell how far each client stream of a sidecar is counted, over all boots."""
        ...


class Marks(MarksReader, Protocol):
    """Claims frames."""

    def claim(self, frames: Sequence[FrameMark], at: datetime) -> Sequence[FrameMark]:
        """Lock the marks, keep the frames above them, and raise the marks.

        Returns the frames to merge, ascending by number within a source, each
        number once; everything left out is committed already (or given twice)
        and may be acknowledged. Rolls back with the transaction. To be called
        at most once per transaction, before merging: marks are locked in a
        fixed order so that replicas cannot block each other.
        """
        ...

    def forget(self, before: datetime) -> int:
        """Drop the marks of sources not heard since; returns how many.

        A mark must outlive the longest spool: a forgotten source's old frames
        would count again.
        """
        ...


class EvidenceReader(Protocol):
    """Reads evidence."""

    def open(self, environment: int, rollout: int) -> Sequence[OpenRow]:
        """Read what waits for the next seal, ascending by id."""
        ...

    def waiting(self) -> Sequence[OpenCount]:
        """Tell which rollouts have open evidence, in all environments."""
        ...

    def last_tick(self, environment: int, rollout: int) -> int:
        """Tell the number of the last seal; 0 when there is none."""
        ...

    def sealed(self, environment: int, rollout: int, after: int = 0) -> Iterator[SealedRow]:
        """Read sealed evidence in order of ticks, from the first above `after`."""
        ...


class Evidence(EvidenceReader, Protocol):
    """Adds and seals evidence."""

    def append(self, evidence: Sequence[NewEvidence]) -> None:
        """Add open rows."""
        ...

    def seal(self, seal: Seal) -> None:
        """Replace open rows by one sealed row.

        Raises:
            Conflict: The tick is not the next one, or a row is no longer open;
                another seal was faster.
        """
        ...


class StatesReader(Protocol):
    """Reads folded states."""

    def get(self, key: StateKey) -> StateRow | None:
        """Read one state."""
        ...

    def list(self, environment: int, rollout: int) -> Sequence[StateRow]:
        """Read all states of a rollout, ascending by key."""
        ...


class States(StatesReader, Protocol):
    """Writes folded states."""

    def put(self, row: StateRow) -> None:
        """Store a state over the one before; `Conflict` unless its tick is higher."""
        ...

    def delete(self, environment: int, rollout: int, kind: StateKind) -> int:
        """Delete a rollout's states of one kind; returns how many."""
        ...
