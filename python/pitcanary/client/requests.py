"""Builds the messages that the SDK sends, and refuses what can never be right.

Pure functions from plain Python values to protobuf messages, shared by the
synchronous, the asynchronous and the embedded client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pitcanary.model.json_types import JsonValue
from pitcanary.v1 import sidecar_pb2 as pb

AttributeValue = str | float | int | bool


@dataclass(frozen=True, slots=True)
class ResolveArguments:
    """What the application says when it asks for a prompt.

    Attributes:
        prompt: Name of the prompt.
        unit: The sticky id; empty: assigned per request.
        attributes: What segments test.
        variables: Present: the sidecar renders the content with them.
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
        """The wire form."""
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
        if self.variables is not None:
            request.variables.SetInParent()
            request.variables.update(dict(self.variables))
        return request


def _set_attribute(target: pb.AttributeValue, value: AttributeValue) -> None:
    if isinstance(value, bool):
        target.boolean = value
    elif isinstance(value, str):
        target.text = value
    else:
        target.number = value
