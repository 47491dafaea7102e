"""The sidecar's code inside this process, configured by a real controller process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitcanary.client import EmbeddedClient, Fallback, Message
from pitcanary.client.embedded import EmbeddedTransport
from pitcanary.client.requests import ResolveArguments
from pitcanary.client.resolved import Reason
from pitcanary.errors import (
    InvalidRequest,
    PromptNotFound,
    ReportRefused,
    SettingsRefused,
    SidecarUnavailable,
)
from pitcanary.sidecar.counters import SidecarCounters
from tests.integration.client.fleet import CHAT, PATIENCE, PROMPT, Fleet, until

ADA = {"name": "Ada", "mood": "kindly"}
FALLBACKS = {PROMPT: Fallback(text="Bundled.")}


def counters(client: EmbeddedClient) -> SidecarCounters:
    transport = client._transport
    assert isinstance(transport, EmbeddedTransport)
    return transport._sidecar.counters()


@pytest.fixture(scope="module")
def embedded(fleet: Fleet) -> Iterator[EmbeddedClient]:
    folder = fleet.children.folder / "embedded"
    controller = fleet.controller.listen[0]
    with EmbeddedClient(controller, folder, sidecar_id="embedded") as client:
        until(lambda: fleet.serves("embedded"), "the embedded sidecar is configured")
        yield client


def test_it_resolves_like_any_sidecar(embedded: EmbeddedClient) -> None:
    resolved = embedded.resolve(PROMPT, unit="user-1", variables=ADA)
    assert (resolved.text, resolved.reason) == ("Help Ada, kindly.", Reason.DEFAULT)
    assert len(resolved.token) == 48
    assert embedded.resolve(PROMPT, pin=resolved.token).digest == resolved.digest
    batch = [ResolveArguments(PROMPT), ResolveArguments(CHAT, variables={"name": "Bob"})]
    assert embedded.resolve_many(batch)[1].messages == (Message("system", "Chat with Bob."),)


def test_it_refuses_like_any_sidecar(embedded: EmbeddedClient) -> None:
    with pytest.raises(PromptNotFound, match="`nobody`"):
        embedded.resolve("nobody")
    with pytest.raises(InvalidRequest, match="`mood`"):
        embedded.resolve(PROMPT, variables={"name": "Ada"})
    with pytest.raises(ReportRefused, match="token"):
        embedded.score(b"nonsense", "helpfulness", 0.5)


def test_a_block_is_counted_when_it_is_left(embedded: EmbeddedClient) -> None:
    before, accepted = counters(embedded)["reports"]["outcome"], embedded.reports.accepted
    with embedded.use(PROMPT, unit="user-1") as call:
        call.output("x" * 1_000_000)  # a large report lets other threads run
    assert counters(embedded)["reports"]["outcome"] == before + 1
    assert embedded.reports.accepted == accepted + 1
    with embedded.use(PROMPT, unit="user-1") as call:
        call.score("helpful", float("nan"))
    assert embedded.reports.failed == 1


def test_threads_share_it(embedded: EmbeddedClient) -> None:
    before = counters(embedded)["reports"]["outcome"]

    def work() -> None:
        for number in range(200):
            with embedded.use(PROMPT, unit=f"user-{number}"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters(embedded)["reports"]["outcome"] == before + 800


def test_it_starts_from_its_disk_without_a_controller(fleet: Fleet, tmp_path: Path) -> None:
    with EmbeddedClient(fleet.controller.listen[0], tmp_path, sidecar_id="twice"):
        until(lambda: fleet.serves("twice"), "the embedded sidecar is configured")
    with EmbeddedClient("127.0.0.1:9", tmp_path, sidecar_id="twice", drain_seconds=0) as client:
        assert client.resolve(PROMPT, variables=ADA).text == "Help Ada, kindly."


def test_without_any_configuration_the_fallback_answers(tmp_path: Path) -> None:
    with EmbeddedClient(
        "127.0.0.1:9", tmp_path, sidecar_id="alone", fallbacks=FALLBACKS, drain_seconds=0
    ) as client:
        assert client.resolve(PROMPT).text == "Bundled."
        with pytest.raises(SidecarUnavailable):
            client.resolve("other")


def test_a_closed_one_uses_the_fallback(fleet: Fleet, tmp_path: Path) -> None:
    client = EmbeddedClient(
        fleet.controller.listen[0], tmp_path, sidecar_id="closed", fallbacks=FALLBACKS
    )
    client.close()
    client.close()
    assert client.resolve(PROMPT).reason is Reason.FALLBACK
    assert client.flush(PATIENCE)


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SettingsRefused, match="embedded"):
        EmbeddedClient("127.0.0.1:9", tmp_path / "file", sidecar_id="refused")
