"""The clock as an argument.

Nothing below the process entry reads the time: the entry hands in the system's
clock, a replay hands in one that stands still until it is set.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The time in UTC, in whole microseconds, with time zone."""
        ...
