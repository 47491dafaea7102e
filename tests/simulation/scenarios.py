"""The guarantees as data: a world, a contrast, and how often the engine may be wrong.

Both lists run with every test run; longer runs add entries and replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from pitcanary._native import Fold
from tests.simulation.world import Cells, World, mean_cells, rate_cells, score_cells

Generate = Callable[[World, np.random.Generator, int], Iterator[Cells]]
RAMP = (0.01, 0.05, 0.25, 0.50)


class Claim(Enum):
    """What the engine might declare."""

    WORSE = "worse"
    BETTER = "better"


@dataclass(frozen=True)
class Contrast:
    """Arguments of a fold."""

    family: str = "rate"
    harm: str = "up"
    ratio: float = 1.0
    difference: float = 0.0
    floor: float | None = None
    worst: float | None = None

    def fold(self) -> Fold:
        return Fold(
            self.family,
            self.harm,
            self.ratio,
            self.difference,
            floor=self.floor,
            worst=self.worst,
        )


@dataclass(frozen=True)
class Scenario:
    """One line of the table: `claim` is wrong here, or must be found here."""

    name: str
    world: World
    contrast: Contrast
    claim: Claim
    generate: Generate = field(default=rate_cells)
    seed: int = 20261123


CLUSTERED = World(0.03, activity=1.5, icc=0.05)
"""Users who repeat themselves: few of them make much of the traffic."""
ROLLBACK = Contrast(ratio=1.1, floor=0.002)

FALSE_CLAIMS = (
    Scenario(
        "equal arms, users who repeat themselves: no false harm",
        CLUSTERED,
        Contrast(),
        Claim.WORSE,
    ),
    Scenario(
        "exactly at the rollback margin: no false harm",
        replace(CLUSTERED, ratio=1.1),
        ROLLBACK,
        Claim.WORSE,
    ),
    Scenario(
        "exactly at the floor of a rare rate: no false harm",
        World(0.002, 2.0),
        ROLLBACK,
        Claim.WORSE,
    ),
    Scenario(
        "2,000 users at 25 %: no false harm",
        replace(CLUSTERED, users=2000, shares=(0.25,)),
        Contrast(),
        Claim.WORSE,
    ),
    Scenario(
        "at the margin with 1 % share and rate 1 %: no false advance",
        World(0.01, 1.5, shares=(0.01,)),
        Contrast(ratio=1.5),
        Claim.BETTER,
    ),
    Scenario(
        "at the margin with 1 % share and rate 0.2 %: no false advance from zero events",
        World(0.002, 3.0, shares=(0.01,)),
        Contrast(ratio=3.0),
        Claim.BETTER,
    ),
    Scenario(
        "at the final margin with repeating users: no false advance",
        World(0.03, 1.25, shares=(0.5,), activity=1.5, icc=0.02),
        Contrast(ratio=1.25),
        Claim.BETTER,
    ),
    Scenario(
        "ramp while errors quadruple: no false harm (Simpson)",
        replace(CLUSTERED, shares=RAMP, trend=4.0),
        Contrast(),
        Claim.WORSE,
    ),
    Scenario(
        "ramp while errors quarter: no false advance (Simpson)",
        replace(CLUSTERED, ratio=1.25, shares=RAMP, trend=0.25),
        Contrast(ratio=1.25),
        Claim.BETTER,
    ),
    Scenario(
        "1 % of users, few of them heavy, at margin 3: no false advance",
        replace(CLUSTERED, ratio=3.0, shares=(0.01,)),
        Contrast(ratio=3.0),
        Claim.BETTER,
    ),
    Scenario(
        "scores almost always perfect: no false advance from perfect ones",
        World(0.001, 16.0, requests=20_000, ticks=40),
        Contrast("mean", "down", difference=15.0, worst=0.0),
        Claim.BETTER,
        generate=score_cells,
    ),
    Scenario(
        "heavy-tailed cost at its margin: no false harm",
        World(1.0, 1.05, requests=100_000, ticks=20, users=2000, icc=0.3),
        Contrast("mean", ratio=1.05),
        Claim.WORSE,
        generate=mean_cells,
    ),
    Scenario(
        "heavy-tailed cost at its margin: no false advance",
        World(1.0, 1.3, requests=100_000, ticks=20, users=2000, icc=0.3, shares=(0.01,)),
        Contrast("mean", ratio=1.3),
        Claim.BETTER,
        generate=mean_cells,
    ),
)


@dataclass(frozen=True)
class Detection:
    """What must be found: how often at least, and by how many requests in the median."""

    scenario: Scenario
    power: float
    median_requests: float


DETECTIONS = (
    Detection(
        Scenario(
            "twice the errors at 5 %, 20,000 users who repeat themselves",
            replace(CLUSTERED, ratio=2.0, requests=1_000_000, ticks=150),
            Contrast(),
            Claim.WORSE,
        ),
        power=0.93,
        median_requests=30_000,
    ),
    Detection(
        # 1.1 × (fixed-sample N for 80 % power = 121,800) + one batch of 2,000.
        Scenario(
            "errors 1 to 2 % at 1 %, independent requests",
            World(0.01, 2.0, requests=400_000, ticks=200, shares=(0.01,), activity=0.0),
            Contrast(),
            Claim.WORSE,
        ),
        power=0.9,
        median_requests=136_000,
    ),
    Detection(
        Scenario(
            "an equal candidate may advance at 5 % with margin 2",
            World(0.03, requests=400_000, ticks=80, activity=1.0, icc=0.02),
            Contrast(ratio=2.0),
            Claim.BETTER,
        ),
        power=0.9,
        median_requests=200_000,
    ),
)
