"""Whether the evidence may be believed: who reports, how fresh, and how evenly split.

Facts gathered by the controller for one tick of one rollout. What follows from them
is `rollout.gate`'s job; none of them is ever a pass or a fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Health:
    """The facts of one tick.

    `sidecars_expected` were connected lately, `sidecars_reporting` of them owe nothing:
    they uploaded in time or had nothing to upload. `evidence_age` is the time since the
    newest counts of this rollout arrived, none before the first. `sample_ratio_log_e` is
    the evidence that units are split otherwise than decided. Units are those first seen
    in this stage, `units_mixed` met two arms. `breaker_trips` counts sidecars that took
    this rollout's candidate back in the current epoch. `sidecars_behind` names connected
    ones that do not serve the current configuration.
    """

    sidecars_expected: int = 0
    sidecars_reporting: int = 0
    sidecars_behind: tuple[str, ...] = ()
    breaker_trips: int = 0
    evidence_age: timedelta | None = None
    flush_interval: timedelta = timedelta(0)
    sample_ratio_log_e: float | None = None
    units: int = 0
    units_mixed: int = 0
    drift: bool = False

    @property
    def coverage(self) -> float:
        """The part of the expected sidecars that report; 0 when none is expected."""
        return self.sidecars_reporting / self.sidecars_expected if self.sidecars_expected else 0.0
