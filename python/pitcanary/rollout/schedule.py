"""When evidence is sealed: often at first, ever more rarely towards the horizon.

The times depend on time and on whether anything was counted, never on values, so
looking cannot be tuned to what would be seen. A stage has at most 256 seals: 128 at
the base tick, then intervals that grow by one factor so that the last falls at the
horizon. Who seals, and what a seal does, is the controller's loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

BASE_SEALS = 128
"""Seals at the base tick."""

MOST_SEALS = 256
"""Seals of one stage; there is never a further one."""


@dataclass(frozen=True, slots=True)
class SealSchedule:
    """The seals of one stage, for a base tick and a horizon."""

    tick: timedelta
    max_time: timedelta

    def interval(self, seals: int) -> timedelta | None:
        """The least time between the last of `seals` seals and the next.

        Returns:
            The base tick for the first 128, then growing; None after the 256th.
        """
        if seals >= MOST_SEALS:
            return None
        if seals < BASE_SEALS:
            return self.tick
        growth = _growth((self.max_time / self.tick) - BASE_SEALS)
        return self.tick * growth ** (seals - BASE_SEALS + 1)

    def due_at(self, seals: int, since: datetime) -> datetime | None:
        """When the next seal may happen.

        Args:
            seals: How many this stage has had.
            since: Time of the last one, or of the stage's beginning.
        """
        interval = self.interval(seals)
        return None if interval is None else since + interval

    def is_due(self, seals: int, since: datetime, *, counted: bool, now: datetime) -> bool:
        """Whether to seal now; never when nothing was counted since the last seal."""
        due = self.due_at(seals, since)
        return counted and due is not None and now >= due


@lru_cache(maxsize=1024)
def _growth(ticks: float) -> float:
    """The factor `r` for which r + r² + … + r¹²⁸ is `ticks`, and 1 when that is less than 128."""
    terms = MOST_SEALS - BASE_SEALS
    low, high = 1.0, 2.0
    if ticks <= terms:
        return low
    while _sum(high, terms) < ticks:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _sum(middle, terms) < ticks else (low, middle)
    return low


def _sum(factor: float, terms: int) -> float:
    total = 0.0
    for _ in range(terms):
        total = (total + 1.0) * factor
    return total
