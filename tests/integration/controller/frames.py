"""Frames as a sidecar makes them, encoded independently of the Rust core.

Written from `sketch.proto` alone: if the two ever disagree, a test fails.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pitcanary.v1 import control_pb2, sketch_pb2

SLICES = 64


@dataclass
class Counts:
    """One arm's observations of one metric, per slice."""

    n: dict[int, int] = field(default_factory=dict)
    total: dict[int, int] = field(default_factory=dict)
    squares: int = 0

    def add(self, slice_index: int, value: int) -> None:
        """Counts one observation."""
        self.n[slice_index] = self.n.get(slice_index, 0) + 1
        self.total[slice_index] = self.total.get(slice_index, 0) + value
        self.squares += value * value

    def encoded(self) -> bytes:
        """The sparse slices of a cell with one value each."""
        parts, previous = bytearray(), 0
        for index in sorted(self.n):
            parts += leb128(index - previous) + leb128(self.n[index])
            parts += leb128(zigzag(self.total[index]))
            previous = index
        return bytes(parts)


@dataclass(frozen=True)
class Key:
    """Where counts belong."""

    rollout: int
    arm: int
    metric: int = 0
    generation: int = 1
    epoch: int = 2
    threshold_set: int = 0


def leb128(value: int) -> bytes:
    """Seven bits per byte, lowest first."""
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def zigzag(value: int) -> int:
    """Signed to unsigned, small ones stay small."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def rate_cell(key: Key, counts: Counts) -> sketch_pb2.Cell:
    """The cell of a rate: no second moments."""
    return sketch_pb2.Cell(
        rollout=key.rollout,
        analysis_generation=key.generation,
        allocation_epoch=key.epoch,
        threshold_set=key.threshold_set,
        arm=key.arm,
        metric=key.metric,
        values_per_slice=1,
        slices=counts.encoded(),
    )


def exposure_cell(key: Key, counts: Counts) -> sketch_pb2.ExposureCell:
    """As many exposures as outcomes."""
    parts, previous = bytearray(), 0
    for index in sorted(counts.n):
        parts += leb128(index - previous) + 2 * leb128(counts.n[index])
        previous = index
    return sketch_pb2.ExposureCell(
        rollout=key.rollout,
        analysis_generation=key.generation,
        allocation_epoch=key.epoch,
        arm=key.arm,
        issue_minute=29_700_000,
        slices=bytes(parts),
    )


def drawn(seed: int, outcomes: int, rate: float) -> Counts:
    """So many outcomes of as many units, failing independently at a rate."""
    generator = random.Random(seed)
    counts = Counts()
    for _ in range(outcomes):
        counts.add(generator.randrange(SLICES), int(generator.random() < rate))
    return counts


def evidence(cells: Mapping[Key, Counts]) -> sketch_pb2.Evidence:
    """Rate cells, with the exposures of every arm taken from its first metric."""
    return sketch_pb2.Evidence(
        cells=[rate_cell(key, counts) for key, counts in cells.items()],
        exposures=[exposure_cell(key, counts) for key, counts in cells.items() if key.metric == 0],
    )


def upload(
    counts: sketch_pb2.Evidence,
    seq: int,
    *,
    sidecar_id: str = "sidecar-1",
    boot_id: bytes = b"boot-0123456789a",
    scope: tuple[str, str] = ("default", "production"),
    stream_marks: Iterable[tuple[str, int]] = (),
) -> control_pb2.UploadFrameRequest:
    """The upload of one frame."""
    frame = sketch_pb2.Frame(
        sidecar_id=sidecar_id,
        boot_id=boot_id,
        seq=seq,
        namespace=scope[0],
        environment=scope[1],
        evidence=counts,
        stream_marks=[
            sketch_pb2.StreamMark(client_stream_id=name, through=through)
            for name, through in stream_marks
        ],
    )
    return control_pb2.UploadFrameRequest(
        sidecar_id=sidecar_id, boot_id=boot_id, seq=seq, frame=frame.SerializeToString()
    )


def total_n(cells: Sequence[sketch_pb2.Cell]) -> int:
    """Observations in cells, read back by the same independent rules."""
    return sum(sum(n for _, n, _ in entries(cell.slices)) for cell in cells)


def entries(data: bytes) -> list[tuple[int, int, int]]:
    """Slice, n and zigzagged sum of every entry of a one-valued cell."""
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(value)
            value = shift = 0
    found, index = [], 0
    for step, n, total in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        index += step
        found.append((index, n, total))
    return found
