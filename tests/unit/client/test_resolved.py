"""What a resolve gives the application is plain and frozen, whatever the wire says."""

from __future__ import annotations

import dataclasses

import pytest

from pitcanary.client.resolved import Message, Reason, ResolvedPrompt, resolved_from_response
from pitcanary.v1 import sidecar_pb2 as pb


def test_a_text_prompt() -> None:
    resolved = resolved_from_response(
        pb.ResolvePromptResponse(
            token=b"t" * 48,
            arm="candidate",
            reason=pb.REASON_SPLIT,
            config_revision=7,
            config_age_ms=12,
            stale=True,
            detail="renamed",
            version=pb.VersionRef(name="support-reply", number=42, digest="sha256:aa"),
            text="Be brief.",
            parameters_json='{"temperature":0.2}',
            output_schema_json='{"type":"object"}',
        )
    )
    assert resolved == ResolvedPrompt(
        name="support-reply",
        number=42,
        digest="sha256:aa",
        arm="candidate",
        reason=Reason.SPLIT,
        text="Be brief.",
        parameters={"temperature": 0.2},
        output_schema={"type": "object"},
        token=b"t" * 48,
        config_revision=7,
        config_age_ms=12,
        stale=True,
        detail="renamed",
    )
    assert resolved.chat == [{"role": "system", "content": "Be brief."}]


def test_a_chat_prompt() -> None:
    messages = pb.ChatMessages(messages=[pb.ChatMessage(role="user", content="Hi")])
    resolved = resolved_from_response(pb.ResolvePromptResponse(messages=messages))
    assert resolved.text is None
    assert resolved.messages == (Message("user", "Hi"),)
    assert resolved.chat == [{"role": "user", "content": "Hi"}]


def test_an_empty_text_is_a_text() -> None:
    assert resolved_from_response(pb.ResolvePromptResponse(text="")).text == ""


@pytest.mark.parametrize("number", pb.Reason.values())
def test_every_reason_of_the_contract_has_a_name(number: pb.Reason.ValueType) -> None:
    reason = resolved_from_response(pb.ResolvePromptResponse(reason=number)).reason
    assert f"REASON_{reason.name}" == pb.Reason.Name(number)


def test_a_newer_sidecar_s_reason_is_unspecified() -> None:
    response = pb.ResolvePromptResponse.FromString(b"\x18\x63")  # reason = 99
    assert resolved_from_response(response).reason is Reason.UNSPECIFIED


@pytest.mark.parametrize("text", ["", "[1]", "3"])
def test_parameters_are_always_an_object(text: str) -> None:
    assert resolved_from_response(pb.ResolvePromptResponse(parameters_json=text)).parameters == {}


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ResolvedPrompt("p").text = "other"  # type: ignore[misc]
