"""A sidecar that is not there, dies, is slow or comes back."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from pitcanary.client import AsyncClient, Client, Fallback
from pitcanary.client.resolved import Reason
from pitcanary.client.transport import GrpcTransport
from pitcanary.errors import SidecarUnavailable
from tests.integration.client.fleet import PATIENCE, PROMPT, Fleet, Sidecar

FALLBACKS = {PROMPT: Fallback(text="Bundled.")}


@pytest.fixture
def mortal(fleet: Fleet) -> Iterator[Sidecar]:
    """A sidecar that the test may kill."""
    sidecar = fleet.sidecar()
    yield sidecar
    sidecar.child.stop()


def connected(client: Client) -> None:
    """Waits until the client's channel has found the sidecar again."""
    transport = client._transport
    assert isinstance(transport, GrpcTransport)
    grpc.channel_ready_future(transport._connections.get().channel).result(PATIENCE)


def kill(sidecar: Sidecar) -> None:
    """Ends a sidecar without letting it say goodbye."""
    sidecar.child.process.kill()
    sidecar.child.process.wait()


@pytest.mark.parametrize("target", ["unix:{folder}/nobody.sock", "127.0.0.1:{port}"])
def test_nobody_there_is_the_fallback_or_an_error(tmp_path: Path, target: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: every connection is refused
        address = target.format(folder=tmp_path, port=taken.getsockname()[1])
        with Client(address, fallbacks=FALLBACKS, resolve_deadline=PATIENCE) as client:
            resolved = client.resolve(PROMPT, unit="user-1")
            assert (resolved.text, resolved.reason) == ("Bundled.", Reason.FALLBACK)
            with pytest.raises(SidecarUnavailable, match="`other`"):
                client.resolve("other")


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_the_client_survives_the_sidecar_s_death_and_finds_the_next(
    fleet: Fleet, mortal: Sidecar, transport: str
) -> None:
    target = getattr(mortal, transport)
    with Client(target, fallbacks=FALLBACKS, resolve_deadline=PATIENCE) as client:
        resolved = client.resolve(PROMPT, unit="user-1")
        assert resolved.reason is Reason.DEFAULT

        kill(mortal)
        assert client.resolve(PROMPT, unit="user-1").reason is Reason.FALLBACK
        with client.call(resolved):
            pass
        assert client.flush(PATIENCE)
        assert client.reports.failed == 1

        following = fleet.restart(mortal)
        connected(client)
        assert client.resolve(PROMPT, unit="user-1").reason is Reason.DEFAULT
        with client.call(resolved):  # its token outlives the sidecar that signed it
            pass
        assert client.flush(PATIENCE)
        assert (client.reports.accepted, following.outcomes()) == (1, 1)


async def test_asyncio_survives_as_well(fleet: Fleet, mortal: Sidecar) -> None:
    async with AsyncClient(mortal.unix, fallbacks=FALLBACKS, resolve_deadline=PATIENCE) as client:
        assert (await client.resolve(PROMPT)).reason is Reason.DEFAULT
        kill(mortal)
        assert (await client.resolve(PROMPT)).reason is Reason.FALLBACK
        fleet.restart(mortal)
        await client._connections.get().channel.channel_ready()
        assert (await client.resolve(PROMPT)).reason is Reason.DEFAULT


def test_a_sidecar_that_does_not_answer_costs_the_deadline_and_no_more(mortal: Sidecar) -> None:
    with Client(mortal.unix, resolve_deadline=PATIENCE) as patient:
        resolved = patient.resolve(PROMPT)
    with Client(
        mortal.unix, fallbacks=FALLBACKS, resolve_deadline=0.05, report_deadline=0.05
    ) as client:
        connected(client)
        os.kill(mortal.child.process.pid, signal.SIGSTOP)
        os.waitpid(mortal.child.process.pid, os.WUNTRACED)  # until its last thread has stopped
        try:
            late = client.resolve(PROMPT)
            with client.call(resolved):
                pass
            assert client.flush(PATIENCE)
        finally:
            os.kill(mortal.child.process.pid, signal.SIGCONT)
    assert late.detail == "sidecar: DEADLINE_EXCEEDED"
    assert client.reports.failed == 1


def test_a_closed_client_opens_again_when_it_is_used(mortal: Sidecar) -> None:
    client = Client(mortal.unix, resolve_deadline=PATIENCE)
    client.close()
    client.close()
    assert client.resolve(PROMPT).reason is Reason.DEFAULT
    client.close()
    with client.use(PROMPT):
        pass
    client.close()
    assert client.reports.accepted == 1


def test_closing_while_others_report_raises_nowhere_and_loses_no_count(mortal: Sidecar) -> None:
    client = Client(mortal.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE)
    resolved = [client.resolve(PROMPT) for _ in range(100)]
    raised: list[BaseException] = []

    def report() -> None:
        try:
            for each in resolved:
                with client.call(each):
                    pass
        except BaseException as error:
            raised.append(error)

    reporter = threading.Thread(target=report)
    reporter.start()
    while reporter.is_alive():
        client._transport.close()
    reporter.join()
    assert client.flush(PATIENCE)
    counts = client.reports
    client.close()
    assert not raised
    assert counts.accepted + counts.failed == len(resolved)
