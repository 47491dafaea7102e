"""The program's commands in one place.

`sidecar` is not here: it starts without this library, see `pitcanary.__main__`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pitcanary.cli import decisions, prompts, rollouts
from pitcanary.cli.controller import controller
from pitcanary.cli.demo import demo
from pitcanary.cli.replay import replay
from pitcanary.cli.resolve import resolve
from pitcanary.cli.up import up

app = typer.Typer(
    name="pitcanary",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Progressive delivery for LLM prompts.",
)
app.add_typer(prompts.app, name="prompts")
app.add_typer(rollouts.app, name="rollouts")
app.add_typer(decisions.app, name="decisions")
app.command()(up)
app.command()(controller)
app.command()(resolve)
app.command()(replay)
app.command()(demo)


@app.command(context_settings={"ignore_unknown_options": True})
def sidecar(
    arguments: Annotated[list[str] | None, typer.Argument(help="See pitcanary sidecar --help.")],
) -> None:
    """Run the sidecar beside an application."""
    from pitcanary.sidecar.__main__ import main  # noqa: PLC0415 - only its help gets here

    raise typer.Exit(main(arguments or [], {}))
