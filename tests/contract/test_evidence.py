"""Evidence through the extension equals what an independent generator wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary import _native

VECTORS = Path(__file__).parents[1] / "vectors" / "evidence.json"

GENERATION = 1


class CellTotals(TypedDict):
    key: list[int]
    n: int
    sums: list[str]
    moments: list[str]


class Totals(TypedDict):
    cells: list[CellTotals]


class Case(TypedDict):
    seed: int
    frames: list[str]
    merged: dict[str, str]
    totals: Totals


CASES: list[Case] = json.loads(VECTORS.read_text())["cases"]

each_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"seed {case['seed']}") for case in CASES]
)


def frames_of(case: Case) -> list[bytes]:
    return [bytes.fromhex(frame) for frame in case["frames"]]


@each_case
def test_frames_merge_to_the_same_bytes_in_any_order(case: Case) -> None:
    merged = _native.merge_evidence(frames_of(case))
    assert {str(rollout): part.hex() for rollout, part in merged.items()} == case["merged"]
    assert _native.merge_evidence(frames_of(case)[::-1]) == merged


@each_case
def test_bundles_of_one_rollout_merge_as_their_frames_do(case: Case) -> None:
    alone = [_native.merge_evidence([frame]) for frame in frames_of(case)]
    for rollout, expected in case["merged"].items():
        parts = [parts[int(rollout)] for parts in alone if int(rollout) in parts]
        assert _native.merge_bundles(parts).hex() == expected


@each_case
def test_comparisons_hold_every_observation_of_both_arms(case: Case) -> None:
    bundle = _native.Bundle.merge([_native.Bundle.from_frame(frame) for frame in frames_of(case)])
    found = {}
    for rollout in range(3):
        for metric in range(4):
            for epoch, threshold_set, segment, *arms in bundle.comparisons(
                rollout=rollout, generation=GENERATION, metric=metric, arm=1
            ):
                for arm, columns in enumerate(arms):
                    key = (rollout, GENERATION, epoch, threshold_set, segment, arm, metric)
                    sums = [sum(total for _, _, total in column.slices) for column in columns]
                    found[key] = (columns[0].n, sums)
    expected = {
        tuple(cell["key"]): (cell["n"], [int(total) for total in cell["sums"]])
        for cell in case["totals"]["cells"]
    }
    assert {key: counts for key, counts in found.items() if counts[0]} == expected


def test_losses_come_with_rollout_0() -> None:
    frames = frames_of(CASES[-1])
    parts = _native.Bundle.merge([_native.Bundle.from_frame(frame) for frame in frames]).split()
    assert sum(parts[0].losses.rejected.values()) > 0
    assert parts[0].losses.foreign > 0
    assert all(parts[rollout].losses == _native.Bundle().losses for rollout in parts if rollout)


@given(data=st.binary(max_size=200))
def test_other_bytes_are_value_errors(data: bytes) -> None:
    for read in (_native.Bundle.from_bytes, _native.Bundle.from_frame):
        try:
            bundle = read(data)
        except ValueError:
            continue
        assert _native.Bundle.from_bytes(bundle.to_bytes()) == bundle


def test_built_in_metrics_are_named() -> None:
    assert _native.BUILT_IN_METRICS[0] == "error"
    assert len(set(_native.BUILT_IN_METRICS)) == len(_native.BUILT_IN_METRICS)
