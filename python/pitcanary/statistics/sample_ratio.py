"""Do units fall into the arms as decided? If not, no comparison can be believed.

Counts units first seen in each stage; stages multiply, because each tests new units
against its own shares. Never fed with requests: how often a unit comes back may
depend on its arm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pitcanary._native import log_sample_ratio
from pitcanary.errors import EvidenceRefused

CONCENTRATION = 1000.0
"""Weight of the prior, in units: looks for deviations of a few per cent of the whole."""
ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class StageUnits:
    """Units first seen in one stage, by arm, and the shares they should have."""

    counts: tuple[int, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """The evidence that units are split otherwise than decided."""

    log_e: float
    alarm: bool
    observed: tuple[float, ...]
    """The last stage's split, empty before its first unit."""


def sample_ratio(stages: Sequence[StageUnits], *, alpha: float = ALPHA) -> SampleRatio:
    """Tests the split of all stages together.

    Raises:
        EvidenceRefused: For shares that are not positive, do not sum to 1, or do not
            match the counts.
    """
    log_e = sum(_stage(stage) for stage in stages)
    last = stages[-1].counts if stages else ()
    units = sum(last)
    observed = tuple(count / units for count in last) if units else ()
    return SampleRatio(log_e=log_e, alarm=log_e >= -math.log(alpha), observed=observed)


def _stage(stage: StageUnits) -> float:
    log_e = None
    if min(stage.counts, default=0) >= 0 and math.isclose(sum(stage.shares), 1, rel_tol=1e-9):
        log_e = log_sample_ratio(list(stage.counts), list(stage.shares), CONCENTRATION)
    if log_e is None:
        raise EvidenceRefused(
            f"unit counts `{stage.counts}` cannot be tested against shares `{stage.shares}`; "
            "shares are positive, sum to 1 and are one per arm"
        )
    return log_e
