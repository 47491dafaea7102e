"""Cells for tests: one description, given to the kernel and to the reference."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pitcanary._native import ArmCell, Fold
from tests.unit.statistics import reference

SliceCounts = list[tuple[int, int, int]]


def arm(slices: SliceCounts, sum_squares: int) -> ArmCell:
    return ArmCell(slices, sum_squares)


def stratum(
    baseline: tuple[SliceCounts, int], candidate: tuple[SliceCounts, int]
) -> reference.Stratum:
    arrays = [np.zeros(64) for _ in range(4)]
    for offset, (slices, _) in enumerate((baseline, candidate)):
        for slice_, n, total in slices:
            arrays[offset][slice_] = n
            arrays[2 + offset][slice_] = total
    n_b, n_c, x_b, x_c = arrays
    return reference.Stratum(n_b, n_c, x_b, x_c, xx_b=baseline[1], xx_c=candidate[1])


@st.composite
def rate_arm(draw: st.DrawFn) -> tuple[SliceCounts, int]:
    slices = []
    for slice_ in draw(st.sets(st.integers(0, 63), max_size=20)):
        n = draw(st.integers(1, 1000))
        slices.append((slice_, n, draw(st.integers(0, n))))
    return slices, 0


@st.composite
def mean_arm(draw: st.DrawFn) -> tuple[SliceCounts, int]:
    """Values in two groups per slice, so that squares and sums belong together."""
    slices, squares = [], 0
    for slice_ in draw(st.sets(st.integers(0, 63), max_size=20)):
        n, m = draw(st.integers(1, 30)), draw(st.integers(0, 30))
        x, y = draw(st.integers(-5000, 5000)), draw(st.integers(-5000, 5000))
        slices.append((slice_, n + m, n * x + m * y))
        squares += n * x * x + m * y * y
    return slices, squares


Strata = list[tuple[tuple[SliceCounts, int], tuple[SliceCounts, int]]]


def strata(arms: st.SearchStrategy[tuple[SliceCounts, int]]) -> st.SearchStrategy[Strata]:
    return st.lists(st.tuples(arms, arms), min_size=1, max_size=5)


def run(fold: Fold, data: Strata) -> Fold:
    for baseline, candidate in data:
        fold.absorb(arm(*baseline), arm(*candidate))
    return fold
