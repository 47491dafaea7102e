"""Who is connected, what everybody should serve, and what everybody serves.

Pushes each configuration to every stream of its environment and follows the
acknowledgements. It reads no store: `controller.watch` tells it what is current,
`controller.fleet` records what sidecars say. Used on the event loop only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from pitcanary.controller.connection import Connection, Published
from pitcanary.controller.metrics import Metrics
from pitcanary.controller.propagation import Propagation, PropagationReport
from pitcanary.store.interface import ConfigVersion, SidecarHello

log = logging.getLogger(__name__)


class ConfigHub:
    """The open config streams of this process.

    Args:
        metrics: Where propagation and refusals are counted.
        monotonic: Seconds of a clock that never steps.
        straggler_seconds: After this long a sidecar that has not acknowledged a
            rollback is named in the log.
    """

    def __init__(
        self, metrics: Metrics, monotonic: Callable[[], float], straggler_seconds: float
    ) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._straggler_seconds = straggler_seconds
        self._current: dict[int, Published] = {}
        self._connections: dict[int, set[Connection]] = {}
        self._spreading: dict[int, list[Propagation]] = {}
        self._rollbacks: dict[tuple[int, int], Propagation] = {}
        self._changed = asyncio.Event()

    def current(self, environment: int) -> ConfigVersion | None:
        """The version that sidecars of an environment should serve."""
        published = self._current.get(environment)
        return published.version if published else None

    def connected(self, environment: int) -> Iterator[Connection]:
        """The streams of an environment, in no order."""
        return iter(self._connections.get(environment, ()))

    def environments(self) -> frozenset[int]:
        """The environments somebody is connected for."""
        return frozenset(key for key, streams in self._connections.items() if streams)

    def join(self, hello: SidecarHello) -> Connection:
        """Opens a stream and offers it the current configuration.

        Two streams under one id are both served: during a reconnect the old one
        is not yet known to be dead.
        """
        connection = Connection(hello)
        self._connections.setdefault(hello.environment, set()).add(connection)
        if (published := self._current.get(hello.environment)) is not None:
            connection.offer(published)
        if hello.serving is not None:
            self._count(connection, hello.serving)
        self._metrics.sidecars_connected.inc()
        return connection

    def leave(self, connection: Connection) -> None:
        """Forgets a stream that has ended."""
        self._connections[connection.hello.environment].discard(connection)
        self._metrics.sidecars_connected.dec()
        self._tell()

    def publish(self, environment: int, published: Published) -> bool:
        """Sends a configuration to everybody, unless it is not newer than the current one."""
        previous = self._current.get(environment)
        if previous is not None and published.version <= previous.version:
            return False
        self._current[environment] = published
        streams = self._connections.get(environment, set())
        taken_back = published.withdrawn - previous.withdrawn if previous else frozenset()
        self._follow(environment, published.version, frozenset(taken_back))
        for connection in streams:
            connection.offer(published)
        return True

    def confirm(self, environment: int) -> None:
        """Tells everybody that the current configuration is current."""
        published = self._current.get(environment)
        if published is not None:
            for connection in self._connections.get(environment, ()):
                connection.keep_alive(published.version)
        self._give_up(environment)

    def acknowledged(self, connection: Connection, version: ConfigVersion) -> None:
        """A sidecar has a configuration on disk and in force."""
        connection.acknowledged = version
        if connection.refused is not None and version >= connection.refused:
            connection.refused, connection.refusal = None, ""
        self._count(connection, version)
        self._tell()

    def refused(self, connection: Connection, version: ConfigVersion, reason: str) -> None:
        """A sidecar keeps its last good configuration."""
        connection.refused, connection.refusal = version, reason
        self._metrics.config_refusals.inc()
        log.error(
            "config_refused sidecar=%s revision=%d reason=%r",
            connection.hello.sidecar_id, version.revision, reason,
        )  # fmt: skip
        self._tell()

    async def settled(self, environment: int, version: ConfigVersion) -> None:
        """Waits until every connected sidecar serves or has refused `version`."""
        while not all(_answered(item, version) for item in self.connected(environment)):
            await self.changed()

    async def changed(self) -> None:
        """Waits until somebody answers or leaves."""
        await self._changed.wait()

    def rollback_report(self, environment: int, rollout: int) -> PropagationReport | None:
        """How the last rollback of a rollout reached the sidecars of this process."""
        propagation = self._rollbacks.get((environment, rollout))
        return propagation.report() if propagation else None

    def close(self) -> None:
        """Ends all streams."""
        for streams in self._connections.values():
            for connection in streams:
                connection.close()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _follow(self, environment: int, version: ConfigVersion, rollouts: frozenset[int]) -> None:
        names = {item.hello.sidecar_id for item in self.connected(environment)}
        propagation = Propagation.start(version, rollouts, self._monotonic(), names)
        self._spreading.setdefault(environment, []).append(propagation)
        for rollout in rollouts:
            self._rollbacks[environment, rollout] = propagation

    def _count(self, connection: Connection, version: ConfigVersion) -> None:
        now = self._monotonic()
        for propagation in self._spreading.get(connection.hello.environment, ()):
            propagation.acknowledged(connection.hello.sidecar_id, version, now)
        self._finish(connection.hello.environment, lambda item: not item.waiting)

    def _give_up(self, environment: int) -> None:
        oldest = self._monotonic() - self._straggler_seconds
        self._finish(environment, lambda item: item.started <= oldest)

    def _finish(self, environment: int, over: Callable[[Propagation], bool]) -> None:
        spreading = self._spreading.get(environment, [])
        for propagation in filter(over, spreading):
            self._observe(propagation)
        self._spreading[environment] = [item for item in spreading if not over(item)]

    def _observe(self, propagation: Propagation) -> None:
        report = propagation.report()
        for seconds in propagation.seconds:
            self._metrics.config_propagation.observe(seconds)
            if propagation.rollouts:
                self._metrics.rollback_propagation.observe(seconds)
        if propagation.rollouts:
            level = logging.INFO if report.complete else logging.ERROR
            log.log(
                level,
                "rollback_propagated revision=%d sidecars=%d/%d p50_s=%s p99_s=%s stragglers=%s",
                report.version.revision, report.acknowledged, report.expected,
                report.p50_seconds, report.p99_seconds, ",".join(report.stragglers) or "-",
            )  # fmt: skip


def _answered(connection: Connection, version: ConfigVersion) -> bool:
    serves = connection.acknowledged is not None and connection.acknowledged >= version
    refuses = connection.refused is not None and connection.refused >= version
    return serves or refuses
