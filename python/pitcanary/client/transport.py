"""How requests reach the sidecar: gRPC over TCP or a unix socket.

Knows channels, deadlines and forks; knows nothing about prompts. The embedded
client has the same face without a network in `embedded`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import grpc

from pitcanary.client.failure import failure_of
from pitcanary.client.per_process import PerProcess
from pitcanary.v1 import sidecar_pb2 as pb
from pitcanary.v1 import sidecar_pb2_grpc as stubs

Seconds = float

CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # gRPC derives an authority from a socket path that HTTP/2 servers refuse.
    ("grpc.default_authority", "localhost"),
    # A sidecar restarts in milliseconds; the default backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    # The sidecar is on this machine; a proxy for the internet must not get its calls.
    ("grpc.enable_http_proxy", 0),
    # The shared pool would hand a forked child its parent's connection.
    ("grpc.use_local_subchannel_pool", 1),
)


class Transport(Protocol):
    """The calls of the sidecar that a synchronous client needs."""

    def resolve(
        self, request: pb.ResolvePromptRequest, timeout: Seconds
    ) -> pb.ResolvePromptResponse:
        """Resolves one prompt; raises `CallFailed`."""
        ...

    def resolve_many(
        self, request: pb.ResolvePromptsRequest, timeout: Seconds
    ) -> pb.ResolvePromptsResponse:
        """Resolves a batch; raises `CallFailed`."""
        ...

    def report(
        self, request: pb.ReportOutcomeRequest, timeout: Seconds, done: Callable[[bool], None]
    ) -> None:
        """Sends a report without waiting; `done` is told whether it was accepted."""
        ...

    def score(self, request: pb.ReportScoreRequest, timeout: Seconds) -> pb.ReportScoreResponse:
        """Sends a late score; raises `CallFailed`."""
        ...

    def close(self) -> None:
        """Releases the connection."""
        ...


class Connection:
    """A channel to the sidecar and the calls on it."""

    __slots__ = ("calls", "channel")

    def __init__(self, target: str) -> None:
        self.channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
        self.calls = stubs.SidecarServiceStub(self.channel)


class GrpcTransport:
    """A channel to the sidecar, opened at the first call in every process."""

    def __init__(self, target: str) -> None:
        self._connections = PerProcess(lambda: Connection(target))

    def resolve(
        self, request: pb.ResolvePromptRequest, timeout: Seconds
    ) -> pb.ResolvePromptResponse:
        """Resolves one prompt; raises `CallFailed`."""
        try:
            return self._connections.get().calls.ResolvePrompt(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def resolve_many(
        self, request: pb.ResolvePromptsRequest, timeout: Seconds
    ) -> pb.ResolvePromptsResponse:
        """Resolves a batch; raises `CallFailed`."""
        try:
            return self._connections.get().calls.ResolvePrompts(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def report(
        self, request: pb.ReportOutcomeRequest, timeout: Seconds, done: Callable[[bool], None]
    ) -> None:
        """Sends a report without waiting; `done` is told whether it was accepted."""
        try:
            call = self._connections.get().calls.ReportOutcome.future(request, timeout=timeout)
        except ValueError:  # another thread closed the channel just now
            done(False)
            return
        # Not its `exception()`: that raises for a call that ended with its channel.
        status = cast("grpc.Call", call).code
        call.add_done_callback(lambda _: done(status() is grpc.StatusCode.OK))

    def score(self, request: pb.ReportScoreRequest, timeout: Seconds) -> pb.ReportScoreResponse:
        """Sends a late score; raises `CallFailed`."""
        try:
            return self._connections.get().calls.ReportScore(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def close(self) -> None:
        """Closes the channel; the transport opens another when used again."""
        connection = self._connections.take()
        if connection is not None:
            connection.channel.close()
