"""`pitcanary decisions`: what was decided, when, why and from what."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from pitcanary.cli.connection import (
    DEADLINE_SECONDS,
    DEFAULT_CONTROLLER,
    Controller,
    Environment,
    Json,
    Namespace,
    admin,
    scope,
)
from pitcanary.cli.output import console, print_json, print_table
from pitcanary.v1 import admin_pb2 as pb

app = typer.Typer(no_args_is_help=True, help="Read the decision records.")


@app.command("list")
def list_decisions(
    rollout: Annotated[str, typer.Argument(help="Only of this rollout.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """List decisions, newest first."""
    request = pb.ListDecisionsRequest(
        scope=scope(namespace, environment), rollout=rollout, limit=limit
    )
    with admin(controller) as service:
        decisions = service.ListDecisions(request, timeout=DEADLINE_SECONDS).decisions
    if json:
        print_json({"decisions": [_plain(each) for each in decisions]})
        return
    print_table(
        ["ID", "AT", "ROLLOUT", "ACTION", "ACTOR", "RULE"],
        [
            (
                each.id,
                each.decided_at.ToDatetime().isoformat(" ", "seconds"),
                each.rollout,
                each.action,
                each.actor,
                each.rule,
            )
            for each in decisions
        ],
        "No decision has been taken yet.",
    )


@app.command()
def show(
    decision: Annotated[str, typer.Argument(help="Id of the decision.")],
    controller: Controller = DEFAULT_CONTROLLER,
    namespace: Namespace = "default",
    environment: Environment = "production",
    json: Json = False,
) -> None:
    """Show one record: with --json exactly the bytes that were hashed."""
    request = pb.GetDecisionRequest(scope=scope(namespace, environment), id=decision)
    with admin(controller) as service:
        answer = service.GetDecision(request, timeout=DEADLINE_SECONDS)
    if json:
        typer.echo(answer.record_json.decode())
        return
    short = answer.decision
    console.print(f"{short.action} of {short.rollout} by {short.actor}", markup=False)
    console.print(short.rule, markup=False)
    record = orjson.loads(answer.record_json)
    console.print(orjson.dumps(record, option=orjson.OPT_INDENT_2).decode(), markup=False)


def _plain(each: pb.DecisionInfo) -> dict[str, object]:
    return {
        "id": each.id,
        "rollout": each.rollout,
        "decided_at": each.decided_at.ToJsonString(),
        "action": each.action,
        "rule": each.rule,
        "actor": each.actor,
    }
