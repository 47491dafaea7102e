"""One controller and one sidecar for all tests that do not stop them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pitcanary.client import Client
from tests.integration.client.fleet import PATIENCE, Fleet, Sidecar, running


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A controller process."""
    with running() as fleet:
        yield fleet


@pytest.fixture(scope="module")
def sidecar(fleet: Fleet) -> Sidecar:
    """A sidecar process that tests share and leave alone."""
    return fleet.sidecar()


@pytest.fixture
def client(sidecar: Sidecar) -> Iterator[Client]:
    """A client whose deadlines do not depend on how busy the machine is."""
    with Client(sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE) as client:
        yield client
