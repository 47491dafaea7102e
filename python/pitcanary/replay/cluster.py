"""A controller and a sidecar for replays, as real processes with stepped clocks.

Started once and used for any number of replays, one after the other. They talk
over unix sockets in a temporary folder that goes away with them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import grpc

from pitcanary.processes import Children
from pitcanary.replay.session import Plan, Progress, ReplayResult, Session

# gRPC derives an authority from a socket path that HTTP/2 servers refuse.
OPTIONS = (("grpc.default_authority", "localhost"),)


class ReplayCluster:
    """A context in which replays run.

    Salts and keys are not random in a replay, so the same units get the same slots.
    """

    def __init__(self) -> None:
        self._children = Children()
        self._channels: list[grpc.Channel] = []
        self._session: Session | None = None

    def __enter__(self) -> ReplayCluster:
        self._children.__enter__()
        try:
            self._start(self._children.folder)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for channel in self._channels:
            channel.close()
        self._children.__exit__(kind, error, trace)

    def run(self, plan: Plan, watch: Callable[[Progress], None] = lambda _: None) -> ReplayResult:
        """Replays a plan; see `Session.run`."""
        assert self._session is not None, "enter the cluster first"  # noqa: S101 - programmer error
        return self._session.run(plan, watch)

    def _start(self, folder: Path) -> None:
        controller = self._children.start(
            "controller",
            "controller",
            f"--listen=unix:{folder}/controller.sock",
            f"--store=sqlite:///{folder}/replay.db",
            "--replay",
            "--metrics=127.0.0.1:0",
        )
        sidecar = self._children.start(
            "sidecar",
            "sidecar",
            f"--listen=unix:{folder}/sidecar.sock",
            f"--controller={controller.listen[0]}",
            f"--data-dir={folder}/sidecar",
            "--sidecar-id=replay",
            "--replay",
            "--metrics=127.0.0.1:0",
        )
        self._session = Session(
            self._channel(controller.listen[0]),
            self._channel(sidecar.listen[0]),
            tuple(sidecar.listen),
        )

    def _channel(self, target: str) -> grpc.Channel:
        channel = grpc.insecure_channel(target, options=OPTIONS)
        self._channels.append(channel)
        return channel
