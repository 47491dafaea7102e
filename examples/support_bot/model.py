"""Asks an OpenAI-compatible chat endpoint, with the standard library alone.

Knows the wire and nothing about prompts or pitcanary; any other SDK for models can
stand in its place.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TypedDict, cast

Messages = Sequence[Mapping[str, str]]


class Usage(TypedDict):
    """What the provider bills."""

    prompt_tokens: int
    completion_tokens: int


class Choice(TypedDict, total=False):
    """One answer, whole or in pieces."""

    message: dict[str, str]
    delta: dict[str, str]
    finish_reason: str | None


class Body(TypedDict, total=False):
    """What the endpoint sends."""

    model: str
    choices: list[Choice]
    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer, or all of it; what is not known yet is `None`."""

    text: str
    model: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model behind a base URL such as `http://127.0.0.1:8000/v1`."""

    base_url: str
    name: str
    api_key: str = ""
    timeout: float = 30.0

    def complete(self, messages: Messages, parameters: Mapping[str, object]) -> Piece:
        """Asks for the whole answer; raises `HTTPError` and `TimeoutError`."""
        with closing(self._post({"messages": messages, **parameters})) as response:
            return _piece(cast("Body", json.load(response)), "message")

    def stream(self, messages: Messages, parameters: Mapping[str, object]) -> Iterator[Piece]:
        """Asks for the answer as it is written; closing the iterator ends the request."""
        options = {"stream": True, "stream_options": {"include_usage": True}}
        with closing(self._post({"messages": messages, **parameters, **options})) as response:
            for line in response:
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                if data and line.startswith(b"data:"):
                    yield _piece(cast("Body", json.loads(data)), "delta")
        raise ConnectionError("the model's stream ended without [DONE]")

    def _post(self, body: Mapping[str, object]) -> HTTPResponse:
        request = urllib.request.Request(  # noqa: S310 - the operator gives the URL
            f"{self.base_url.rstrip('/')}/chat/completions",
            json.dumps({"model": self.name, **body}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.api_key}"},
        )
        response = urllib.request.urlopen(request, timeout=self.timeout)  # noqa: S310
        return cast("HTTPResponse", response)


def _piece(body: Body, part: str) -> Piece:
    choices = body.get("choices") or [Choice()]
    content = cast("dict[str, str | None]", choices[0].get(part) or {}).get("content")
    return Piece(
        content or "", body.get("model", ""), choices[0].get("finish_reason"), body.get("usage")
    )
