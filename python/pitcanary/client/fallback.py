"""The prompt that ships with the application, for when no sidecar answers.

A fallback is content, not a version: it has no token, it is never compared, and
nothing is reported for it. Rendering is the plain syntax of the sidecar, done by
the same Rust code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pitcanary._native import Template, render_plain
from pitcanary.client.resolved import Message, Reason, ResolvedPrompt
from pitcanary.errors import InvalidRequest
from pitcanary.model.json_types import JsonObject, JsonValue

SUFFIXES = (".txt", ".md", ".prompt")


@dataclass(frozen=True, slots=True)
class Fallback:
    """Content to use when the sidecar cannot be reached.

    Give either `text` or `messages`. Content that the plain syntax cannot read is
    refused here, at the start of the application and not during an outage.

    Raises:
        ValueError: Neither or both are given, or the content is malformed.
    """

    text: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.messages):
            raise ValueError("A fallback needs `text` or `messages`, and not both.")
        for content in [self.text or "", *(each.content for each in self.messages)]:
            Template(content)

    def resolve(
        self, prompt: str, variables: Mapping[str, JsonValue] | None, detail: str
    ) -> ResolvedPrompt:
        """Makes the fallback look like any resolved prompt, with an empty token.

        Raises:
            InvalidRequest: A variable that the content names is missing, or is not JSON.
        """
        return ResolvedPrompt(
            name=prompt,
            reason=Reason.FALLBACK,
            text=None if self.text is None else _render(self.text, variables),
            messages=tuple(
                Message(each.role, _render(each.content, variables)) for each in self.messages
            ),
            parameters=self.parameters,
            stale=True,
            detail=detail,
        )


def _render(content: str, variables: Mapping[str, JsonValue] | None) -> str:
    if variables is None:
        return content
    try:
        return render_plain(content, dict(variables))
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"The fallback cannot be rendered: {error}") from error


def fallbacks_from_folder(folder: Path | str) -> dict[str, Fallback]:
    """Reads one text fallback per `.txt`, `.md` or `.prompt` file, named by its stem.

    Raises:
        ValueError: A file is malformed, or two files are for one prompt.
        OSError: The folder or a file cannot be read.
    """
    fallbacks: dict[str, Fallback] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.suffix not in SUFFIXES:
            continue
        if path.stem in fallbacks:
            raise ValueError(f"`{path}` is a second file for the prompt `{path.stem}`: keep one.")
        try:
            fallbacks[path.stem] = Fallback(text=path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"`{path}` is no fallback: {error}") from error
    return fallbacks
