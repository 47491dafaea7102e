"""The promises of the engine, measured through the real kernel with fixed seeds.

A rate of wrong claims passes when its one-sided 99 % lower bound is at most alpha.
The naive tests at the end fail on the same data, so the scenarios have teeth.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from pitcanary._native import fold_paths
from tests.simulation.scenarios import (
    DETECTIONS,
    FALSE_CLAIMS,
    RAMP,
    Claim,
    Detection,
    Scenario,
)
from tests.simulation.world import SLICES, World, rate_cells

ALPHA = 0.05
REPLICATES = 300
FIELDS = 5


def claims(scenario: Scenario, replicates: int) -> npt.NDArray[np.bool_]:
    """Whether the claim is made, per path and tick."""
    rng = np.random.default_rng(scenario.seed)
    column = 0 if scenario.claim is Claim.WORSE else 1
    found = []
    for cells in scenario.generate(scenario.world, rng, replicates):
        paths, ticks, _ = cells.shape
        out = np.frombuffer(fold_paths(scenario.contrast.fold(), ticks, cells.tobytes()))
        found.append(out.reshape(paths, ticks, FIELDS)[:, :, column] >= -math.log(ALPHA))
    return np.concatenate(found)


def lower_bound(hits: int, replicates: int) -> float:
    """One-sided 99 % Clopper–Pearson bound."""
    return float(stats.beta.ppf(0.01, hits, replicates - hits + 1)) if hits else 0.0


@pytest.mark.parametrize("scenario", FALSE_CLAIMS, ids=lambda scenario: scenario.name)
def test_wrong_claims_are_rare(scenario: Scenario) -> None:
    hits = int(claims(scenario, REPLICATES).any(axis=1).sum())
    assert lower_bound(hits, REPLICATES) <= ALPHA, f"{hits} of {REPLICATES}"


@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda detection: detection.scenario.name)
def test_what_is_there_is_found_in_time(detection: Detection) -> None:
    made = claims(detection.scenario, 100)
    found = made.any(axis=1)
    world = detection.scenario.world
    requests = (made.argmax(axis=1) + 1) * world.requests / world.ticks
    median = float(np.median(np.where(found, requests, math.inf)))
    assert found.mean() >= detection.power
    assert median <= detection.median_requests


def _two_proportions(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The z of pooled counts after every tick, as a dashboard would compute it."""
    n_b, n_c, x_b, x_c = (
        cells[..., i * SLICES : (i + 1) * SLICES].sum(axis=-1).cumsum(axis=1).astype(float)
        for i in range(4)
    )
    pooled = (x_b + x_c) / (n_b + n_c)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n_b + 1 / np.maximum(n_c, 1)))
    return np.asarray((x_c / np.maximum(n_c, 1) - x_b / n_b) / np.maximum(error, 1e-12))


NAIVE = [
    pytest.param(World(0.03, activity=1.5, icc=0.05), 0.3, id="looking at z after every tick"),
    pytest.param(World(0.03, shares=RAMP, trend=4.0), 0.9, id="pooling stages while errors rise"),
]


@pytest.mark.parametrize(("world", "at_least"), NAIVE)
def test_the_naive_test_falls_into_the_trap(world: World, at_least: float) -> None:
    (cells,) = rate_cells(world, np.random.default_rng(1), 100)
    assert (_two_proportions(cells) > 1.645).any(axis=1).mean() >= at_least


def test_a_history_replays_to_the_same_bits() -> None:
    scenario = FALSE_CLAIMS[0]
    rng = np.random.default_rng(5)
    (cells,) = scenario.generate(scenario.world, rng, 3)
    first = fold_paths(scenario.contrast.fold(), cells.shape[1], cells.tobytes())
    assert fold_paths(scenario.contrast.fold(), cells.shape[1], cells.tobytes()) == first
