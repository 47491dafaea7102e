"""Writes evidence.json: frames of several sidecars and what they add up to.

Shares no code with the project: LEB128, protobuf and the buckets of histograms are
written here a second time, in whole-number arithmetic, from the comments in
`sketch.proto` alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

SIDECARS = 3
LIMIT = 10**15
UNITS = 32_768

Key = tuple[int, ...]
Row = list[int]
Count = TypeVar("Count")


def leb128(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    return leb128(2 * number if number >= 0 else -2 * number - 1)


def number_field(tag: int, value: int) -> bytes:
    return leb128(tag << 3) + leb128(value) if value else b""


def bytes_field(tag: int, value: bytes) -> bytes:
    return leb128(tag << 3 | 2) + leb128(len(value)) + value


def numbers(values: Iterable[int]) -> bytes:
    return b"".join(number_field(tag, value) for tag, value in enumerate(values, start=1))


def optional(tag: int, value: bytes) -> bytes:
    return bytes_field(tag, value) if value else b""


def bucket(value: int) -> int:
    """The i with 2^(i/64) < value <= 2^((i+1)/64)."""
    return (value**64 - 1).bit_length() - 1


def slices(rows: dict[int, Row], plain: int) -> bytes:
    out, previous = b"", 0
    for index in sorted(rows):
        out += leb128(index - previous)
        previous = index
        for column, value in enumerate(rows[index]):
            out += leb128(value) if column < plain else zigzag(value)
    return out


def of_rollout(rollout: int, entries: Mapping[Key, Count]) -> list[tuple[Key, Count]]:
    """The entries of a rollout in order of their keys."""
    return [(key, entries[key]) for key in sorted(entries) if key[0] == rollout]


class Evidence:
    """Counts in the plainest form; adding is adding every number."""

    def __init__(self) -> None:
        self.cells: dict[Key, tuple[dict[int, Row], Row]] = {}
        self.histograms: dict[Key, list[int]] = {}
        self.exposures: dict[Key, dict[int, Row]] = {}
        self.units: dict[Key, dict[int, tuple[int, int, bool]]] = {}
        self.exclusions: dict[Key, int] = {}
        self.missing: dict[Key, int] = {}
        self.rejected: dict[int, int] = {}
        self.lost = [0, 0, 0, 0]

    def observe(self, key: Key, index: int, values: Row, moments: Row) -> None:
        rows, totals = self.cells.setdefault(key, ({}, [0] * len(moments)))
        row = rows.setdefault(index, [0] * (1 + len(values)))
        for column, value in enumerate([1, *values]):
            row[column] += value
        for column, value in enumerate(moments):
            totals[column] += value

    def see(self, key: Key, unit: int, epoch: int, arm: int) -> None:
        known = self.units.setdefault(key, {})
        before = known.get(unit)
        if before is None or epoch < before[0]:
            known[unit] = (epoch, arm, False)
        elif epoch == before[0]:
            known[unit] = (epoch, min(arm, before[1]), before[2] or arm != before[1])

    def encode(self, rollout: int) -> bytes:
        """The bytes of the Evidence message of one rollout."""
        out = b""
        for key, (rows, moments) in of_rollout(rollout, self.cells):
            width = len(next(iter(rows.values()))) - 1
            head = numbers((*key, width))
            packed = b"".join(map(zigzag, moments))
            out += bytes_field(1, head + optional(9, slices(rows, 1)) + optional(10, packed))
        for key, values in of_rollout(rollout, self.histograms):
            out += bytes_field(2, numbers(key) + bytes_field(7, sketch(values)))
        for key, rows in of_rollout(rollout, self.exposures):
            out += bytes_field(3, numbers(key) + bytes_field(6, slices(rows, 2)))
        for key, known in of_rollout(rollout, self.units):
            out += unit_sets(key, known)
        for key, count in of_rollout(rollout, self.exclusions):
            out += bytes_field(5, numbers((*key, count)))
        for key, count in of_rollout(rollout, self.missing):
            out += bytes_field(6, numbers((*key, count)))
        if rollout == 0:
            out += self.losses()
        return out

    def losses(self) -> bytes:
        entries = sorted(self.rejected.items())
        out = b"".join(bytes_field(1, numbers(entry)) for entry in entries)
        for tag, value in enumerate(self.lost, start=2):
            out += number_field(tag, value)
        return bytes_field(7, out) if out else b""

    def rollouts(self) -> list[int]:
        parts = (self.cells, self.histograms, self.exposures, self.units)
        found = {key[0] for part in parts for key in part}
        found |= {key[0] for part in (self.exclusions, self.missing) for key in part}
        return sorted(found | ({0} if self.losses() else set()))


def sketch(values: list[int]) -> bytes:
    counts: dict[int, int] = {}
    for value in values:
        if value:
            counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    out = b"\x01" + leb128(values.count(0)) + leb128(sum(values)) + leb128(len(counts))
    following = -1
    for index in sorted(counts):
        out += leb128(index - following) + leb128(counts[index])
        following = index + 1
    return out


def unit_sets(key: Key, known: dict[int, tuple[int, int, bool]]) -> bytes:
    kept = dict(sorted(known.items())[:UNITS])
    out = b""
    for epoch in sorted({epoch for epoch, _, _ in kept.values()}):
        of_epoch = [(unit, entry) for unit, entry in kept.items() if entry[0] == epoch]
        hashes = b"".join(unit.to_bytes(8, "little") for unit, _ in of_epoch)
        arms = bytes(arm | 0x80 * several for _, (_, arm, several) in of_epoch)
        head = numbers((*key, epoch))
        out += bytes_field(4, head + bytes_field(4, hashes) + bytes_field(5, arms))
    return out


def happen(generator: random.Random, to: list[Evidence]) -> None:
    """Counts one thing in every given evidence."""
    draw = generator.randrange
    rollout, arm, index, epoch = draw(0, 3), draw(0, 2), draw(0, 64), draw(1, 4)
    metric, kind = draw(0, 4), draw(0, 12)
    value = generator.choice([draw(-1000, 1000), draw(-LIMIT, LIMIT + 1), 0, LIMIT])
    whole, part = abs(value), draw(0, 10**6)
    above = draw(0, 4)
    counted = {
        0: ([above % 2], []),
        1: ([value], [value**2]),
        2: ([whole, part], [whole**2, part**2, whole * part]),
        3: ([int(above > column) for column in range(3)], []),
    }[metric]
    threshold_set, segment = (5 if metric == 3 else 0), draw(0, 2)
    unit, minute = draw(0, 40) * 0x9E3779B97F4A7C15 % 2**64, draw(29_900_000, 29_900_003)
    key: Key
    for one in to:
        if kind < 6:
            key = (rollout, 1, epoch, threshold_set, segment, arm, metric)
            one.observe(key, index, *counted)
        elif kind == 6:
            key = (rollout, 1, epoch, segment, arm, metric)
            one.histograms.setdefault(key, []).append(whole)
        elif kind == 7:
            rows = one.exposures.setdefault((rollout, 1, epoch, arm, minute), {})
            row = rows.setdefault(index, [0, 0])
            row[above % 2] += 1
        elif kind < 10:
            one.see((rollout, 1), unit, epoch, arm)
        elif kind == 10:
            key = (rollout, arm, 1 + above)
            one.exclusions[key] = one.exclusions.get(key, 0) + 1
            key = (rollout, 1, arm, metric, 1 + above)
            one.missing[key] = one.missing.get(key, 0) + 1
        else:
            one.rejected[1 + above] = one.rejected.get(1 + above, 0) + 1
            one.lost[above] += 1


def case(seed: int, events: int) -> dict[str, object]:
    generator = random.Random(seed)
    whole, parts = Evidence(), [Evidence() for _ in range(SIDECARS)]
    for _ in range(events):
        happen(generator, [whole, parts[generator.randrange(SIDECARS)]])
    return {
        "seed": seed,
        "frames": [frame(number, part).hex() for number, part in enumerate(parts, start=1)],
        "merged": {str(rollout): whole.encode(rollout).hex() for rollout in whole.rollouts()},
        "totals": totals(whole),
    }


def frame(number: int, part: Evidence) -> bytes:
    # Entries are ordered by kind first, so the message of all rollouts is built from
    # the fields of each.
    fields: dict[int, list[bytes]] = {tag: [] for tag in range(1, 8)}
    for rollout in part.rollouts():
        rest = part.encode(rollout)
        while rest:
            length, size = length_of(rest)
            fields[rest[0] >> 3].append(rest[: 1 + size + length])
            rest = rest[1 + size + length :]
    evidence = b"".join(entry for entries in fields.values() for entry in entries)
    return (
        bytes_field(1, f"sidecar-{number}".encode())
        + bytes_field(2, bytes([number]) * 16)
        + number_field(3, number)
        + bytes_field(4, b"default")
        + bytes_field(5, b"production")
        + bytes_field(6, evidence)
        + bytes_field(7, bytes_field(1, b"stream") + number_field(2, 9))
    )


def length_of(field: bytes) -> tuple[int, int]:
    """Length of the field's content, and how many bytes say so."""
    length, size = 0, 0
    while True:
        byte = field[1 + size]
        length |= (byte & 0x7F) << 7 * size
        size += 1
        if byte < 0x80:
            return length, size


def totals(whole: Evidence) -> dict[str, object]:
    """What a reader should find, written as text where 64 bits may not do."""
    return {
        "cells": [
            {
                "key": list(key),
                "n": sum(row[0] for row in rows.values()),
                "sums": [str(sum(column)) for column in list(zip(*rows.values(), strict=True))[1:]],
                "moments": [str(moment) for moment in moments],
            }
            for key, (rows, moments) in sorted(whole.cells.items())
        ],
        "traffic": [
            {
                "key": list(key),
                "counts": [sum(column) for column in zip(*rows.values(), strict=True)],
            }
            for key, rows in sorted(whole.exposures.items())
        ],
        "units": [
            {"key": [*key, epoch, arm], "counts": count}
            for key, known in sorted(whole.units.items())
            for (epoch, arm), count in sorted(unit_counts(known).items())
        ],
    }


def unit_counts(known: dict[int, tuple[int, int, bool]]) -> dict[tuple[int, int], list[int]]:
    counts: dict[tuple[int, int], list[int]] = {}
    for epoch, arm, several in known.values():
        count = counts.setdefault((epoch, arm), [0, 0])
        count[0] += 1
        count[1] += several
    return counts


def main() -> None:
    cases = [case(seed, events) for seed, events in ((1, 0), (2, 1), (3, 12), (4, 150), (5, 400))]
    path = Path(__file__).with_name("evidence.json")
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
