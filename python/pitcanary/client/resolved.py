"""What a resolve gives the application: one version of a prompt, ready to use.

A frozen value without any protobuf in it. The token inside is opaque: keep it,
give it back with the outcome, and pass it as `pin` on the conversation's next
turn. How a fallback becomes such a value is in `fallback`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import orjson

from pitcanary.model.json_types import JsonObject, JsonValue
from pitcanary.v1 import sidecar_pb2 as pb


class Reason(Enum):
    """Why this version was chosen."""

    SPLIT = "split"
    TARGETING_MATCH = "targeting_match"
    DEFAULT = "default"
    PINNED = "pinned"
    BREAKER = "breaker"
    UNATTENDED = "unattended"
    FALLBACK = "fallback"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ResolvedPrompt:
    """One version of a prompt for one unit.

    Attributes:
        name: Name of the prompt.
        number: Number of the version; 0 for a bundled fallback.
        digest: Identity of the version; empty for a bundled fallback.
        arm: `baseline`, `candidate` or a named arm.
        reason: Why this version.
        text: The content of a text prompt; `None` for a chat prompt.
        messages: The content of a chat prompt; empty for a text prompt.
        parameters: Model parameters of the version.
        output_schema: JSON Schema of the answer, if the version has one.
        token: Opaque; empty for a bundled fallback, which is never reported.
        config_revision: Revision of the configuration that decided.
        config_age_ms: Milliseconds since a controller confirmed it.
        stale: The configuration is older than the controller allows.
        detail: A fixed sentence where the reason needs one.
    """

    name: str
    number: int = 0
    digest: str = ""
    arm: str = "baseline"
    reason: Reason = Reason.FALLBACK
    text: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: JsonObject = field(default_factory=dict)
    output_schema: JsonValue = None
    token: bytes = b""
    config_revision: int = 0
    config_age_ms: int = 0
    stale: bool = False
    detail: str = ""

    @property
    def chat(self) -> list[dict[str, str]]:
        """The content as the list of role and content that chat APIs take.

        A text prompt becomes one system message.
        """
        if self.text is not None:
            return [{"role": "system", "content": self.text}]
        return [{"role": each.role, "content": each.content} for each in self.messages]


def resolved_from_response(response: pb.ResolvePromptResponse) -> ResolvedPrompt:
    """Converts the wire form; unknown reasons of newer sidecars become UNSPECIFIED."""
    is_chat = response.WhichOneof("content") == "messages"
    return ResolvedPrompt(
        name=response.version.name,
        number=response.version.number,
        digest=response.version.digest,
        arm=response.arm,
        reason=_reason(response.reason),
        text=None if is_chat else response.text,
        messages=tuple(Message(each.role, each.content) for each in response.messages.messages),
        parameters=_parameters(response.parameters_json),
        output_schema=_json(response.output_schema_json),
        token=response.token,
        config_revision=response.config_revision,
        config_age_ms=response.config_age_ms,
        stale=response.stale,
        detail=response.detail,
    )


def _reason(value: int) -> Reason:
    try:
        return Reason[pb.Reason.Name(value).removeprefix("REASON_")]  # type: ignore[arg-type]
    except (KeyError, ValueError):
        return Reason.UNSPECIFIED


def _json(text: str) -> JsonValue:
    value: JsonValue = orjson.loads(text) if text else None
    return value


def _parameters(text: str) -> JsonObject:
    value = _json(text)
    return value if isinstance(value, dict) else {}
