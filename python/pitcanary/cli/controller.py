"""`pitcanary controller`: one controller process until SIGTERM.

Reads flags and environment into settings and hands over; what a controller does
is `pitcanary.controller`.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from pitcanary.config import ControllerSettings, read_settings
from pitcanary.errors import SettingsRefused, StoreRefused, StoreUnavailable

WRONG_USAGE = 2
FAILED = 1


def controller(
    listen: Annotated[
        list[str] | None, typer.Option(help="Where to listen: unix:PATH or a loopback IP:PORT.")
    ] = None,
    insecure_listen: Annotated[
        list[str] | None,
        typer.Option(help="Where to listen without encryption although others can reach it."),
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="sqlite:///FILE or postgresql+psycopg://HOST/NAME.")
    ] = None,
    metrics: Annotated[str | None, typer.Option(help="Where to serve /metrics.")] = None,
    webhook: Annotated[
        str | None, typer.Option(help="URL that is told about rollbacks and promotions.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Tells replicas apart in logs.")] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(help="How long calls may take to end after SIGTERM.")
    ] = None,
    replay: Annotated[
        bool, typer.Option(help="Let ReplayService set the clock; never in production.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of a replay: the same seed draws the same salts and keys.")
    ] = None,
) -> None:
    """Run a controller.

    Every flag can be given as PITCANARY_… in the environment; secrets only there
    (PITCANARY_WEBHOOK_SECRET).
    """
    flags: dict[str, object] = {
        "listen": listen or None,
        "insecure_listen": insecure_listen or None,
        "store": store,
        # A replay is watched by who drives it; its port would only be in the way.
        "metrics": "" if replay and metrics is None else metrics,
        "webhook_url": webhook,
        "name": name,
        "drain_seconds": drain_seconds,
        "replay": replay or None,
        "seed": seed,
    }
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces every plug-in
    from pitcanary.controller.process import run  # noqa: PLC0415 - other commands start faster

    try:
        run(read_settings(ControllerSettings, flags, os.environ))  # noqa: TID251 - the process entry
    except SettingsRefused as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(WRONG_USAGE) from None
    except (StoreRefused, StoreUnavailable) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from None
