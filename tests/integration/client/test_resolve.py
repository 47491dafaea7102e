"""Resolving through a real sidecar: transports, variables, pins, batches, errors."""

from __future__ import annotations

import pytest

from pitcanary.client import AsyncClient, Client, Fallback, Message
from pitcanary.client.requests import ResolveArguments
from pitcanary.client.resolved import Reason
from pitcanary.errors import InvalidRequest, PromptNotFound
from tests.integration.client.fleet import CHAT, PATIENCE, PROMPT, TEXT, Sidecar

ADA = {"name": "Ada", "mood": "kindly"}


@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_every_transport_gives_the_prompt(sidecar: Sidecar, transport: str) -> None:
    with Client(getattr(sidecar, transport), resolve_deadline=PATIENCE) as client:
        resolved = client.resolve(PROMPT, unit="user-1", variables=ADA)
    assert resolved.text == "Help Ada, kindly."
    assert resolved.parameters == {"temperature": 0.5}
    assert (resolved.name, resolved.number) == (PROMPT, 1)
    assert resolved.digest.startswith("sha256:")
    assert (resolved.arm, resolved.reason) == ("baseline", Reason.DEFAULT)
    assert len(resolved.token) == 48
    assert not resolved.stale


@pytest.mark.parametrize("transport", ["unix", "tcp"])
async def test_every_transport_gives_the_prompt_to_asyncio(
    sidecar: Sidecar, transport: str
) -> None:
    async with AsyncClient(getattr(sidecar, transport), resolve_deadline=PATIENCE) as client:
        resolved = await client.resolve(PROMPT, unit="user-1", variables=ADA)
    assert resolved.text == "Help Ada, kindly."


def test_without_variables_the_content_comes_as_it_was_pushed(client: Client) -> None:
    assert client.resolve(PROMPT).text == TEXT


def test_a_chat_prompt(client: Client) -> None:
    resolved = client.resolve(CHAT, variables={"name": "Ada"})
    assert resolved.text is None
    assert resolved.messages == (Message("system", "Chat with Ada."),)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("{{mood}}", id="values are no templates"),
        pytest.param(7, id="whole number"),
        pytest.param(2**60 + 1, id="a number beyond the exact ones"),
        pytest.param(1.25, id="fraction"),
        pytest.param(None, id="nothing"),
        pytest.param({"a": [1, True]}, id="JSON"),
        pytest.param("語🙂", id="beyond ASCII"),
    ],
)
def test_sidecar_and_fallback_render_alike(client: Client, name: str | int | None) -> None:
    variables = {"name": name, "mood": "so", "unused": 1}
    fallback = Fallback(text=TEXT).resolve(PROMPT, variables, "")
    assert client.resolve(PROMPT, variables=variables).text == fallback.text


def test_a_missing_variable_is_the_request_s_fault(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="`mood`"):
        client.resolve(PROMPT, variables={"name": "Ada"})


def test_a_pin_keeps_the_version(client: Client) -> None:
    first = client.resolve(PROMPT, unit="user-1")
    second = client.resolve(PROMPT, unit="user-1", pin=first.token)
    assert second.digest == first.digest
    assert second.token != first.token  # each turn is reported on its own


def test_a_pin_that_is_no_token_does_no_harm(client: Client) -> None:
    assert client.resolve(PROMPT, unit="user-1", pin=b"nonsense").text == TEXT


def test_an_unknown_prompt_is_an_error_without_a_fallback(client: Client) -> None:
    with pytest.raises(PromptNotFound, match="`nobody`"):
        client.resolve("nobody")


def test_an_unknown_prompt_uses_its_fallback(sidecar: Sidecar) -> None:
    fallbacks = {"nobody": Fallback(text="Hello.")}
    with Client(sidecar.unix, fallbacks=fallbacks, resolve_deadline=PATIENCE) as client:
        resolved = client.resolve("nobody")
    assert (resolved.text, resolved.detail) == ("Hello.", "sidecar: NOT_FOUND")


def test_a_batch_is_answered_item_by_item_under_one_configuration(sidecar: Sidecar) -> None:
    fallbacks = {"nobody": Fallback(text="Hello.")}
    with Client(sidecar.unix, fallbacks=fallbacks, resolve_deadline=PATIENCE) as client:
        resolved = client.resolve_many(
            [
                ResolveArguments(PROMPT, "user-1", variables=ADA),
                ResolveArguments("nobody"),
                ResolveArguments(CHAT, variables={"name": "Bob"}),
            ]
        )
    assert [each.text for each in resolved] == ["Help Ada, kindly.", "Hello.", None]
    assert resolved[2].messages == (Message("system", "Chat with Bob."),)
    assert resolved[0].config_revision == resolved[2].config_revision > 0


async def test_a_batch_of_asyncio_raises_what_no_fallback_covers(sidecar: Sidecar) -> None:
    async with AsyncClient(sidecar.unix, resolve_deadline=PATIENCE) as client:
        found = await client.resolve_many([ResolveArguments(PROMPT, variables=ADA)])
        with pytest.raises(PromptNotFound):
            await client.resolve_many([ResolveArguments(PROMPT), ResolveArguments("nobody")])
    assert [each.text for each in found] == ["Help Ada, kindly."]


def test_the_sidecar_counts_what_the_client_asked(sidecar: Sidecar, client: Client) -> None:
    before = sidecar.counted("pitcanary_resolve_total", prompt=PROMPT, reason="DEFAULT")
    for _ in range(3):
        client.resolve(PROMPT, unit="user-1")
    after = sidecar.counted("pitcanary_resolve_total", prompt=PROMPT, reason="DEFAULT")
    assert after - before == 3
