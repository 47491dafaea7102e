"""One shard of source marks as bytes.

Thousands of sources fit into 64 rows, so a group of frames locks and writes a
few rows rather than one per sidecar. Pure; rows and locks are in `sql.marks`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from pitcanary.store.interface.evidence import FrameMark, Source

# A sidecar that opens streams without end must not grow a row that others share.
MAX_STREAMS_PER_SIDECAR = 1024
_FORMAT = 1

Sidecar = tuple[int, str]


@dataclass(slots=True)
class Mark:
    """How far something is counted, and when it was last heard of."""

    through: int
    seen_s: int


@dataclass(slots=True)
class PackedMarks:
    """The marks of all sources of one shard, and of their sidecars' streams."""

    sources: dict[Source, Mark] = field(default_factory=dict)
    streams: dict[Sidecar, dict[str, Mark]] = field(default_factory=dict)

    @classmethod
    def unpack(cls, packed: bytes) -> PackedMarks:
        """Read a shard; empty bytes are an empty shard."""
        marks = cls()
        if not packed:
            return marks
        shard = orjson.loads(zlib.decompress(packed))
        if shard["format"] != _FORMAT:
            raise ValueError(f"source marks have format `{shard['format']}`, not `{_FORMAT}`")
        for environment, sidecar_id, boot_id, through, seen_s in shard["sources"]:
            source = Source(environment, sidecar_id, bytes.fromhex(boot_id))
            marks.sources[source] = Mark(through, seen_s)
        for environment, sidecar_id, streams in shard["streams"]:
            marks.streams[environment, sidecar_id] = {
                stream: Mark(through, seen_s) for stream, through, seen_s in streams
            }
        return marks

    def pack(self) -> bytes:
        """Write a shard; equal marks give equal bytes."""
        shard = {
            "format": _FORMAT,
            "sources": [
                [
                    source.environment,
                    source.sidecar_id,
                    source.boot_id.hex(),
                    mark.through,
                    mark.seen_s,
                ]
                for source, mark in sorted(self.sources.items(), key=lambda item: item[0])
            ],
            "streams": [
                [
                    *sidecar,
                    [
                        [name, mark.through, mark.seen_s]
                        for name, mark in sorted(streams.items(), key=lambda item: item[0])
                    ],
                ]
                for sidecar, streams in sorted(self.streams.items(), key=lambda item: item[0])
            ],
        }
        return zlib.compress(orjson.dumps(shard), level=1)

    def committed_through(self, source: Source) -> int:
        """Tell the highest committed frame of a source; 0 when there is none."""
        mark = self.sources.get(source)
        return 0 if mark is None else mark.through

    def claim(self, frame: FrameMark, seen_s: int) -> bool:
        """Raise the mark to a frame; False when it was counted already."""
        if frame.seq <= self.committed_through(frame.source):
            return False
        self.sources[frame.source] = Mark(frame.seq, seen_s)
        self._raise_streams(frame, seen_s)
        return True

    def forget(self, before_s: int) -> int:
        """Drop what was not heard of since; tells how many sources."""
        kept = {source: mark for source, mark in self.sources.items() if mark.seen_s >= before_s}
        forgotten = len(self.sources) - len(kept)
        self.sources = kept
        fresh = {
            sidecar: {name: mark for name, mark in streams.items() if mark.seen_s >= before_s}
            for sidecar, streams in self.streams.items()
        }
        self.streams = {sidecar: streams for sidecar, streams in fresh.items() if streams}
        return forgotten

    def _raise_streams(self, frame: FrameMark, seen_s: int) -> None:
        if not frame.stream_marks:
            return
        sidecar = (frame.source.environment, frame.source.sidecar_id)
        streams = self.streams.setdefault(sidecar, {})
        for name, through in frame.stream_marks.items():
            known = streams.get(name)
            streams[name] = Mark(max(through, known.through if known else 0), seen_s)
        self.streams[sidecar] = _newest(streams)


def _newest(streams: Mapping[str, Mark]) -> dict[str, Mark]:
    """Keep the streams heard of last, up to the limit."""
    if len(streams) <= MAX_STREAMS_PER_SIDECAR:
        return dict(streams)
    newest = sorted(streams.items(), key=lambda item: (-item[1].seen_s, item[0]))
    return dict(newest[:MAX_STREAMS_PER_SIDECAR])
