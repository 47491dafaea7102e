"""A real sidecar process, a real grpcio controller, and channels between them.

The controller here only pushes what a test gives it and commits what it is sent: it
shows that the sidecar speaks with gRPC's own implementation, over TCP.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import grpc

from pitcanary.processes import Child, start_child
from pitcanary.v1 import control_pb2, control_pb2_grpc, sidecar_pb2

SOON = 30.0
UNIX_OPTIONS = (("grpc.default_authority", "localhost"),)


def words(error: grpc.RpcError) -> str:
    """What a failed call says; gRPC's errors are calls as well, which its types do not say."""
    return cast("grpc.Call", error).details() or ""


def trailers(error: grpc.RpcError) -> dict[str, str]:
    """The trailing metadata of a failed call."""
    metadata = cast("grpc.Call", error).trailing_metadata()
    return {str(key): str(value) for key, value in metadata}


def code(error: grpc.RpcError) -> grpc.StatusCode:
    """The status of a failed call."""
    return cast("grpc.Call", error).code()


class Controller(control_pb2_grpc.ControlServiceServicer):
    """Pushes snapshots, keeps frames, remembers what sidecars say."""

    def __init__(self) -> None:
        self.said: queue.Queue[control_pb2.StreamConfigRequest] = queue.Queue()
        self.frames: list[control_pb2.UploadFrameRequest] = []
        self._pushes: queue.Queue[control_pb2.Snapshot | None] = queue.Queue()
        self._server = grpc.server(ThreadPoolExecutor(4))
        control_pb2_grpc.add_ControlServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def StreamConfig(  # noqa: N802 - gRPC's name
        self,
        request_iterator: Iterator[control_pb2.StreamConfigRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[control_pb2.StreamConfigResponse]:
        """Hears on one thread, pushes on this one."""
        del context
        hears = ThreadPoolExecutor(1)
        hears.submit(self._hear, request_iterator)
        while (snapshot := self._pushes.get()) is not None:
            yield control_pb2.StreamConfigResponse(snapshot=snapshot)
        hears.shutdown(wait=False)

    def UploadFrame(  # noqa: N802 - gRPC's name
        self, request: control_pb2.UploadFrameRequest, context: grpc.ServicerContext
    ) -> control_pb2.UploadFrameResponse:
        """Commits to memory."""
        del context
        self.frames.append(request)
        return control_pb2.UploadFrameResponse(committed_through=request.seq)

    def push(self, snapshot: control_pb2.Snapshot) -> control_pb2.StreamConfigRequest:
        """Pushes and waits for the answer."""
        self._pushes.put(snapshot)
        while True:
            said = self.said.get(timeout=SOON)
            if said.WhichOneof("message") in {"ack", "nack"}:
                return said

    def stop(self) -> None:
        """Ends every stream and the server."""
        self._pushes.put(None)
        self._server.stop(grace=None).wait(SOON)

    def _hear(self, requests: Iterator[control_pb2.StreamConfigRequest]) -> None:
        try:
            for request in requests:
                self.said.put(request)
        except grpc.RpcError:
            return  # the sidecar has gone


def snapshot(revision: int = 1) -> control_pb2.Snapshot:
    """A prompt `greeting` whose candidate has half of the users."""
    texts = {1: "Answer briefly.", 2: "Answer at length."}
    return control_pb2.Snapshot(
        config_version=control_pb2.ConfigVersion(store_incarnation=1, revision=revision),
        namespace="default",
        environment="test",
        namespace_salt="salt",
        token_keys=[control_pb2.TokenKey(key_id=1, secret=bytes([9] * 32))],
        issuing_key=1,
        token_max_age_s=3600,
        flush_interval_ms=20,
        stale_after_ms=60_000,
        max_unattended_ms=900_000,
        prompts=[
            control_pb2.Prompt(
                name="greeting",
                labels=[control_pb2.LabelTarget(label="production", version=1, rollout=7)],
            )
        ],
        versions=[
            control_pb2.Version(
                id=number,
                ref=sidecar_pb2.VersionRef(
                    name="greeting", number=number, digest=f"sha256:{number}"
                ),
                text=text,
            )
            for number, text in texts.items()
        ],
        rollouts=[
            control_pb2.Rollout(
                id=7,
                name="greeting-v2",
                unit_kind="user",
                salt="pepper",
                analysis_generation=1,
                allocation_epoch=1,
                arms=[_arm(0, "baseline", 500_000, 1_000_000), _arm(1, "candidate", 0, 500_000)],
                metrics=[
                    control_pb2.MetricConfig(
                        id=0,
                        name="error",
                        kind=control_pb2.METRIC_KIND_RATE,
                        source=control_pb2.METRIC_SOURCE_ERROR,
                    )
                ],
            )
        ],
    )


def _arm(index: int, name: str, start: int, end: int) -> control_pb2.Arm:
    ranges = [control_pb2.SlotRange(start=start, end=end)]
    return control_pb2.Arm(index=index, name=name, version=index + 1, ranges=ranges)


@contextmanager
def sidecar(folder: Path, controller: str, *flags: str) -> Iterator[Child]:
    """Runs `pitcanary sidecar` with a TCP port, a unix socket and `/metrics`."""
    child = start_child(
        "sidecar",
        "sidecar",
        "--listen=127.0.0.1:0",
        f"--listen=unix:{folder / 'sidecar.sock'}",
        f"--controller={controller}",
        f"--data-dir={folder / 'data'}",
        "--sidecar-id=here",
        "--environment=test",
        "--metrics=127.0.0.1:0",
        *flags,
    )
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def channel(address: str) -> Iterator[grpc.Channel]:
    """A channel to an address of the ready line."""
    options = UNIX_OPTIONS if address.startswith("unix:") else ()
    with grpc.insecure_channel(address, options=options) as opened:
        yield opened
