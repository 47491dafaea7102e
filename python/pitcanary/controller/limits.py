"""How often the controller acts by itself, and how much it takes from one peer.

Defaults in one place. What a process is told at its start is `pitcanary.config`;
the interval of seals belongs to each rollout.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often the controller does what it does by itself.

    Seals are not here: their interval belongs to each rollout.
    """

    keep_alive: timedelta = timedelta(seconds=3)
    watch_store: timedelta = timedelta(seconds=1)
    lease: timedelta = timedelta(seconds=10)
    outbox: timedelta = timedelta(seconds=1)
    stragglers: timedelta = timedelta(seconds=30)
    sidecar_flush: timedelta = timedelta(seconds=1)
    sidecar_stale: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one peer from starving the others."""

    message_bytes: int = (4 << 20) + (64 << 10)
    frame_bytes: int = 4 << 20
    queued_frames: int = 4_096
    group_frames: int = 512
    group_bytes: int = 16 << 20


UPLOADS_PER_SECOND = 200
"""What one controller is asked to commit; larger fleets upload more rarely."""


def flush_interval(intervals: Intervals, sidecars: int) -> timedelta:
    """How often each of so many sidecars uploads."""
    return max(intervals.sidecar_flush, timedelta(seconds=sidecars / UPLOADS_PER_SECOND))
