"""`pitcanary prompts`: push versions, point labels, see what changed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import orjson
import typer

from pitcanary.cli.connection import (
    DEADLINE_SECONDS,
    DEFAULT_CONTROLLER,
    Actor,
    Controller,
    Environment,
    Json,
    Namespace,
    Reason,
    admin,
    idempotency_key,
    scope,
)
from pitcanary.cli.output import WRONG_USAGE, complain, console, print_json, print_table
from pitcanary.errors import ManifestRefused
from pitcanary.manifest.files import read_path
from pitcanary.manifest.prompt import PromptManifest
from pitcanary.v1 import admin_pb2 as pb

app = typer.Typer(no_args_is_help=True, help="Prompts, their versions and labels.")


@app.command()
def push(
    name: Annotated[str, typer.Argument(help="Name of the prompt.")],
    path: Annotated[Path, typer.Argument(help="A text file, a prompt manifest or its folder.")],
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Labels for a prompt that is new; repeatable.", show_default="production"
        ),
    ] = None,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
    *,
    actor: Actor,
) -> None:
    """Store a version. The same content is the same version."""
    with admin(controller) as service:
        manifest = _prompt(path)
        request = pb.PushVersionRequest(
            scope=scope(namespace, environment),
            prompt=name,
            version_json=manifest.content.canonical().decode(),
            labels=label or manifest.labels or ["production"],
            actor=actor,
            reason=reason,
            idempotency_key=idempotency_key(),
        )
        answer = service.PushVersion(request, timeout=DEADLINE_SECONDS)
    version = answer.version
    if json:
        print_json({**_version(version), "created": answer.created})
        return
    known = "stored" if answer.created else "known already"
    labels = f"  [{', '.join(version.labels)}]" if version.labels else ""
    console.print(f"{name} v{version.number} {known}  {version.digest}{labels}", markup=False)


@app.command("list")
def list_prompts(
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """List prompts with their labels."""
    request = pb.ListPromptsRequest(scope=scope(namespace, environment))
    with admin(controller) as service:
        prompts = service.ListPrompts(request, timeout=DEADLINE_SECONDS).prompts
    if json:
        print_json({"prompts": [_prompt_plain(each) for each in prompts]})
        return
    print_table(
        ["NAME", "VERSIONS", "LABELS"],
        [
            (each.name, str(each.versions), ", ".join(_label(label) for label in each.labels))
            for each in prompts
        ],
        "There is no prompt yet: pitcanary prompts push NAME FILE",
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the prompt.")],
    version: Annotated[str, typer.Option(help="A number, a digest or a label.")] = "production",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """Show one version with its content."""
    request = _which(name, version, scope(namespace, environment))
    with admin(controller) as service:
        answer = service.GetVersion(request, timeout=DEADLINE_SECONDS)
    content = orjson.loads(answer.version_json)
    if json:
        print_json({**_version(answer.version), "content": content})
        return
    console.print(f"{name} v{answer.version.number}  {answer.version.digest}", markup=False)
    for line in _lines(content):
        console.print(line, markup=False)


@app.command()
def diff(
    name: Annotated[str, typer.Argument(help="Name of the prompt.")],
    before: Annotated[str, typer.Argument(help="A number, a digest or a label.")],
    after: Annotated[str, typer.Argument(help="A number, a digest or a label.")],
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
) -> None:
    """Show what changed between two versions: content, parameters, schema, model."""
    where = scope(namespace, environment)
    with admin(controller) as service:
        answers = [
            service.GetVersion(_which(name, each, where), timeout=DEADLINE_SECONDS)
            for each in (before, after)
        ]
    old, new = (_lines(orjson.loads(answer.version_json)) for answer in answers)
    from_title, to_title = (f"{name} v{answer.version.number}" for answer in answers)
    changes = list(difflib.unified_diff(old, new, from_title, to_title, lineterm=""))
    for line in changes:
        console.print(line, markup=False, style=_STYLES.get(line[:1]))
    if not changes:
        console.print("No difference.")


@app.command()
def label(
    name: Annotated[str, typer.Argument(help="Name of the prompt.")],
    label_name: Annotated[str, typer.Argument(metavar="LABEL", help="The label.")],
    number: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
    *,
    actor: Actor,
) -> None:
    """Point a label at a version, at once and for everybody."""
    request = pb.MoveLabelRequest(
        scope=scope(namespace, environment),
        prompt=name,
        label=label_name,
        number=number,
        actor=actor,
        reason=reason,
        idempotency_key=idempotency_key(),
    )
    with admin(controller) as service:
        answer = service.MoveLabel(request, timeout=DEADLINE_SECONDS)
    if json:
        print_json({"label": label_name, "from": answer.previous_number, "to": number})
        return
    origin = f"v{answer.previous_number}" if answer.previous_number else "nowhere"
    console.print(f"{name} {label_name}: {origin} → v{number}", markup=False)


_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def _prompt(path: Path) -> PromptManifest:
    manifests = read_path(path)
    if len(manifests) == 1 and isinstance(manifests[0], PromptManifest):
        return manifests[0]
    raise ManifestRefused(f"{path}: must hold one prompt")


def _which(name: str, version: str, where: pb.Scope) -> pb.GetVersionRequest:
    request = pb.GetVersionRequest(scope=where, prompt=name)
    if version.isdecimal():
        request.number = int(version)
    elif version.startswith("sha256:"):
        request.digest = version
    elif version:
        request.label = version
    else:
        complain("a version is a number, a digest or a label")
        raise typer.Exit(WRONG_USAGE)
    return request


def _lines(content: dict[str, object]) -> list[str]:
    """The content as lines of text, longest part last."""
    lines = []
    for field in ("model", "syntax", "parameters", "output_schema"):
        value = content.get(field)
        if value:
            text = value if isinstance(value, str) else _indented(value)
            lines += [f"{field}: {text}"] if "\n" not in text else [f"{field}:", *text.split("\n")]
    whole = content.get("text")
    if isinstance(whole, str):
        return lines + whole.split("\n")
    for message in content.get("messages") or []:  # type: ignore[attr-defined]
        lines += [f"{message['role']}:", *message["content"].split("\n")]
    return lines


def _indented(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()


def _label(label: pb.LabelInfo) -> str:
    held = f" (held by {label.rollout})" if label.rollout else ""
    return f"{label.label} → v{label.number}{held}"


def _version(version: pb.VersionInfo) -> dict[str, object]:
    return {
        "prompt": version.prompt,
        "number": version.number,
        "digest": version.digest,
        "created_at": version.created_at.ToJsonString(),
        "actor": version.actor,
        "labels": list(version.labels),
    }


def _prompt_plain(prompt: pb.PromptInfo) -> dict[str, object]:
    return {
        "name": prompt.name,
        "versions": prompt.versions,
        "labels": [
            {"label": each.label, "number": each.number, "rollout": each.rollout}
            for each in prompt.labels
        ],
    }
