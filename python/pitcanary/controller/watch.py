"""Keeps what is pushed equal to what is stored.

Looks at the store when it is woken, and every second even if it is not; builds
a snapshot only when the stored version is newer than the pushed one. A keep-alive
goes out only after a look that succeeded: a controller that cannot read its store
must not claim that a configuration is current. Sending is `controller.hub`'s job.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.bell import Bell
from pitcanary.controller.connection import Published
from pitcanary.controller.hub import ConfigHub
from pitcanary.controller.limits import Intervals
from pitcanary.errors import PitcanaryError
from pitcanary.store.interface import ConfigVersion, Reader

log = logging.getLogger(__name__)


class ConfigWatch:
    """Publishes every change of configuration to the sidecars of this process.

    Args:
        access: The store.
        hub: The open streams.
        build: Makes the snapshot of an environment from one consistent view.
        confirm: Tells the sidecars of an environment that what they hold is current.
        intervals: How often to look and to confirm.
        monotonic: Seconds of a clock that never steps.
    """

    def __init__(
        self,
        access: StoreAccess,
        hub: ConfigHub,
        build: Callable[[Reader, int], Published],
        confirm: Callable[[int], None],
        intervals: Intervals,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._access = access
        self._hub = hub
        self._build = build
        self._confirm = confirm
        self._intervals = intervals
        self._monotonic = monotonic
        self._building: dict[int, asyncio.Lock] = {}
        self._confirmed: dict[int, float] = {}
        self._bell = Bell()
        self.wake = self._bell.ring

    async def refresh(self, environment: int) -> ConfigVersion:
        """Publishes the stored configuration if it is newer; returns the stored version.

        Raises:
            PitcanaryError: The store cannot be read, or its content is not understood.
        """
        async with self._building.setdefault(environment, asyncio.Lock()):
            stored = await self._access.read(
                lambda reader: reader.environments.config_version(environment)
            )
            current = self._hub.current(environment)
            if current is None or current < stored:
                published = await self._access.read(lambda reader: self._build(reader, environment))
                self._hub.publish(environment, published)
                stored = published.version
        return stored

    async def run(self) -> None:
        """Follows the store until it is cancelled."""
        pause = self._intervals.watch_store.total_seconds()
        while True:
            await self._bell.wait(pause)
            for environment in sorted(self._hub.environments()):
                await self._look(environment)

    async def _look(self, environment: int) -> None:
        try:
            await self.refresh(environment)
        except PitcanaryError as error:
            log.error("config_not_confirmed environment=%d error=%s", environment, error)
            return
        now = self._monotonic()
        interval = self._intervals.keep_alive.total_seconds()
        if now - self._confirmed.get(environment, -interval) >= interval:
            self._confirmed[environment] = now
            self._confirm(environment)
