"""Whether the horizon will bring enough information, and what would.

A forecast promises nothing: it extends today's information linearly, while the true
limit is the number of distinct units. It is there so that a rollout that cannot be
decided says so on the first day and not on the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pitcanary.model.assessment import Forecast, MetricAssessment
from pitcanary.model.metric import MetricKind

RADIUS = 3.3
"""Standard errors that a 95 % interval reaches, about, once the data are many."""
SMALLEST_PROGRESS = 0.01


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the horizon has passed, 0 to 1, and the units seen in it."""

    used: float
    units: int = 0


def forecast(assessed: MetricAssessment, progress: Progress) -> Forecast | None:
    """Says what a metric will tell by the horizon; none while there is too little to say."""
    margin = _margin_size(assessed)
    standard_error = _standard_error(assessed)
    if margin <= 0 or standard_error is None or progress.used < SMALLEST_PROGRESS:
        return None
    needed = (RADIUS * standard_error / margin) ** 2
    return Forecast(
        growth_needed=needed,
        growth_expected=1 / min(progress.used, 1.0),
        units_needed=math.ceil(progress.units * needed) if progress.units else None,
        share_needed=_share_needed(assessed, needed, progress.used),
    )


def _margin_size(assessed: MetricAssessment) -> float:
    """The distance from "equal" to the stage's margin, in the unit of the arms' means."""
    margin, baseline = assessed.stage_margin, assessed.baseline.value
    if assessed.metric.kind is MetricKind.QUANTILE:
        # By how much a tail of lognormal latencies (sigma 0.8) shrinks when moved by the margin.
        return baseline * (1 - 2 ** (-margin.buckets / 22))
    if assessed.metric.kind is MetricKind.RATE and assessed.metric.direction.value == "down":
        baseline = 1 - baseline
    size = abs(margin.difference) + abs(margin.ratio - 1) * abs(baseline)
    return max(size, margin.floor)


def _standard_error(assessed: MetricAssessment) -> float | None:
    bounds = assessed.difference
    if bounds is None or not math.isfinite(bounds.high - bounds.low):
        return None
    return (bounds.high - bounds.low) / 2 / RADIUS


def _share_needed(assessed: MetricAssessment, needed: float, used: float) -> float | None:
    """The share at which the rest of the horizon would suffice; information grows as s(1 − s)."""
    total = assessed.baseline.n + assessed.candidate.n
    if used >= 1 or total == 0 or needed <= 1:
        return None
    share = assessed.candidate.n / total
    product = (needed - 1) * share * (1 - share) * used / (1 - used)
    if product > 0.25:
        return None
    return 0.5 - math.sqrt(0.25 - product)
