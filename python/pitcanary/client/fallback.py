"""The prompt that ships with the application, for when no sidecar answers.

A fallback is content, not a version: it has no token, it is never compared, and
nothing is reported for it. Rendering is the plain syntax of the sidecar, done by
the same Rust code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pitcanary._native import render_plain
from pitcanary.client.resolved import Message, Reason, ResolvedPrompt
from pitcanary.model.json_types import JsonObject, JsonValue

SUFFIXES = (".txt", ".md", ".prompt")


@dataclass(frozen=True, slots=True)
class Fallback:
    """Content to use when the sidecar cannot be reached.

    Give either `text` or `messages`.
    """

    text: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.text is None) == (not self.messages):
            raise ValueError("A fallback needs `text` or `messages`, and not both.")

    def resolve(
        self, prompt: str, variables: Mapping[str, JsonValue] | None, detail: str
    ) -> ResolvedPrompt:
        """Makes the fallback look like any resolved prompt, with an empty token.

        Raises:
            ValueError: A variable that the content names is missing.
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
    return render_plain(content, dict(variables))


def fallbacks_from_folder(folder: Path | str) -> dict[str, Fallback]:
    """Reads one text fallback per `.txt`, `.md` or `.prompt` file, named by its stem."""
    return dict(_read(Path(folder)))


def _read(folder: Path) -> Iterator[tuple[str, Fallback]]:
    for path in sorted(folder.iterdir()):
        if path.suffix in SUFFIXES:
            yield path.stem, Fallback(text=path.read_text(encoding="utf-8"))
