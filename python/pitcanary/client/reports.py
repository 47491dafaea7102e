"""How many reports are under way and what became of the others.

Bounded on purpose: an application must never wait for, or run out of memory
because of, its own telemetry. What is dropped is counted.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReportCounts:
    """What became of the reports of a client."""

    accepted: int
    failed: int
    dropped: int
    pending: int


class PendingReports:
    """Counts reports from `begin` to `end`; safe from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._accepted = self._failed = self._dropped = self._pending = 0

    def begin(self) -> bool:
        """Takes a place; `False` when none is free, and the report is dropped."""
        with self._changed:
            if self._pending >= self._limit:
                self._dropped += 1
                return False
            self._pending += 1
            return True

    def end(self, accepted: bool) -> None:
        """Gives the place back."""
        with self._changed:
            self._pending -= 1
            if accepted:
                self._accepted += 1
            else:
                self._failed += 1
                logger.debug("report_failed")
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Waits until none is under way; `False` when some still are."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout)

    @property
    def counts(self) -> ReportCounts:
        """What became of all reports so far."""
        with self._changed:
            return ReportCounts(self._accepted, self._failed, self._dropped, self._pending)
