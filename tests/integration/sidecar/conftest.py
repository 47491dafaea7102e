"""One sidecar with a configuration, for tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from pitcanary.processes import Child
from pitcanary.v1 import sidecar_pb2_grpc
from tests.integration.sidecar.harness import Controller, channel, sidecar, snapshot


@pytest.fixture
def controller() -> Iterator[Controller]:
    running = Controller()
    yield running
    running.stop()


@pytest.fixture
def running(tmp_path: Path, controller: Controller) -> Iterator[Child]:
    """A sidecar that serves the snapshot of the harness."""
    with sidecar(tmp_path, controller.address) as child:
        assert controller.push(snapshot()).WhichOneof("message") == "ack"
        yield child


@pytest.fixture(params=[0, 1], ids=["over TCP", "over a unix socket"])
def open_channel(request: pytest.FixtureRequest, running: Child) -> Iterator[grpc.Channel]:
    with channel(running.listen[request.param]) as opened:
        yield opened


@pytest.fixture
def service(open_channel: grpc.Channel) -> sidecar_pb2_grpc.SidecarServiceStub:
    return sidecar_pb2_grpc.SidecarServiceStub(open_channel)
