"""`pitcanary resolve`: ask a sidecar as an application would.

A resolve of a rollout's prompt is an exposure like any other; `--on-use` asks
without counting one.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pitcanary.cli.connection import Json, failures
from pitcanary.cli.output import WRONG_USAGE, complain, console, print_json
from pitcanary.client import Client, ResolvedPrompt
from pitcanary.client.requests import AttributeValue, ResolveArguments


def resolve(
    prompt: Annotated[str, typer.Argument(help="Name of the prompt.")],
    unit: Annotated[str, typer.Option(help="The sticky id.")] = "",
    attribute: Annotated[
        list[str] | None, typer.Option(help="What segments test, as key=value; repeatable.")
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(help="Render with these values, as key=value; repeatable.")
    ] = None,
    label: Annotated[str, typer.Option(help="Whose traffic this is.")] = "production",
    on_use: Annotated[bool, typer.Option("--on-use", help="Do not count an exposure.")] = False,
    target: Annotated[
        str, typer.Option(envvar="PITCANARY_TARGET", help="Address of the sidecar.")
    ] = "127.0.0.1:7070",
    json: Json = False,
) -> None:
    """Ask a sidecar for a prompt."""
    arguments = ResolveArguments(
        prompt=prompt,
        unit=unit,
        attributes={key: _value(value) for key, value in _pairs(attribute, "attribute")},
        variables=dict(_pairs(variable, "variable")) if variable else None,
        label=label,
        on_use=on_use,
    )
    with failures(target), Client(target, resolve_deadline=2.0) as client:
        resolved = client.ask(arguments)
    if json:
        print_json(_plain(resolved))
        return
    console.print(
        f"{resolved.name} v{resolved.number} ({resolved.arm}, {resolved.reason.value})  "
        f"{resolved.digest}",
        markup=False,
    )
    for message in resolved.chat:
        console.print(message["content"], markup=False)


def _pairs(texts: list[str] | None, what: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            complain(f"`{text}` is no {what}: write key=value")
            raise typer.Exit(WRONG_USAGE)
        pairs.append((key, value))
    return pairs


def _value(text: str) -> AttributeValue:
    """`true`, `false` and numbers are what they look like; quote to keep a text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text.strip('"')


def _plain(resolved: ResolvedPrompt) -> dict[str, object]:
    return {
        "prompt": resolved.name,
        "number": resolved.number,
        "digest": resolved.digest,
        "arm": resolved.arm,
        "reason": resolved.reason.value,
        "text": resolved.text,
        "messages": [{"role": m.role, "content": m.content} for m in resolved.messages],
        "parameters": resolved.parameters,
        "output_schema": resolved.output_schema,
        "config_revision": resolved.config_revision,
        "config_age_ms": resolved.config_age_ms,
        "stale": resolved.stale,
        "detail": resolved.detail,
        "token": resolved.token.hex(),
    }
