"""A prompt manifest as a version's content with its name.

What the content's templates and its output schema may hold is decided where it is
pushed; here it only has to be a prompt and a JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pitcanary.manifest.place import Place
from pitcanary.manifest.schema import compile_schema
from pitcanary.model.json_types import JsonValue
from pitcanary.model.prompt import Message, PromptContent, Syntax


@dataclass(frozen=True, slots=True)
class PromptManifest:
    """A content to push; `labels` are for a prompt that is new."""

    name: str
    content: PromptContent
    labels: tuple[str, ...] = ()


def read_prompt(root: Place) -> PromptManifest:
    """Reads a document that its schema accepts.

    Raises:
        ManifestRefused: When the output schema is none, or refers to another document.
    """
    name, labels = root.get("name"), root.get("labels")
    return PromptManifest(
        name=name.text() if name else "",
        content=root.build(lambda: _content(root)),
        labels=tuple(item.text() for item in labels.items()) if labels else (),
    )


def _content(root: Place) -> PromptContent:
    syntax, model, text = root.get("syntax"), root.get("model"), root.get("text")
    return PromptContent.of(
        text.text() if text else _messages(root),
        syntax=syntax.member(Syntax) if syntax else Syntax.PLAIN,
        parameters=_parameters(root),
        output_schema=_output_schema(root),
        model=model.text() if model else "",
    )


def _messages(root: Place) -> tuple[Message, ...]:
    messages = root.get("messages")
    return tuple(_message(item) for item in messages.items()) if messages else ()


def _message(place: Place) -> Message:
    role, content = place.get("role"), place.get("content")
    return Message(role.text() if role else "", content.text() if content else "")


def _parameters(root: Place) -> Mapping[str, JsonValue] | None:
    place = root.get("parameters")
    return place.value if place and isinstance(place.value, Mapping) else None


def _output_schema(root: Place) -> JsonValue:
    place = root.get("output_schema")
    if place is None or not isinstance(place.value, (bool, Mapping)):
        return None
    value = place.value
    place.build(lambda: compile_schema(value))
    return value
