"""Prompts: immutable contents, numbered versions, labels that point at them.

The identity of a version is the SHA-256 of its canonical content. Numbers and labels
are pointers to it; the store keeps their history. Nothing here renders a template:
that is the sidecar's job.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import orjson

from pitcanary.errors import InvalidValue
from pitcanary.model.ids import check_name
from pitcanary.model.json_types import JsonValue
from pitcanary.model.plain import canonical_bytes

_EXACT_INTEGERS = 2**53


class Syntax(Enum):
    """How `{{…}}` in a content is read."""

    PLAIN = "plain"
    """`{{name}}`, no logic."""
    JINJA = "jinja"
    """Jinja without autoescape, limited in fuel."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: str
    content: str

    def __post_init__(self) -> None:
        if not self.role:
            raise InvalidValue("a message needs a role, for example `system` or `user`")


@dataclass(frozen=True, slots=True)
class PromptContent:
    """Everything that makes a version what it is; either a text or messages.

    `parameters_json` and `output_schema_json` are canonical JSON, empty when there is
    none. Build one with `of`, which brings any JSON into that form.
    """

    text: str | None = None
    messages: tuple[Message, ...] = ()
    syntax: Syntax = Syntax.PLAIN
    parameters_json: str = ""
    output_schema_json: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.messages):
            raise InvalidValue("a prompt needs either a text or messages, not both")

    @classmethod
    def of(
        cls,
        content: str | tuple[Message, ...],
        *,
        syntax: Syntax = Syntax.PLAIN,
        parameters: Mapping[str, JsonValue] | None = None,
        output_schema: JsonValue = None,
        model: str = "",
    ) -> PromptContent:
        """Builds a content from plain values."""
        return cls(
            text=content if isinstance(content, str) else None,
            messages=() if isinstance(content, str) else content,
            syntax=syntax,
            parameters_json=canonical_json(dict(parameters)) if parameters else "",
            output_schema_json="" if output_schema is None else canonical_json(output_schema),
            model=model,
        )

    @classmethod
    def from_json(cls, data: bytes | str) -> PromptContent:
        """Reads what `canonical_json` wrote, or any JSON of the same keys.

        Raises:
            InvalidValue: When it is not such JSON; says which key is wrong.
        """
        try:
            plain = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise InvalidValue(f"a version must be JSON: {error}") from None
        return _content(plain)

    def canonical(self) -> bytes:
        """The canonical JSON: sorted keys, absent parts left out."""
        parts: dict[str, JsonValue] = {"syntax": self.syntax.value}
        if self.text is not None:
            parts["text"] = self.text
        else:
            parts["messages"] = [{"role": m.role, "content": m.content} for m in self.messages]
        if self.parameters_json:
            parts["parameters"] = orjson.loads(self.parameters_json)
        if self.output_schema_json:
            parts["output_schema"] = orjson.loads(self.output_schema_json)
        if self.model:
            parts["model"] = self.model
        return canonical_bytes(parts)

    def digest(self) -> str:
        """The identity: `sha256:` and the hex digest of the canonical JSON."""
        return f"sha256:{hashlib.sha256(self.canonical()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """A content with its place among the versions of its prompt.

    `id` is the environment-wide number that tokens carry; `number` counts within the
    prompt from 1.
    """

    id: int
    prompt: str
    number: int
    digest: str
    content: PromptContent
    created_at: datetime
    actor: str

    def __post_init__(self) -> None:
        check_name("prompt", self.prompt)


@dataclass(frozen=True, slots=True)
class Label:
    """A pointer at a version; while a rollout holds it nobody else may move it."""

    prompt: str
    name: str
    number: int
    rollout: str = ""


@dataclass(frozen=True, slots=True)
class LabelMove:
    """One entry of a label's history, never changed and never removed.

    `previous_number` is 0 for the first; `decision` names the decision that moved it,
    empty when a person did.
    """

    prompt: str
    label: str
    previous_number: int
    number: int
    moved_at: datetime
    actor: str
    reason: str
    decision: str = ""


def canonical_json(value: JsonValue) -> str:
    """Canonical JSON in which `1.0` and `1` are one number, as JSON Schema sees them."""
    return canonical_bytes(_whole_numbers(value)).decode()


def _whole_numbers(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue("a parameter is not a finite number")
        if value.is_integer() and abs(value) < _EXACT_INTEGERS:
            return int(value)
    return value


_KEYS = {"syntax", "text", "messages", "parameters", "output_schema", "model"}


def _content(plain: object) -> PromptContent:
    if not isinstance(plain, dict) or not plain.keys() <= _KEYS:
        raise InvalidValue(f"a version is an object of {', '.join(sorted(_KEYS))}")
    text, messages = plain.get("text"), plain.get("messages")
    if (text is None) == (messages is None):
        raise InvalidValue("a version needs either `text` or `messages`")
    if text is not None and not isinstance(text, str):
        raise InvalidValue("`text` must be text")
    parameters, model = plain.get("parameters") or {}, plain.get("model", "")
    if not isinstance(parameters, dict) or not isinstance(model, str):
        raise InvalidValue("`parameters` must be an object and `model` text")
    return PromptContent.of(
        text if text is not None else _messages(messages),
        syntax=_syntax(plain.get("syntax", Syntax.PLAIN.value)),
        parameters=parameters,
        output_schema=plain.get("output_schema"),
        model=model,
    )


def _syntax(value: object) -> Syntax:
    try:
        return Syntax(value)
    except ValueError:
        raise InvalidValue("`syntax` must be `plain` or `jinja`") from None


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidValue("`messages` must be a list of at least one message")
    return tuple(_message(item) for item in value)


def _message(value: object) -> Message:
    if isinstance(value, dict) and value.keys() == {"role", "content"}:
        role, content = value["role"], value["content"]
        if isinstance(role, str) and isinstance(content, str):
            return Message(role, content)
    raise InvalidValue("a message has `role` and `content`, both text, and nothing else")
