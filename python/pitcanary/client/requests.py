"""Builds the messages that the SDK sends, and refuses what can never be right.

Pure functions from plain Python values to protobuf messages, shared by the
synchronous, the asynchronous and the embedded client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.struct_pb2 import Struct

from pitcanary.errors import InvalidRequest
from pitcanary.model.json_types import JsonValue
from pitcanary.v1 import sidecar_pb2 as pb

AttributeValue = str | float | int | bool

MAX_EXACT_INTEGER = 2**53
"""Above it, the numbers of a `google.protobuf.Struct` skip integers."""


@dataclass(frozen=True, slots=True)
class ResolveArguments:
    """What the application says when it asks for a prompt.

    Attributes:
        prompt: Name of the prompt.
        unit: The sticky id; empty: assigned per request.
        attributes: What segments test.
        variables: Present: the sidecar renders the content with them. A whole number
            beyond 2^53 travels as text, which renders the same.
        pin: Token of the conversation's previous turn.
        label: Whose traffic this is; empty: `production`.
        unit_kind: Kind of the unit; empty: the rollout's.
        on_use: Count the exposure at the first outcome, not now.
        score_requested: The application means to have this answer scored.
    """

    prompt: str
    unit: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    variables: Mapping[str, JsonValue] | None = None
    pin: bytes = b""
    label: str = ""
    unit_kind: str = ""
    on_use: bool = False
    score_requested: bool = False

    def message(self) -> pb.ResolvePromptRequest:
        """The wire form.

        Raises:
            InvalidRequest: A value cannot be sent; it is named, never quoted.
        """
        try:
            request = self._named()
        except (TypeError, ValueError) as error:
            raise InvalidRequest(
                "A name, unit, pin or attribute has the wrong type or is no valid Unicode."
            ) from error
        if self.variables is not None:
            request.variables.SetInParent()
            for name, value in self.variables.items():
                _set_variable(request.variables, name, value)
        return request

    def _named(self) -> pb.ResolvePromptRequest:
        request = pb.ResolvePromptRequest(
            prompt=self.prompt,
            unit=self.unit,
            pin=self.pin,
            label=self.label,
            unit_kind=self.unit_kind,
            score_requested=self.score_requested,
            exposure=pb.EXPOSURE_ON_USE if self.on_use else pb.EXPOSURE_UNSPECIFIED,
        )
        for name, value in self.attributes.items():
            _set_attribute(request.attributes[name], value)
        return request


def _set_attribute(target: pb.AttributeValue, value: AttributeValue) -> None:
    if isinstance(value, bool):
        target.boolean = value
    elif isinstance(value, str):
        target.text = value
    else:
        target.number = value


def _set_variable(target: Struct, name: str, value: JsonValue) -> None:
    try:
        target.update({name: _exact(value)})
    except (TypeError, ValueError) as error:
        raise InvalidRequest(
            f"Variable `{name}` is not JSON: use None, bool, int, float, str, list or dict."
        ) from error


def _exact(value: JsonValue) -> JsonValue:
    """The value with whole numbers that a double cannot hold as text."""
    if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        return str(value)
    if isinstance(value, Mapping):
        return {name: _exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    return value
