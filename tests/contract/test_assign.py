"""Assignment through the extension agrees with the golden vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitcanary import _native

VECTORS = Path(__file__).parents[1] / "vectors"
ASSIGN = json.loads((VECTORS / "assign.json").read_text(encoding="utf-8"))
RANGES = json.loads((VECTORS / "ranges.json").read_text(encoding="utf-8"))
REFUSALS = {"empty": "is empty", "out_of_ring": "outside the ring", "overlap": "both claim slot"}


def test_versions_and_sizes_agree() -> None:
    assert ASSIGN["hash_version"] == _native.HASH_VERSION
    assert RANGES["slot_count"] == _native.SLOT_COUNT
    assert _native.SLICE_COUNT == 64


def test_slots_and_slices_agree() -> None:
    assert len(ASSIGN["cases"]) >= 40
    for case in ASSIGN["cases"]:
        parts = (case["salt"], case["unit_kind"], case["unit"])
        assert (_native.slot(*parts), _native.slice_index(*parts)) == (case["slot"], case["slice"])


def test_range_lookups_agree() -> None:
    for case in RANGES["cases"]:
        ranges = _native.Ranges([tuple(each) for each in case["ranges"]])
        assert [ranges.arm(slot) for slot, _ in case["probes"]] == [
            arm for _, arm in case["probes"]
        ]
        assert ranges.ranges == sorted(tuple(each) for each in case["ranges"])


@pytest.mark.parametrize("case", RANGES["refused"], ids=lambda case: f"{case['ranges']}")
def test_wrong_ranges_are_refused(case: dict[str, object]) -> None:
    ranges = case["ranges"]
    assert isinstance(ranges, list)
    with pytest.raises(ValueError, match=REFUSALS[str(case["error"])]):
        _native.Ranges([tuple(each) for each in ranges])


def test_a_slot_outside_the_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="`1000000`"):
        _native.Ranges([]).arm(_native.SLOT_COUNT)


def test_a_lone_surrogate_is_not_a_unit() -> None:
    with pytest.raises(UnicodeEncodeError):
        _native.slot("salt", "user", "\ud800")
