"""When requests arrive: at recorded times, or evenly at a rate.

Arrivals that are fewer than the requests start over, moved by the time they span.
Times are the recording's own; nothing here waits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


class Arrivals(Protocol):
    """The times of arrival of requests 0, 1, 2 …, never falling."""

    @property
    def start(self) -> datetime:
        """Just before the first request."""
        ...

    def until(self, moment: datetime) -> int:
        """How many requests have arrived at `moment`."""
        ...


@dataclass(frozen=True, slots=True)
class EvenArrivals:
    """A constant rate of requests per second."""

    start: datetime
    per_second: float

    def until(self, moment: datetime) -> int:
        """How many requests have arrived at `moment`."""
        return max(0, int((moment - self.start).total_seconds() * self.per_second))


class RecordedArrivals:
    """Recorded times, over and over."""

    def __init__(self, times: Sequence[datetime]) -> None:
        self._times = times
        spans = len(times) > 1 and times[-1] > times[0]
        mean = (times[-1] - times[0]) / (len(times) - 1) if spans else timedelta(seconds=1)
        self._round = times[-1] - times[0] + mean

    @property
    def start(self) -> datetime:
        """Just before the first request."""
        return self._times[0]

    def until(self, moment: datetime) -> int:
        """How many requests have arrived at `moment`."""
        if moment < self.start:
            return 0
        rounds, within = divmod(moment - self.start, self._round)
        return rounds * len(self._times) + bisect_right(self._times, self.start + within)
