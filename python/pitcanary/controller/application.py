"""Puts the parts of a controller together, starts them and stops them.

The only place that knows every part. Time, randomness and the store are handed in:
the process entry gives the real ones, tests and replays give theirs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pitcanary.config import ControllerSettings
from pitcanary.controller import server
from pitcanary.controller.access import StoreAccess
from pitcanary.controller.admin.calls import Tools
from pitcanary.controller.admin.scope import RandomBytes, ensure
from pitcanary.controller.admin.service import admin_service
from pitcanary.controller.admin.watch import RolloutNews
from pitcanary.controller.commit import GroupCommit
from pitcanary.controller.control import ControlParts, ControlServicer
from pitcanary.controller.effects import ChangeWriter
from pitcanary.controller.fleet import FleetRecorder
from pitcanary.controller.hub import ConfigHub
from pitcanary.controller.incarnation import overtake
from pitcanary.controller.ingest import Ingest
from pitcanary.controller.leadership import Leadership
from pitcanary.controller.limits import Intervals, Limits
from pitcanary.controller.loop import Loop, LoopParts
from pitcanary.controller.metrics import Metrics, MetricsServer, serve
from pitcanary.controller.replay import ReplayClock, ReplayParts, ReplayServicer
from pitcanary.controller.snapshot import SnapshotBuilder
from pitcanary.controller.tasks import Tasks
from pitcanary.controller.tick import Ticker
from pitcanary.controller.trips import Trip, record_trip
from pitcanary.controller.wakeups import Wakeups
from pitcanary.controller.watch import ConfigWatch
from pitcanary.controller.webhook import WebhookSender
from pitcanary.controller.writer import Priority
from pitcanary.model.clock import Clock
from pitcanary.store.interface import Scope, SidecarHello, Store, Topic
from pitcanary.v1 import control_pb2_grpc

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a controller gets from outside."""

    store: Store
    clock: Clock
    random_bytes: RandomBytes
    monotonic: Callable[[], float] = time.monotonic
    intervals: Intervals = field(default_factory=Intervals)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a started controller can be reached; ports that were 0 are filled in."""

    addresses: tuple[str, ...]
    metrics: str | None


class Controller:
    """One controller process without its process."""

    def __init__(self, settings: ControllerSettings, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        # Two replicas of one name must not take each other's lease for their own.
        self.replica = f"{settings.name or 'controller'}-{around.random_bytes(4).hex()}"
        self.metrics = Metrics()
        self.access = StoreAccess(around.store)
        self._wakeups = Wakeups(around.store)
        self._news = RolloutNews()
        self._tasks = Tasks(self.metrics)
        self._server = server.create(around.limits.message_bytes)
        self._metrics_server: MetricsServer | None = None
        self._make_configuration()
        self._make_decisions()
        self.ingest = Ingest(
            self.access, around.clock, self.metrics, GroupCommit(self.metrics), around.limits
        )

    async def start(self) -> Listening:
        """Opens the ports and starts every task.

        Raises:
            SettingsRefused: An address cannot be used.
            StoreUnavailable: The store cannot be reached.
        """
        around, settings = self._around, self._settings
        at = around.clock.now()
        await self.access.write(
            Priority.CHANGE,
            lambda tx: ensure(tx, Scope("default", "production"), around.random_bytes, at),
        )
        self._add_services()
        addresses = server.bind(self._server, settings)
        if settings.metrics:
            self._metrics_server = serve(self.metrics.registry, settings.metrics)
        self._start_tasks()
        await self._server.start()
        metrics = self._metrics_server.address if self._metrics_server else None
        return Listening(addresses, metrics)

    async def stop(self) -> None:
        """Ends streams, finishes what was accepted, and gives back threads and ports."""
        self.hub.close()
        await self._server.stop(self._settings.drain_seconds)
        await self._tasks.stop()
        await self.fleet.flush()
        await self.leadership.release()
        await self.access.write(
            Priority.INGEST, lambda tx: tx.sidecars.replica_stopped(self.replica)
        )
        await asyncio.to_thread(self._wakeups.stop)
        await asyncio.to_thread(self.access.close)
        if self._metrics_server is not None:
            await asyncio.to_thread(self._metrics_server.stop)

    def _make_configuration(self) -> None:
        around, intervals = self._around, self._around.intervals
        self.hub = ConfigHub(self.metrics, around.monotonic, intervals.stragglers.total_seconds())
        self.fleet = FleetRecorder(self.access, around.clock, self.replica)
        self.watch = ConfigWatch(
            self.access,
            self.hub,
            SnapshotBuilder(intervals),
            self._confirm,
            intervals,
            monotonic=around.monotonic,
        )

    def _make_decisions(self) -> None:
        around, intervals = self._around, self._around.intervals
        self._writer = ChangeWriter(self.metrics, tells=bool(self._settings.webhook.url))
        self.leadership = Leadership(
            self.access, self.metrics, self.replica, intervals.lease, around.monotonic
        )
        self.loop = Loop(
            LoopParts(
                access=self.access,
                ticker=Ticker(self._writer, intervals),
                leadership=self.leadership,
                clock=around.clock,
                metrics=self.metrics,
                push=self.watch.refresh,
                monotonic=around.monotonic,
            )
        )

    def _add_services(self) -> None:
        around = self._around
        parts = ControlParts(
            hub=self.hub,
            fleet=self.fleet,
            ingest=self.ingest,
            replica=self.replica,
            frame_bytes=around.limits.frame_bytes,
            find=self._find,
            reconcile=self._reconcile,
            tripped=self._tripped,
        )
        control_pb2_grpc.add_ControlServiceServicer_to_server(ControlServicer(parts), self._server)
        tools = Tools(
            access=self.access,
            clock=around.clock,
            random_bytes=around.random_bytes,
            writer=self._writer,
            intervals=around.intervals,
            report=self.hub.rollback_report,
        )
        self._server.add_generic_rpc_handlers((admin_service(tools, self._news),))
        if isinstance(around.clock, ReplayClock):
            replay = ReplayParts(around.clock, self.loop, self.hub, self.fleet, self.watch.refresh)
            control_pb2_grpc.add_ReplayServiceServicer_to_server(
                ReplayServicer(replay), self._server
            )

    def _start_tasks(self) -> None:
        self._tasks.start("ingest", self.ingest.run)
        self._tasks.start("fleet", self.fleet.run)
        self._tasks.start("watch", self.watch.run)
        self._wakeups.listen(Topic.CONFIG, self.watch.wake)
        self._wakeups.listen(Topic.ROLLOUT, self._news.tell)
        if not isinstance(self._around.clock, ReplayClock):
            # A replay ticks when it is told to, never by itself.
            self._tasks.start("loop", self.loop.run)
            self._tasks.start("watchdog", self.loop.watchdog)
            self._wakeups.listen(Topic.ROLLOUT, self.loop.rollouts_changed)
            self._wakeups.listen(Topic.EVIDENCE, self.loop.evidence_arrived)
        if self._settings.webhook.url:
            self._start_webhook()
        self._wakeups.start()

    def _start_webhook(self) -> None:
        around = self._around
        sender = WebhookSender(
            self.access,
            around.clock,
            self.metrics,
            self._settings.webhook,
            around.intervals.outbox,
        )
        self._tasks.start("webhook", sender.run)
        self._wakeups.listen(Topic.OUTBOX, sender.wake)

    def _confirm(self, environment: int) -> None:
        self.hub.confirm(environment)
        names = [connection.hello.sidecar_id for connection in self.hub.connected(environment)]
        self.fleet.seen(environment, names)

    async def _find(self, scope: Scope) -> int | None:
        row = await self.access.read(lambda reader: reader.environments.find(scope))
        return row.id if row else None

    async def _reconcile(self, hello: SidecarHello) -> None:
        await overtake(self.access, hello)
        await self.watch.refresh(hello.environment)

    async def _tripped(self, trip: Trip) -> None:
        at = self._around.clock.now()
        new = await self.access.write(
            Priority.DECISION, lambda transaction: record_trip(transaction, trip, at)
        )
        if new:
            log.warning(
                "breaker_tripped sidecar=%s rollout=%d epoch=%d candidate=%d/%d baseline=%d/%d",
                trip.sidecar.sidecar_id, trip.rollout, trip.allocation_epoch,
                trip.candidate_failures, trip.candidate_requests,
                trip.baseline_failures, trip.baseline_requests,
            )  # fmt: skip
