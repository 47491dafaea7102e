"""Looks at every rollout in time, as long as this process leads.

Sleeps until something is due or somebody has news. A rollout that fails stops no
other; a loop that is late is told by `watchdog`. What a look does is
`controller.tick`, when it is due `controller.agenda`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.agenda import Agenda, Key
from pitcanary.controller.bell import Bell
from pitcanary.controller.figures import Figures
from pitcanary.controller.leadership import Leadership
from pitcanary.controller.metrics import Metrics
from pitcanary.controller.tick import Look, Ticker
from pitcanary.controller.writer import Priority
from pitcanary.errors import Conflict, PitcanaryError
from pitcanary.model.action import Action
from pitcanary.model.clock import Clock
from pitcanary.store.interface import ConfigVersion, Lease, Reader

log = logging.getLogger(__name__)

RELIST = timedelta(seconds=10)
"""The list of rollouts is read this often even without news."""

LONGEST_SLEEP = 1.0


@dataclass(frozen=True, slots=True)
class LoopParts:
    """What the loop works with; `push` publishes an environment's configuration."""

    access: StoreAccess
    ticker: Ticker
    leadership: Leadership
    clock: Clock
    metrics: Metrics
    push: Callable[[int], Awaitable[ConfigVersion]]
    monotonic: Callable[[], float]


class Loop:
    """The controller's heart; runs on the event loop."""

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self._agenda = Agenda()
        self._arrived: dict[Key, float] = {}
        self._bell = Bell()
        self._relist = True
        self._counts = True
        self._listed_at: float | None = None

    def rollouts_changed(self, _environment: int) -> None:
        """A rollout was applied or acted on, by anybody."""
        self._relist = True
        self._bell.ring()

    def evidence_arrived(self, _environment: int) -> None:
        """Counts were committed, by any replica."""
        self._counts = True
        self._bell.ring()

    async def run(self) -> None:
        """Looks at rollouts until it is cancelled."""
        while True:
            try:
                pause = await self._round()
            except PitcanaryError as error:
                log.error("loop_round_failed error=%s", error)
                pause = LONGEST_SLEEP
            await self._bell.wait(pause)

    async def watchdog(self) -> None:
        """Tells when looks are late by several ticks; until it is cancelled."""
        stalled = False
        while True:
            late = sorted(self._agenda.overdue(self._parts.clock.now()))
            if bool(late) != stalled:
                stalled = bool(late)
                log.log(
                    logging.ERROR if stalled else logging.INFO,
                    "loop_stalled stalled=%s rollouts=%s", stalled, late,
                )  # fmt: skip
                self._parts.metrics.loop_stalled.set(stalled)
            await asyncio.sleep(LONGEST_SLEEP)

    async def look_at_all(self) -> list[Look]:
        """Looks once at every rollout that has not ended, due or not; for replays."""
        lease = await self._parts.leadership.hold()
        keys = await self._parts.access.read(active_rollouts)
        return [look for key in keys if (look := await self._look(key, lease)) is not None]

    async def _round(self) -> float:
        lease = await self._parts.leadership.hold()
        if lease is None:
            return LONGEST_SLEEP
        await self._read_news()
        for key in self._agenda.due(self._parts.clock.now()):
            await self._look(key, lease)
        next_time = self._agenda.next_time()
        if next_time is None:
            return LONGEST_SLEEP
        wait = (next_time - self._parts.clock.now()).total_seconds()
        return min(max(wait, 0.0), LONGEST_SLEEP)

    async def _read_news(self) -> None:
        now = self._parts.monotonic()
        stale = self._listed_at is None or now - self._listed_at >= RELIST.total_seconds()
        if self._relist or stale:
            self._relist, self._listed_at = False, now
            active = await self._parts.access.read(active_rollouts)
            self._agenda.keep_only(active, self._parts.clock.now())
            self._parts.metrics.rollouts.keep_only(active)
            self._counts = True
        if self._counts:
            self._counts = False
            waiting = await self._parts.access.read(waiting_rollouts)
            self._agenda.counted(waiting)
            for key in waiting:
                self._arrived.setdefault(key, now)

    async def _look(self, key: Key, lease: Lease | None) -> Look | None:
        parts, started = self._parts, self._parts.monotonic()
        now = parts.clock.now()
        try:
            look = await parts.access.write(
                Priority.DECISION,
                lambda tx: parts.ticker.look(tx, key.environment, key.rollout, now, lease),
            )
        except Conflict as conflict:
            parts.metrics.ticks.labels("conflict").inc()
            log.info("tick_conflict rollout=%d reason=%s", key.rollout, conflict)
            parts.leadership.lost()
            self._agenda.again(key, now + timedelta(seconds=LONGEST_SLEEP))
            return None
        except Exception:
            # A rollout that cannot be looked at holds; it must not stop the others.
            parts.metrics.ticks.labels("failed").inc()
            log.exception("tick_failed environment=%d rollout=%d", *key)
            self._agenda.again(key, now + timedelta(seconds=LONGEST_SLEEP))
            return None
        parts.metrics.tick.observe(parts.monotonic() - started)
        parts.metrics.ticks.labels("sealed" if look.sealed else "looked").inc()
        self._agenda.looked(key, look.rollout, now)
        self._show(key, look, now)
        await self._follow_up(key, look)
        return look

    def _show(self, key: Key, look: Look, now: datetime) -> None:
        notes = look.notes
        figures = Figures(
            look.rollout, notes.assessment, notes.shares_actual, notes.sample_ratio_log_e, now
        )
        self._parts.metrics.rollouts.put(key, figures)

    async def _follow_up(self, key: Key, look: Look) -> None:
        arrived = self._arrived.pop(key, None) if look.sealed else None
        if look.decision is None:
            return
        await self._parts.push(key.environment)
        log.info(
            "decided rollout=%s action=%s rule=%r decision=%s",
            look.rollout.spec.name, look.decision.action, look.decision.rule, look.decision.id,
        )  # fmt: skip
        if look.decision.action == Action.ROLLBACK.value and arrived is not None:
            self._parts.metrics.breach_to_push.observe(self._parts.monotonic() - arrived)


def active_rollouts(reader: Reader) -> dict[Key, int]:
    """The revision of every rollout that has not ended, in a fixed order."""
    return {
        Key(environment.id, row.id): row.revision
        for environment in reader.environments.list()
        for row in reader.rollouts.active(environment.id)
    }


def waiting_rollouts(reader: Reader) -> list[Key]:
    """Every rollout with counts that no seal has taken yet."""
    return [Key(count.environment, count.rollout) for count in reader.evidence.waiting()]
