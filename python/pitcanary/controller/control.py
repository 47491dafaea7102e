"""ControlService: the sidecars' side of the controller.

Turns messages into calls of the hub, the recorder and the ingest queue, and their
errors into status codes. Protobuf stops here; no rule lives here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc

from pitcanary.controller.connection import Connection, version_of
from pitcanary.controller.fleet import FleetRecorder
from pitcanary.controller.frames import BOOT_ID_BYTES, SIDECAR_ID_LENGTH, read_frame
from pitcanary.controller.hub import ConfigHub
from pitcanary.controller.ingest import Ingest
from pitcanary.controller.status import status_of
from pitcanary.controller.trips import Trip
from pitcanary.errors import PitcanaryError
from pitcanary.store.interface import Scope, SidecarHello
from pitcanary.v1 import control_pb2, control_pb2_grpc

log = logging.getLogger(__name__)

HELLO_SECONDS = 10.0
REFUSAL_LENGTH = 500


@dataclass(frozen=True, slots=True)
class ControlParts:
    """What the service hands its messages to.

    `find` gives the id of an environment or None; `reconcile` makes sure that what
    a sidecar holds is not above what is published; `tripped` takes breaker trips.
    """

    hub: ConfigHub
    fleet: FleetRecorder
    ingest: Ingest
    replica: str
    frame_bytes: int
    find: Callable[[Scope], Awaitable[int | None]]
    reconcile: Callable[[SidecarHello], Awaitable[None]]
    tripped: Callable[[Trip], Awaitable[None]]


class ControlServicer(control_pb2_grpc.ControlServiceServicer):
    """Serves config streams and takes frames."""

    def __init__(self, parts: ControlParts) -> None:
        self._parts = parts

    async def StreamConfig(  # noqa: N802 - the contract's name
        self,
        request_iterator: AsyncIterator[control_pb2.StreamConfigRequest],
        context: grpc.aio.ServicerContext[
            control_pb2.StreamConfigRequest, control_pb2.StreamConfigResponse
        ],
    ) -> AsyncIterator[control_pb2.StreamConfigResponse]:
        """Pushes configurations to one sidecar and follows what it says of them."""
        hello = await self._read_hello(request_iterator, context)
        try:
            await self._parts.reconcile(hello)
        except PitcanaryError as error:
            await context.abort(status_of(error), str(error))
        connection = self._parts.hub.join(hello)
        self._parts.fleet.hello(hello)
        log.info("sidecar_connected sidecar=%s build=%s", hello.sidecar_id, hello.build)
        listener = asyncio.create_task(self._listen(request_iterator, connection))
        try:
            while (message := await connection.next()) is not None:
                yield message
        finally:
            listener.cancel()
            self._leave(connection)

    async def UploadFrame(  # noqa: N802 - the contract's name
        self,
        request: control_pb2.UploadFrameRequest,
        context: grpc.aio.ServicerContext[
            control_pb2.UploadFrameRequest, control_pb2.UploadFrameResponse
        ],
    ) -> control_pb2.UploadFrameResponse:
        """Commits one frame; answers only afterwards."""
        try:
            frame = read_frame(request, self._parts.frame_bytes)
            committed = await self._parts.ingest.upload(frame)
        except PitcanaryError as error:
            await context.abort(status_of(error), str(error))
        return control_pb2.UploadFrameResponse(committed_through=committed)

    async def _read_hello(
        self,
        requests: AsyncIterator[control_pb2.StreamConfigRequest],
        context: grpc.aio.ServicerContext[
            control_pb2.StreamConfigRequest, control_pb2.StreamConfigResponse
        ],
    ) -> SidecarHello:
        try:
            first = await asyncio.wait_for(anext(requests, None), HELLO_SECONDS)
        except asyncio.TimeoutError:
            first = None
        if first is None or first.WhichOneof("message") != "hello":
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "a config stream starts with Hello"
            )
        hello = first.hello
        if (
            not 0 < len(hello.sidecar_id) <= SIDECAR_ID_LENGTH
            or len(hello.boot_id) != BOOT_ID_BYTES
        ):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Hello needs a sidecar_id of 1 to {SIDECAR_ID_LENGTH} characters "
                f"and a boot_id of {BOOT_ID_BYTES} bytes",
            )
        environment = await self._parts.find(Scope(hello.namespace, hello.environment))
        if environment is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"environment `{hello.namespace}/{hello.environment}` does not exist here; "
                "push a prompt to it first",
            )
        return SidecarHello(
            environment=environment,
            sidecar_id=hello.sidecar_id,
            boot_id=hello.boot_id,
            build=hello.build,
            capabilities=tuple(hello.capabilities),
            replica=self._parts.replica,
            serving=version_of(hello.config_version) if hello.HasField("config_version") else None,
        )

    async def _listen(
        self, requests: AsyncIterator[control_pb2.StreamConfigRequest], connection: Connection
    ) -> None:
        try:
            async for request in requests:
                await self._hear(request, connection)
        except PitcanaryError as error:
            log.error("sidecar_not_heard sidecar=%s error=%s", connection.hello.sidecar_id, error)
        finally:
            connection.close()

    async def _hear(self, request: control_pb2.StreamConfigRequest, connection: Connection) -> None:
        parts, hello = self._parts, connection.hello
        kind = request.WhichOneof("message")
        if kind == "ack":
            version = version_of(request.ack.config_version)
            parts.hub.acknowledged(connection, version)
            parts.fleet.acknowledged(hello, version)
        elif kind == "nack":
            version = version_of(request.nack.config_version)
            reason = request.nack.reason[:REFUSAL_LENGTH]
            parts.hub.refused(connection, version, reason)
            parts.fleet.refused(hello, version, reason)
        elif kind == "breaker_trip":
            await parts.tripped(_trip(hello, request.breaker_trip))

    def _leave(self, connection: Connection) -> None:
        hello = connection.hello
        self._parts.hub.leave(connection)
        others = self._parts.hub.connected(hello.environment)
        if all(other.hello.sidecar_id != hello.sidecar_id for other in others):
            self._parts.fleet.disconnected(hello)
        log.info("sidecar_disconnected sidecar=%s", hello.sidecar_id)


def _sound(hello: control_pb2.Hello) -> bool:
    named = 0 < len(hello.sidecar_id) <= SIDECAR_ID_LENGTH
    return named and len(hello.boot_id) == BOOT_ID_BYTES


def _trip(hello: SidecarHello, message: control_pb2.BreakerTrip) -> Trip:
    return Trip(
        sidecar=hello,
        rollout=message.rollout,
        allocation_epoch=message.allocation_epoch,
        candidate_failures=message.candidate_failures,
        candidate_requests=message.candidate_requests,
        baseline_failures=message.baseline_failures,
        baseline_requests=message.baseline_requests,
    )
