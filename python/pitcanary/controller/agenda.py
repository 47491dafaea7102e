"""When to look at which rollout next.

A rollout is looked at once per base tick, because deadlines pass without counts, and
as soon as a seal is due and counts wait for it. Times only; no store, no loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.rollout.schedule import SealSchedule

SOON = timedelta(seconds=1)
"""Between looks at a rollout that only waits for its start or for the fleet."""

LATE_TICKS = 3
"""A look overdue by so many base ticks is a fault of the loop."""


class Key(NamedTuple):
    """Which rollout."""

    environment: int
    rollout: int


@dataclass(frozen=True, slots=True)
class Entry:
    """When to look next.

    `seal_at` is when waiting counts may be sealed, None: never. `revision` is that of
    the rollout after the last look; another one means that somebody else changed it.
    """

    look_at: datetime
    seal_at: datetime | None
    tick: timedelta
    revision: int


class Agenda:
    """The entries of all rollouts that have not ended."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._counted: set[Key] = set()

    def keep_only(self, active: Mapping[Key, int], now: datetime) -> None:
        """Forgets rollouts that ended; new and changed ones are due at once.

        Args:
            active: The revision of every rollout that has not ended.
            now: The time.
        """
        self._entries = {key: entry for key, entry in self._entries.items() if key in active}
        for key, revision in active.items():
            if key not in self._entries or self._entries[key].revision != revision:
                self.again(key, now)

    def again(self, key: Key, at: datetime) -> None:
        """Looks at a rollout at a time, whatever was planned."""
        self._entries[key] = Entry(at, None, SOON, revision=0)

    def looked(self, key: Key, rollout: Rollout, now: datetime) -> None:
        """Plans the next look after one that was made."""
        self._counted.discard(key)
        if rollout.state.terminal:
            self._entries.pop(key, None)
            return
        tick = rollout.spec.policies.tick
        waits = rollout.state in {RolloutState.PENDING, RolloutState.PROMOTING}
        look_at = now + (min(tick, SOON) if waits else tick)
        self._entries[key] = Entry(look_at, seal_time(rollout), tick, rollout.revision)

    def counted(self, waiting: Iterable[Key]) -> None:
        """Counts have arrived for these rollouts and wait for a seal."""
        self._counted.update(key for key in waiting if key in self._entries)

    def due(self, now: datetime) -> list[Key]:
        """What to look at now, in a fixed order."""
        return sorted(key for key in self._entries if self._time(key) <= now)

    def next_time(self) -> datetime | None:
        """When something is due; None with nothing planned."""
        return min((self._time(key) for key in self._entries), default=None)

    def overdue(self, now: datetime) -> Iterator[Key]:
        """Rollouts whose look is late by several ticks."""
        for key, entry in self._entries.items():
            if now - entry.look_at > LATE_TICKS * max(entry.tick, SOON):
                yield key

    def _time(self, key: Key) -> datetime:
        entry = self._entries[key]
        if key in self._counted and entry.seal_at is not None:
            return min(entry.look_at, entry.seal_at)
        return entry.look_at


def seal_time(rollout: Rollout) -> datetime | None:
    """When the next seal may happen; None before the start and after the last one."""
    stage = rollout.stage
    if stage is None:
        return None
    policies = rollout.spec.policies
    schedule = SealSchedule(policies.tick, policies.horizon.max_time)
    return schedule.due_at(stage.seals, stage.sealed_at or stage.entered_at)
