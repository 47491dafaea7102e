"""What the evidence says about one metric.

Only `PASS` may ever raise a share and only `REGRESSED` may ever take it back. The
other four say why neither is known; none of them ages into one of the two.
"""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """The state of the evidence for one metric of one arm."""

    PASS = "pass"  # noqa: S105
    """Not worse than the stage's margin."""
    REGRESSED = "regressed"
    """Worse than the rollback margin."""
    INCONCLUSIVE = "inconclusive"
    """Enough data to look, not enough to tell."""
    INSUFFICIENT_DATA = "insufficient_data"
    """Fewer observations than a look needs."""
    MEASUREMENT_ERROR = "measurement_error"
    """The values could not be measured, for example because an evaluator failed."""
    MUTED = "muted"
    """An operator took the metric out of the decision."""
