"""Source marks on SQL: 64 rows, each the packed marks of many sources."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update

from pitcanary.store import schema
from pitcanary.store.interface.evidence import FrameMark, Source
from pitcanary.store.packed_marks import PackedMarks
from pitcanary.store.sql.session import Session

_marks = schema.source_marks


class SqlMarksReader:
    """See `MarksReader`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def committed_through(self, source: Source) -> int:
        return self._shard_of(source.environment, source.sidecar_id).committed_through(source)

    def stream_marks(self, environment: int, sidecar_id: str) -> Mapping[str, int]:
        streams = self._shard_of(environment, sidecar_id).streams.get((environment, sidecar_id), {})
        return {name: mark.through for name, mark in streams.items()}

    def _shard_of(self, environment: int, sidecar_id: str) -> PackedMarks:
        number = shard_number(environment, sidecar_id)
        (row,) = self._session.rows(select(_marks.c.marks).where(_marks.c.shard == number))
        return PackedMarks.unpack(row["marks"])


class SqlMarks(SqlMarksReader):
    """See `Marks`; a locked shard is read and unpacked once per unit."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._locked: dict[int, PackedMarks] = {}

    def _shard_of(self, environment: int, sidecar_id: str) -> PackedMarks:
        locked = self._locked.get(shard_number(environment, sidecar_id))
        return super()._shard_of(environment, sidecar_id) if locked is None else locked

    def claim(self, frames: Sequence[FrameMark], at: datetime) -> Sequence[FrameMark]:
        for frame in frames:
            if frame.seq < 1:
                raise ValueError(f"frame `{frame.seq}` of `{frame.source.sidecar_id}`: 1 is first")
        shards = self._lock({_shard_number(frame.source) for frame in frames})
        seen_s = int(at.timestamp())
        fresh = [
            frame
            for frame in sorted(frames, key=lambda frame: (frame.source, frame.seq))
            if shards[_shard_number(frame.source)].claim(frame, seen_s)
        ]
        touched = {_shard_number(frame.source) for frame in fresh}
        self._write({number: shards[number] for number in touched})
        return fresh

    def forget(self, before: datetime) -> int:
        shards = self._lock(range(schema.SHARDS))
        before_s = int(before.timestamp())
        forgotten = {number: marks.forget(before_s) for number, marks in shards.items()}
        self._write({number: shards[number] for number, count in forgotten.items() if count})
        return sum(forgotten.values())

    def _lock(self, numbers: Iterable[int]) -> dict[int, PackedMarks]:
        rows = self._session.rows(
            select(_marks)
            .where(_marks.c.shard.in_(sorted(numbers)))
            .order_by(_marks.c.shard)
            .with_for_update()
        )
        self._locked = {row["shard"]: PackedMarks.unpack(row["marks"]) for row in rows}
        return self._locked

    def _write(self, shards: Mapping[int, PackedMarks]) -> None:
        self._session.run_many(
            update(_marks)
            .where(_marks.c.shard == bindparam("number"))
            .values(marks=bindparam("packed")),
            [{"number": number, "packed": shards[number].pack()} for number in sorted(shards)],
        )


def shard_number(environment: int, sidecar_id: str) -> int:
    """Tell which row keeps a sidecar's marks; the same for ever."""
    return zlib.crc32(f"{environment}/{sidecar_id}".encode()) % schema.SHARDS


def _shard_number(source: Source) -> int:
    return shard_number(source.environment, source.sidecar_id)
