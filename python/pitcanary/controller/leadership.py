"""The right to decide: one process has it at a time, by the store's clock.

A lease that is lost is found out at the latest when a decision is written: the
store refuses one under an older fence. So a process that was stopped for a while
and goes on believing that it leads can do no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.metrics import Metrics
from pitcanary.controller.writer import Priority
from pitcanary.errors import Conflict
from pitcanary.store.interface import Lease

log = logging.getLogger(__name__)

NAME = "decisions"
RENEWALS = 3
"""How often a lease is renewed within its length."""


class Leadership:
    """This process's claim to decide."""

    def __init__(
        self,
        access: StoreAccess,
        metrics: Metrics,
        holder: str,
        length: timedelta,
        monotonic: Callable[[], float],
    ) -> None:
        self._access = access
        self._metrics = metrics
        self._holder = holder
        self._length = length.total_seconds()
        self._monotonic = monotonic
        self._lease: Lease | None = None
        self._renewed = 0.0

    async def hold(self) -> Lease | None:
        """Takes or keeps the lease; None while another process has it.

        Raises:
            StoreUnavailable: The store cannot say who leads.
        """
        now = self._monotonic()
        if self._lease is not None and now - self._renewed < self._length / RENEWALS:
            return self._lease
        held = await self._renew(self._lease) if self._lease else None
        if held is None:
            held = await self._acquire()
        if held != self._lease:
            log.info("leadership leads=%s holder=%s", held is not None, self._holder)
        self._lease, self._renewed = held, now
        self._metrics.leader.set(held is not None)
        return held

    def lost(self) -> None:
        """A write was refused: ask again before the next one."""
        self._renewed = -self._length

    async def release(self) -> None:
        """Gives the lease back, so that another process need not wait for its end."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await self._access.write(Priority.DECISION, lambda tx: tx.leases.release(lease))
        self._metrics.leader.set(0)

    async def _renew(self, lease: Lease) -> Lease | None:
        try:
            await self._access.write(
                Priority.DECISION, lambda tx: tx.leases.renew(lease, self._length)
            )
        except Conflict:
            return None
        return lease

    async def _acquire(self) -> Lease | None:
        return await self._access.write(
            Priority.DECISION, lambda tx: tx.leases.acquire(NAME, self._holder, self._length)
        )
