"""How requests reach the sidecar: gRPC over TCP or a unix socket.

Knows channels, deadlines and forks; knows nothing about prompts. The embedded
client has the same face without a network in `embedded`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

import grpc

from pitcanary.client.failure import failure_of
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


class GrpcTransport:
    """A channel to the sidecar, made anew in every process that uses it.

    A channel must not cross a fork: a child would share the parent's socket.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._process_id = 0
        self._channel: grpc.Channel | None = None
        self._connected: stubs.SidecarServiceStub | None = None

    def _stub(self) -> stubs.SidecarServiceStub:
        if self._connected is None or self._process_id != os.getpid():
            self._process_id = os.getpid()
            self._channel = grpc.insecure_channel(self._target, options=CHANNEL_OPTIONS)
            self._connected = stubs.SidecarServiceStub(self._channel)
        return self._connected

    def resolve(
        self, request: pb.ResolvePromptRequest, timeout: Seconds
    ) -> pb.ResolvePromptResponse:
        """Resolves one prompt; raises `CallFailed`."""
        try:
            return self._stub().ResolvePrompt(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def resolve_many(
        self, request: pb.ResolvePromptsRequest, timeout: Seconds
    ) -> pb.ResolvePromptsResponse:
        """Resolves a batch; raises `CallFailed`."""
        try:
            return self._stub().ResolvePrompts(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def report(
        self, request: pb.ReportOutcomeRequest, timeout: Seconds, done: Callable[[bool], None]
    ) -> None:
        """Sends a report without waiting; `done` is told whether it was accepted."""
        future = self._stub().ReportOutcome.future(request, timeout=timeout)
        future.add_done_callback(lambda ended: done(ended.exception() is None))

    def score(self, request: pb.ReportScoreRequest, timeout: Seconds) -> pb.ReportScoreResponse:
        """Sends a late score; raises `CallFailed`."""
        try:
            return self._stub().ReportScore(request, timeout=timeout)
        except grpc.RpcError as error:
            raise failure_of(error) from error

    def close(self) -> None:
        """Closes the channel; the transport opens another when used again."""
        if self._channel is not None and self._process_id == os.getpid():
            self._channel.close()
        self._channel = self._connected = None
