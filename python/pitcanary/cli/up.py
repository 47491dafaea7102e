"""`pitcanary up`: a controller and a sidecar on this machine, until Ctrl-C.

Two processes, because a busy Python thread must never share one with the sidecar.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from pitcanary.cli.connection import Json, failures
from pitcanary.cli.output import console, print_json
from pitcanary.processes import Children


def up(
    data_dir: Annotated[
        Path, typer.Option(help="Folder of the database and the sidecar's snapshot.")
    ] = Path(".pitcanary"),
    controller_listen: Annotated[
        str, typer.Option(help="Where the controller listens.")
    ] = "127.0.0.1:7071",
    sidecar_listen: Annotated[
        str, typer.Option(help="Where the sidecar listens.")
    ] = "127.0.0.1:7070",
    json: Json = False,
) -> None:
    """Run a controller on SQLite and one sidecar."""
    data_dir.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with failures(controller_listen), Children() as children:
        controller = children.start(
            "controller",
            "controller",
            f"--listen={controller_listen}",
            f"--store=sqlite:///{data_dir / 'pitcanary.db'}",
            "--metrics=127.0.0.1:0",
        )
        sidecar = children.start(
            "sidecar",
            "sidecar",
            f"--listen={sidecar_listen}",
            f"--listen=unix:{(data_dir / 'sidecar.sock').absolute()}",
            f"--controller={controller.listen[0]}",
            f"--data-dir={data_dir / 'sidecar'}",
            "--metrics=127.0.0.1:0",
        )
        ready = {"controller": controller.ready, "sidecar": sidecar.ready}
        if json:
            print_json({"event": "ready", **ready})
        else:
            console.print(f"controller  {', '.join(controller.listen)}")
            console.print(f"sidecar     {', '.join(sidecar.listen)}")
            console.print(f"data        {data_dir.absolute()}")
            console.print("Ctrl-C stops both.")
        stop.wait()
