"""The sidecar's own code inside this process, without a socket.

For applications that cannot have a sidecar beside them. It resolves from memory
in about a microsecond of Rust, keeps the same snapshot on disk, and uploads
the same frames to the same controller. One per process: it holds a data folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc

from pitcanary import _native
from pitcanary.client.failure import CallFailed, failure_of_number
from pitcanary.client.fallback import Fallback
from pitcanary.client.settings import Seconds, Settings
from pitcanary.client.synchronous import Client
from pitcanary.errors import SettingsRefused
from pitcanary.v1 import sidecar_pb2 as pb


class EmbeddedTransport:
    """Calls the embedded sidecar with protobuf bytes; deadlines do not apply."""

    def __init__(self, sidecar: _native.Sidecar, drain_seconds: Seconds) -> None:
        self._sidecar = sidecar
        self._drain_seconds = drain_seconds

    def _invoke(self, method: str, request: bytes) -> bytes:
        try:
            return self._sidecar.invoke(method, request)
        except _native.CallRefused as refused:
            code, message = refused.args
            raise failure_of_number(code, message) from None
        except RuntimeError as closed:  # the client was closed
            raise CallFailed(grpc.StatusCode.UNAVAILABLE, str(closed)) from None

    def resolve(
        self, request: pb.ResolvePromptRequest, timeout: Seconds
    ) -> pb.ResolvePromptResponse:
        """Resolves one prompt; raises `CallFailed`."""
        del timeout
        answer = self._invoke("ResolvePrompt", request.SerializeToString())
        return pb.ResolvePromptResponse.FromString(answer)

    def resolve_many(
        self, request: pb.ResolvePromptsRequest, timeout: Seconds
    ) -> pb.ResolvePromptsResponse:
        """Resolves a batch; raises `CallFailed`."""
        del timeout
        answer = self._invoke("ResolvePrompts", request.SerializeToString())
        return pb.ResolvePromptsResponse.FromString(answer)

    def report(
        self, request: pb.ReportOutcomeRequest, timeout: Seconds, done: Callable[[bool], None]
    ) -> None:
        """Counts a report at once; `done` is told whether it was accepted."""
        del timeout
        try:
            self._invoke("ReportOutcome", request.SerializeToString())
        except CallFailed:
            done(False)
        else:
            done(True)

    def score(self, request: pb.ReportScoreRequest, timeout: Seconds) -> pb.ReportScoreResponse:
        """Adds a late score; raises `CallFailed`."""
        del timeout
        answer = self._invoke("ReportScore", request.SerializeToString())
        return pb.ReportScoreResponse.FromString(answer)

    def close(self) -> None:
        """Uploads what was counted and ends the threads."""
        self._sidecar.shutdown(self._drain_seconds)


class EmbeddedClient(Client):
    """A client with the sidecar inside, whose threads must not be forked: make it in each worker.

    Args:
        controller: `host:port` or `unix:/path` of the controller.
        data_dir: Folder for the last good snapshot; one process at a time.
        sidecar_id: Identity of this reporter, stable over restarts.
        namespace: Namespace to serve.
        environment: Environment to serve.
        fallbacks: Content by prompt name for when there is no configuration yet.
        drain_seconds: How long `close` may take to upload what was counted.
        clock: Monotonic seconds, for latencies.

    Raises:
        SettingsRefused: The address or the folder cannot be used.
    """

    def __init__(
        self,
        controller: str,
        data_dir: Path | str,
        *,
        sidecar_id: str,
        namespace: str = "default",
        environment: str = "production",
        fallbacks: Mapping[str, Fallback] | None = None,
        drain_seconds: Seconds = 5.0,
        clock: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        sidecar = _native.Sidecar(
            listen=[],
            controller=controller,
            data_dir=str(data_dir),
            sidecar_id=sidecar_id,
            namespace=namespace,
            environment=environment,
        )
        try:
            sidecar.start()
        except (ValueError, OSError) as error:
            raise SettingsRefused(f"The embedded sidecar cannot start: {error}") from error
        self._open(
            EmbeddedTransport(sidecar, drain_seconds),
            Settings(fallbacks=fallbacks or {}, clock=clock),
        )
