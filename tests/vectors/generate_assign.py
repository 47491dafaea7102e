"""Write assign.json and ranges.json without any code of the project.

The hash comes from the `xxhash` package and the arithmetic from Python's whole numbers, so
the vectors can disagree with the Rust core. Run once per hash version; see README.md here.
"""

from __future__ import annotations

import json
from pathlib import Path

import xxhash

HASH_VERSION = 1
SLOT_COUNT = 1_000_000
FOLDER = Path(__file__).parent

TRIPLES = [
    ("", "", ""),
    ("salt", "", ""),
    ("", "user", ""),
    ("", "", "unit"),
    ("ab", "user", "c"),
    ("a", "user", "bc"),
    ("abc", "user", ""),
    ("", "user", "abc"),
    ("a", "b", "c"),
    ("a|b", "c", "d"),
    ("a", "b|c", "d"),
    ("a\x00", "b", "c"),
    ("a", "\x00b", "c"),
    ("a/b", "user", "c:d"),
    ("salt", "user", " alice"),
    ("salt", "user", "alice "),
    ("salt", "user", "alice"),
    ("salt", "user", "Alice"),
    ("salt", "conversation", "alice"),
    ("salt", "request", "alice"),
    ("salt2", "user", "alice"),
    ("rollout-7f3a", "user", "00000000-0000-0000-0000-000000000000"),
    ("rollout-7f3a", "user", "c56a4180-65aa-42ec-a945-5fd21dec0538"),
    ("rollout-7f3a", "user", "C56A4180-65AA-42EC-A945-5FD21DEC0538"),
    ("rollout-7f3a", "conversation", "c56a4180-65aa-42ec-a945-5fd21dec0538"),
    ("sel", "utilisateur", "élodie"),
    ("sel", "utilisateur", "e\u0301lodie"),
    ("塩", "ユーザー", "東京"),
    ("соль", "пользователь", "Ольга"),
    ("🧂", "👤", "👩\u200d💻"),
    ("salt", "user", "\u0000"),
    ("salt", "user", "\n"),
    ("salt", "user", "\ufeff"),
    ("salt", "user", "\U0010ffff"),
    ("salt", "user", "x" * 100),
    ("s" * 64, "user", "u" * 36),
    ("salt", "user", "x" * 129),
    ("salt", "user", "x" * 130),
    ("salt", "user", "x" * 131),
    ("salt", "user", "x" * 132),
    ("salt", "user", "x" * 218),
    ("salt", "user", "x" * 219),
    ("salt", "user", "x" * 220),
    ("salt", "user", "x" * 221),
    ("salt", "user", "x" * 222),
    ("salt", "user", "x" * 223),
    ("salt", "user", "x" * 240),
    ("salt", "user", "x" * 256),
    ("salt", "user", "x" * 1_000),
    ("salt", "user", "é" * 2_000),
    ("s" * 5_000, "k" * 5_000, "u" * 5_000),
]

LAYOUTS: list[list[tuple[int, int, int]]] = [
    [],
    [(0, SLOT_COUNT, 0)],
    [(0, 1, 1)],
    [(999_999, SLOT_COUNT, 3)],
    [(0, 950_000, 0), (950_000, SLOT_COUNT, 1)],
    [(500_000, 510_000, 2), (0, 10_000, 1)],
    [(0, 10_000, 1), (10_000, 20_000, 2), (20_000, 30_000, 1), (950_000, SLOT_COUNT, 255)],
    [(slot, slot + 1, slot % 4) for slot in range(0, 64, 2)],
]

REFUSED = [
    ([(5, 5, 0)], "empty"),
    ([(6, 5, 0)], "empty"),
    ([(0, SLOT_COUNT + 1, 0)], "out_of_ring"),
    ([(SLOT_COUNT, SLOT_COUNT + 5, 0)], "out_of_ring"),
    ([(0, 10, 0), (9, 20, 1)], "overlap"),
    ([(0, 10, 0), (0, 10, 0)], "overlap"),
    ([(100, 200, 0), (0, SLOT_COUNT, 1)], "overlap"),
]


def hash64(domain: str, salt: str, unit_kind: str, unit: str) -> int:
    """Hash the version byte and the four parts, each behind its length."""
    hashed = bytes([HASH_VERSION])
    for part in (domain, salt, unit_kind, unit):
        encoded = part.encode()
        hashed += len(encoded).to_bytes(4, "little") + encoded
    return xxhash.xxh3_64_intdigest(hashed, seed=0)


def assign_case(salt: str, unit_kind: str, unit: str) -> dict[str, str | int]:
    """Describe one assignment; hashes are hexadecimal because JSON numbers are doubles."""
    slot_hash = hash64("slot", salt, unit_kind, unit)
    slice_hash = hash64("slice", salt, unit_kind, unit)
    return {
        "salt": salt,
        "unit_kind": unit_kind,
        "unit": unit,
        "slot_hash": f"{slot_hash:016x}",
        "slice_hash": f"{slice_hash:016x}",
        "slot": slot_hash * SLOT_COUNT // 2**64,
        "slice": slice_hash // 2**58,
    }


def probes(layout: list[tuple[int, int, int]]) -> list[list[int | None]]:
    """List [slot, arm or null] at, before and after every boundary."""
    edges = {0, 1, 499_999, SLOT_COUNT - 1}
    for start, end, _ in layout:
        edges |= {start - 1, start, end - 1, end}
    slots = sorted(slot for slot in edges if 0 <= slot < SLOT_COUNT)
    return [
        [slot, next((arm for start, end, arm in layout if start <= slot < end), None)]
        for slot in slots
    ]


def write(name: str, content: dict[str, object]) -> None:
    """Write one vector file, readable in a diff."""
    text = json.dumps(content, indent=1, ensure_ascii=True)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Write both files."""
    cases = [assign_case(*triple) for triple in TRIPLES]
    write("assign.json", {"hash_version": HASH_VERSION, "cases": cases})
    layouts = [{"ranges": layout, "probes": probes(layout)} for layout in LAYOUTS]
    refused = [{"ranges": layout, "error": error} for layout, error in REFUSED]
    write("ranges.json", {"slot_count": SLOT_COUNT, "cases": layouts, "refused": refused})


if __name__ == "__main__":
    main()
