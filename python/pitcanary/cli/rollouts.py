"""`pitcanary rollouts`: apply, watch, and act."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import orjson
import typer
import yaml
from rich.live import Live

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
from pitcanary.cli.output import console, print_json, print_table
from pitcanary.cli.rollout_view import render
from pitcanary.errors import ManifestRefused
from pitcanary.manifest.load import load_rollout
from pitcanary.v1 import admin_pb2 as pb

app = typer.Typer(no_args_is_help=True, help="Rollouts: the releases that are under way.")

Name = Annotated[str, typer.Argument(help="Name of the rollout.")]


class Act(Enum):
    """What a person can do to a rollout."""

    PAUSE = pb.ROLLOUT_ACTION_PAUSE
    RESUME = pb.ROLLOUT_ACTION_RESUME
    ABORT = pb.ROLLOUT_ACTION_ABORT
    PROMOTE = pb.ROLLOUT_ACTION_PROMOTE


@app.command()
def apply(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A rollout manifest.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only.")] = False,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
    *,
    actor: Actor,
) -> None:
    """Create or change a rollout; refused whole when any part is wrong."""
    with admin(controller) as service:
        request = pb.ApplyRolloutRequest(
            scope=scope(namespace, environment),
            spec_json=_specification(path),
            dry_run=dry_run,
            actor=actor,
            reason=reason,
            idempotency_key=idempotency_key(),
        )
        answer = service.ApplyRollout(request, timeout=DEADLINE_SECONDS)
    if json:
        print_json({"rollout": _plain(answer.rollout), "changes": list(answer.changes)})
        return
    would = "would be " if dry_run else ""
    console.print(f"{answer.rollout.name}: {would}{answer.rollout.state}", markup=False)
    for change in answer.changes or ["nothing changed"]:
        console.print(f"  {change}", markup=False)


@app.command("list")
def list_rollouts(
    prompt: Annotated[str, typer.Option(help="Only of this prompt.")] = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """List rollouts, newest first."""
    request = pb.ListRolloutsRequest(scope=scope(namespace, environment), prompt=prompt)
    with admin(controller) as service:
        rollouts = service.ListRollouts(request, timeout=DEADLINE_SECONDS).rollouts
    if json:
        print_json({"rollouts": [_plain(each) for each in rollouts]})
        return
    print_table(
        ["NAME", "PROMPT", "STATE", "STAGE", "SHARE", "WHY"],
        [
            (
                each.name,
                each.prompt,
                each.state,
                f"{each.stage}/{each.stages}",
                f"{each.share_set:.0%}",
                each.message,
            )
            for each in rollouts
        ],
        "There is no rollout yet: pitcanary rollouts apply FILE",
    )


@app.command()
def get(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and follow every tick.")] = False,
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """Show a rollout: shares, a row per metric, and what comes next."""
    where = scope(namespace, environment)
    with admin(controller) as service:
        if not watch:
            request = pb.GetRolloutRequest(scope=where, name=name)
            _show(service.GetRollout(request, timeout=DEADLINE_SECONDS).rollout, json)
            return
        updates = service.WatchRollout(pb.WatchRolloutRequest(scope=where, name=name))
        if json or not console.is_terminal:
            for update in updates:
                _show(update.rollout, json)
            return
        with Live(console=console, auto_refresh=False) as live:
            for update in updates:
                live.update(render(update.rollout), refresh=True)


@app.command()
def pause(
    name: Name,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    *,
    actor: Actor,
) -> None:
    """Hold the share where it is; guards stay active."""
    _act(Act.PAUSE, name, reason, controller, scope(namespace, environment), actor)


@app.command()
def resume(
    name: Name,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    *,
    actor: Actor,
) -> None:
    """Go on after a pause."""
    _act(Act.RESUME, name, reason, controller, scope(namespace, environment), actor)


@app.command()
def abort(
    name: Name,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    *,
    actor: Actor,
) -> None:
    """Take the candidate back at once. Always works."""
    _act(Act.ABORT, name, reason, controller, scope(namespace, environment), actor)


@app.command()
def promote(
    name: Name,
    reason: Reason = "",
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    *,
    actor: Actor,
) -> None:
    """Give the candidate everything by override, recorded as such."""
    _act(Act.PROMOTE, name, reason, controller, scope(namespace, environment), actor)


def _act(act: Act, name: str, reason: str, controller: str, where: pb.Scope, actor: str) -> None:
    request = pb.ActOnRolloutRequest(
        scope=where,
        name=name,
        action=act.value,
        actor=actor,
        reason=reason,
        idempotency_key=idempotency_key(),
    )
    with admin(controller) as service:
        answer = service.ActOnRollout(request, timeout=DEADLINE_SECONDS)
    done = f"decision {answer.decision_id}" if answer.decision_id else "nothing to do"
    console.print(f"{name}: {answer.rollout.state} ({done})", markup=False)


def _specification(path: Path) -> str:
    """The manifest's content as JSON, checked here so that errors name file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestRefused(f"{path}: cannot be read: {error}") from None
    load_rollout(text, str(path))
    return orjson.dumps(yaml.safe_load(text), option=orjson.OPT_SORT_KEYS).decode()


def _show(rollout: pb.RolloutInfo, json: bool) -> None:
    if json:
        print_json(_plain(rollout))
    else:
        console.print(render(rollout))


def _plain(rollout: pb.RolloutInfo) -> dict[str, object]:
    return {
        "name": rollout.name,
        "prompt": rollout.prompt,
        "state": rollout.state,
        "message": rollout.message,
        "stage": rollout.stage,
        "stages": rollout.stages,
        "share_set": rollout.share_set,
        "share_actual": rollout.share_actual if rollout.HasField("share_actual") else None,
        "revision": rollout.revision,
        "created_at": rollout.created_at.ToJsonString(),
        "view": orjson.loads(rollout.view_json or "{}"),
    }
