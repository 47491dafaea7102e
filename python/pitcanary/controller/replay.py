"""Stepping time by hand: the clock that stands still, and the service that moves it.

Offered only by a process started for a replay. A tick returns when its decision is
in force everywhere, so a recording that is played twice gives the same records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import grpc

from pitcanary.controller.connection import version_message
from pitcanary.controller.fleet import FleetRecorder
from pitcanary.controller.hub import ConfigHub
from pitcanary.controller.loop import Loop
from pitcanary.controller.status import status_of
from pitcanary.errors import PitcanaryError
from pitcanary.store.interface import ConfigVersion
from pitcanary.v1 import control_pb2, control_pb2_grpc

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)


class ReplayClock:
    """Stands still until it is set."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._now = now

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._now

    def set(self, now: datetime) -> None:
        """Sets the time from now on."""
        self._now = now


class ReplayBytes:
    """Bytes that look random and are the same in every replay; never for production."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def __call__(self, size: int) -> bytes:
        """Draws the next bytes."""
        self._drawn += 1
        return hashlib.shake_256(b"pitcanary replay %d %d" % (self._seed, self._drawn)).digest(size)


@dataclass(frozen=True, slots=True)
class ReplayParts:
    """What a tick needs; `push` publishes an environment's configuration."""

    clock: ReplayClock
    loop: Loop
    hub: ConfigHub
    fleet: FleetRecorder
    push: Callable[[int], Awaitable[ConfigVersion]]


class ReplayServicer(control_pb2_grpc.ReplayServiceServicer):
    """Sets the clock and ticks."""

    def __init__(self, parts: ReplayParts) -> None:
        self._parts = parts

    async def SetClock(  # noqa: N802 - the contract's name
        self,
        request: control_pb2.SetClockRequest,
        context: grpc.aio.ServicerContext[
            control_pb2.SetClockRequest, control_pb2.SetClockResponse
        ],
    ) -> control_pb2.SetClockResponse:
        """Sets the clock."""
        del context
        self._parts.clock.set(request.now.ToDatetime(tzinfo=timezone.utc))
        return control_pb2.SetClockResponse()

    async def Flush(  # noqa: N802 - the contract's name
        self,
        request: control_pb2.FlushRequest,
        context: grpc.aio.ServicerContext[control_pb2.FlushRequest, control_pb2.FlushResponse],
    ) -> control_pb2.FlushResponse:
        """Refused: sidecars upload, controllers do not."""
        del request
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "only a sidecar can flush")

    async def Tick(  # noqa: N802 - the contract's name
        self,
        request: control_pb2.TickRequest,
        context: grpc.aio.ServicerContext[control_pb2.TickRequest, control_pb2.TickResponse],
    ) -> control_pb2.TickResponse:
        """Looks at every rollout once and waits until the fleet serves what follows."""
        del request
        try:
            return await self._tick()
        except PitcanaryError as error:
            await context.abort(status_of(error), str(error))

    async def _tick(self) -> control_pb2.TickResponse:
        await self._settle()
        looks = await self._parts.loop.look_at_all()
        version = await self._settle()
        return control_pb2.TickResponse(
            config_version=version_message(version) if version else None,
            decision_ids=[look.decision.id for look in looks if look.decision],
        )

    async def _settle(self) -> ConfigVersion | None:
        """Everybody serves what is stored, and the store knows it at this time."""
        parts, version = self._parts, None
        for environment in sorted(parts.hub.environments()):
            version = await parts.push(environment)
            await parts.hub.settled(environment, version)
            names = [item.hello.sidecar_id for item in parts.hub.connected(environment)]
            parts.fleet.seen(environment, names)
        await parts.fleet.flush()
        return version
