"""Simulated traffic: users who come back, drift, ramps, and what is counted of them.

A scenario is data. Users have an activity (lognormal), a slice, a slot and their own
event rate (beta with intraclass correlation); slots below the share are the
candidate's, so users keep their arm and some move at each ramp, as in production.
Per tick, counts per slice are Poisson with the exact sums over users, which is the
same process without drawing every request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SLICES = 64
TICK_WIDTH = 4 * SLICES + 2
Cells = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Who comes, how often, and what happens to them.

    `trend` is the factor of the baseline's rate from the first to the last tick, in
    equal steps of the logarithm around the middle; `daily` the swing of a sine with
    period 20 ticks. `ratio` multiplies the candidate's rate or mean.
    """

    rate: float
    ratio: float = 1.0
    requests: int = 500_000
    ticks: int = 80
    shares: tuple[float, ...] = (0.05,)
    users: int = 20_000
    activity: float = 1.0
    icc: float = 0.0
    trend: float = 1.0
    daily: float = 0.0

    def share_at(self, tick: int) -> float:
        return self.shares[tick * len(self.shares) // self.ticks]

    def drift_at(self, tick: int) -> float:
        part = tick / max(self.ticks - 1, 1) - 0.5
        return float(self.trend**part * (1 + self.daily * np.sin(2 * np.pi * tick / 20)))


def rate_cells(world: World, rng: np.random.Generator, replicates: int) -> Iterator[Cells]:
    """Yields batches of paths of a rate, shaped (paths, ticks, width)."""
    for size in _batches(replicates):
        cells = np.zeros((size, world.ticks, TICK_WIDTH), dtype=np.int64)
        for path in range(size):
            cells[path] = _rate_path(world, rng)
        yield cells


def mean_cells(world: World, rng: np.random.Generator, replicates: int) -> Iterator[Cells]:
    """The same for a mean: gamma values (shape 0.5, heavy-tailed) with a user's own level.

    `rate` is the mean in thousandths, `icc` the variance of the logarithm of levels.
    """
    for size in _batches(replicates):
        cells = np.zeros((size, world.ticks, TICK_WIDTH), dtype=np.int64)
        for path in range(size):
            cells[path] = _mean_path(world, rng)
        yield cells


def score_cells(world: World, rng: np.random.Generator, replicates: int) -> Iterator[Cells]:
    """Scores of 0 or 1,000: `rate` is the part of zeros. Squares follow from the sums."""
    for cells in rate_cells(world, rng, replicates):
        n_b, n_c, x_b, x_c = (cells[..., i * SLICES : (i + 1) * SLICES] for i in range(4))
        x_b[:] = (n_b - x_b) * 1000
        x_c[:] = (n_c - x_c) * 1000
        cells[..., -2] = x_b.sum(axis=-1) * 1000
        cells[..., -1] = x_c.sum(axis=-1) * 1000
        yield cells


def _batches(replicates: int, largest: int = 200) -> Iterator[int]:
    while replicates > 0:
        yield min(replicates, largest)
        replicates -= largest


@dataclass
class _Crowd:
    weight: Floats
    slice_: npt.NDArray[np.int64]
    slot: Floats


def _crowd(world: World, rng: np.random.Generator) -> _Crowd:
    weight = np.exp(world.activity * rng.standard_normal(world.users))
    weight *= world.requests / world.ticks / weight.sum()
    return _Crowd(weight, rng.integers(0, SLICES, world.users), rng.random(world.users))


def _by_slice(crowd: _Crowd, share: float, values: Floats) -> Floats:
    """Sums over users, shaped (arm, slice)."""
    group = (crowd.slot < share) * SLICES + crowd.slice_
    sums: Floats = np.bincount(group, values, 2 * SLICES).astype(np.float64)
    return sums.reshape(2, SLICES)


def _rate_path(world: World, rng: np.random.Generator) -> Cells:
    crowd = _crowd(world, rng)
    own = np.full(world.users, world.rate)
    if world.icc > 0:
        size = 1 / world.icc - 1
        own = rng.beta(world.rate * size, (1 - world.rate) * size, world.users)
    path = np.zeros((world.ticks, TICK_WIDTH), dtype=np.int64)
    sums: dict[float, tuple[Floats, Floats]] = {}
    for tick in range(world.ticks):
        share = world.share_at(tick)
        if share not in sums:
            factor = np.where(crowd.slot < share, world.ratio, 1.0)
            events = crowd.weight * np.minimum(own * factor, 1.0)
            sums[share] = _by_slice(crowd, share, crowd.weight), _by_slice(crowd, share, events)
        visits, events = sums[share]
        expected = np.minimum(events * world.drift_at(tick), visits)
        x = rng.poisson(expected)
        n = x + rng.poisson(visits - expected)
        path[tick, :-2] = np.concatenate([n[0], n[1], x[0], x[1]])
    return path


def _mean_path(world: World, rng: np.random.Generator) -> Cells:
    shape = 0.5
    crowd = _crowd(world, rng)
    spread = np.sqrt(world.icc)
    level = np.exp(spread * rng.standard_normal(world.users) - world.icc / 2) * world.rate * 1000
    path = np.zeros((world.ticks, TICK_WIDTH), dtype=np.int64)
    for tick in range(world.ticks):
        candidate = crowd.slot < world.share_at(tick)
        scale = level * np.where(candidate, world.ratio, 1.0) * world.drift_at(tick) / shape
        n = rng.poisson(crowd.weight)
        total = rng.gamma(np.maximum(n * shape, 1e-12)) * (n > 0)
        # Mean of the squares given the sum: the parts are Dirichlet.
        squares = total**2 * (shape + 1) / (n * shape + 1) * scale**2
        group = candidate * SLICES + crowd.slice_
        counts = np.bincount(group, n, 2 * SLICES)
        sums = np.rint(np.bincount(group, total * scale, 2 * SLICES))
        by_arm = np.bincount(candidate.astype(np.int64), squares, 2)
        path[tick, :-2] = np.concatenate([counts, sums * (counts > 0)])
        path[tick, -2:] = np.ceil(by_arm)
    return path
