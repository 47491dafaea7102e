"""A real controller on a real port with a real store, and peers that talk to it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import grpc

from pitcanary.config import ControllerSettings, Webhook
from pitcanary.controller.application import Controller, Listening, Surroundings
from pitcanary.controller.limits import Intervals, Limits
from pitcanary.controller.replay import ReplayClock
from pitcanary.controller.stored import rollout_of
from pitcanary.controller.trips import tripped
from pitcanary.store import Reader, open_store
from pitcanary.v1 import admin_pb2, admin_pb2_grpc, control_pb2, control_pb2_grpc

ConfigStream: TypeAlias = (
    "grpc.aio.StreamStreamCall[control_pb2.StreamConfigRequest, control_pb2.StreamConfigResponse]"
)

START = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)

FAST = Intervals(
    keep_alive=timedelta(milliseconds=50),
    watch_store=timedelta(milliseconds=50),
    outbox=timedelta(milliseconds=50),
)
"""So that a test never waits for an interval; nothing asserts how long one is."""


class ManualClock:
    """Stands still until it is moved; decisions run by themselves, unlike in a replay."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self.time

    def move(self, by: timedelta) -> None:
        """Lets time pass."""
        self.time += by


class SteppedClock(ReplayClock):
    """The clock of a replay, with a step: nothing is decided unless it is told to tick."""

    def __init__(self) -> None:
        super().__init__(START)

    def move(self, by: timedelta) -> None:
        """Lets time pass."""
        self.set(self.now() + by)


def counting_bytes() -> Callable[[int], bytes]:
    """Bytes that differ at every call and are the same in every run."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@dataclass
class Running:
    """A started controller and a channel to it."""

    controller: Controller
    clock: ManualClock | SteppedClock
    listening: Listening
    channel: grpc.aio.Channel

    @property
    def admin(self) -> admin_pb2_grpc.AdminServiceAsyncStub:
        """Calls of AdminService."""
        return admin_pb2_grpc.AdminServiceStub(self.channel)  # type: ignore[return-value]

    @property
    def control(self) -> control_pb2_grpc.ControlServiceAsyncStub:
        """Calls of ControlService."""
        return control_pb2_grpc.ControlServiceStub(self.channel)  # type: ignore[return-value]

    @property
    def replay(self) -> control_pb2_grpc.ReplayServiceAsyncStub:
        """Calls of ReplayService."""
        return control_pb2_grpc.ReplayServiceStub(self.channel)  # type: ignore[return-value]

    async def settled(self) -> None:
        """Waits until every connected sidecar has answered what is stored now."""
        stored = await self.controller.watch.refresh(1)
        await asyncio.wait_for(self.controller.hub.settled(1, stored), 10)

    async def tripped(self, count: int) -> None:
        """Waits until so many breaker trips of the first rollout are stored."""

        def look(reader: Reader) -> int:
            (row,) = reader.rollouts.active(1)
            return len(tripped(reader, 1, rollout_of(row)))

        while await self.controller.access.read(look) < count:
            pass  # every look waits for the store

    async def push(self, prompt: str, text: str, *labels: str) -> admin_pb2.VersionInfo:
        """Pushes a text version."""
        request = admin_pb2.PushVersionRequest(
            prompt=prompt, version_json=f'{{"text": "{text}"}}', labels=labels, actor="test"
        )
        return (await self.admin.PushVersion(request)).version


@asynccontextmanager
async def running(
    store: str = "sqlite://",
    *,
    clock: ManualClock | SteppedClock | None = None,
    intervals: Intervals = FAST,
    limits: Limits | None = None,
    webhook: Webhook | None = None,
    name: str = "",
) -> AsyncIterator[Running]:
    """Runs a controller on a free port of this machine."""
    clock = clock or ManualClock()
    settings = ControllerSettings(
        listen=("127.0.0.1:0",),
        store=store,
        name=name,
        metrics="127.0.0.1:0",
        drain_seconds=1.0,
        webhook=webhook or Webhook(),
    )
    opened = open_store(store)
    around = Surroundings(
        store=opened,
        clock=clock,
        random_bytes=counting_bytes(),
        intervals=intervals,
        limits=limits or Limits(),
    )
    controller = Controller(settings, around)
    try:
        listening = await controller.start()
        async with grpc.aio.insecure_channel(listening.addresses[0]) as channel:
            yield Running(controller, clock, listening, channel)
    finally:
        await controller.stop()
        opened.close()


@dataclass
class FakeSidecar:
    """The wire side of a sidecar: says Hello, acknowledges, uploads what it is given."""

    control: control_pb2_grpc.ControlServiceAsyncStub
    sidecar_id: str = "sidecar-1"
    boot_id: bytes = b"boot-0123456789a"
    held: control_pb2.ConfigVersion | None = None
    refuse: str = ""
    snapshots: list[control_pb2.Snapshot] = field(default_factory=list)
    keep_alives: list[control_pb2.ConfigVersion] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._news = asyncio.Event()
        self._stream: ConfigStream | None = None

    def hello(self) -> control_pb2.Hello:
        """The first message."""
        return control_pb2.Hello(
            sidecar_id=self.sidecar_id,
            boot_id=self.boot_id,
            build="test",
            config_version=self.held,
            namespace="default",
            environment="production",
        )

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[FakeSidecar]:
        """Holds the stream open and answers every snapshot."""
        self._stream = stream = self.control.StreamConfig()
        await stream.write(control_pb2.StreamConfigRequest(hello=self.hello()))
        task = asyncio.create_task(self._follow(stream))
        try:
            yield self
        finally:
            await stream.done_writing()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            stream.cancel()

    async def until(self, revision: int) -> control_pb2.Snapshot:
        """Waits for a snapshot of at least this revision."""
        while not self.snapshots or self.snapshots[-1].config_version.revision < revision:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 10)
        return self.snapshots[-1]

    async def until_alive(self) -> control_pb2.ConfigVersion:
        """Waits for a keep-alive."""
        while not self.keep_alives:
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 10)
        return self.keep_alives[-1]

    async def trip(self, epoch: int | None = None) -> None:
        """Says that it took the candidate back, now or in an earlier epoch."""
        (rollout,) = self.snapshots[-1].rollouts
        trip = control_pb2.BreakerTrip(
            rollout=rollout.id,
            allocation_epoch=epoch or rollout.allocation_epoch,
            candidate_failures=60,
            candidate_requests=60,
        )
        assert self._stream is not None
        await self._stream.write(control_pb2.StreamConfigRequest(breaker_trip=trip))

    async def _follow(self, stream: ConfigStream) -> None:
        async for message in stream:
            if message.HasField("keep_alive"):
                self.keep_alives.append(message.keep_alive.config_version)
            else:
                self.snapshots.append(message.snapshot)
                await stream.write(self._answer(message.snapshot.config_version))
            self._news.set()

    def _answer(self, version: control_pb2.ConfigVersion) -> control_pb2.StreamConfigRequest:
        if self.refuse:
            nack = control_pb2.Nack(config_version=version, reason=self.refuse, serving=self.held)
            return control_pb2.StreamConfigRequest(nack=nack)
        self.held = version
        return control_pb2.StreamConfigRequest(ack=control_pb2.Ack(config_version=version))


def store_file(folder: Path) -> str:
    """The address of a store in a folder."""
    return f"sqlite:///{folder / 'pitcanary.db'}"
