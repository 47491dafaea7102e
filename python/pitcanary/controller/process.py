"""The controller as a process: real clock, real randomness, signals, ready line.

Everything else gets these handed in. The line on standard output is for whoever
started the process; the log goes to standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import signal
import socket
import sys
from dataclasses import replace
from datetime import datetime, timezone

from pitcanary.config import ControllerSettings, effective
from pitcanary.controller.application import Controller, Listening, Surroundings
from pitcanary.controller.replay import ReplayBytes, ReplayClock
from pitcanary.store import Store, open_store

log = logging.getLogger(__name__)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(timezone.utc)


def run(settings: ControllerSettings) -> None:
    """Runs a controller until SIGTERM or SIGINT.

    Raises:
        SettingsRefused: An address cannot be used.
        StoreRefused: The store may not be opened.
        StoreUnavailable: The store cannot be reached.
    """
    settings = replace(settings, name=settings.name or socket.gethostname())
    shown = {name: without_password(value) for name, value in effective(settings).items()}
    log.info("controller_starting %s", " ".join(f"{name}={text}" for name, text in shown.items()))
    asyncio.run(_serve(settings))


def without_password(address: str) -> str:
    """An address as it may be logged.

    Examples:
        >>> without_password("postgresql+psycopg://ann:secret@host/name")
        'postgresql+psycopg://ann:***@host/name'
    """
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", address)


async def _serve(settings: ControllerSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    store = open_store(settings.store)
    try:
        controller = Controller(settings, _surroundings(settings, store))
        _print_ready(await controller.start())
        await stopped.wait()
        log.info("controller_stopping drain_s=%s", settings.drain_seconds)
        await controller.stop()
    finally:
        store.close()


def _surroundings(settings: ControllerSettings, store: Store) -> Surroundings:
    if settings.replay:
        return Surroundings(store, ReplayClock(), ReplayBytes(settings.seed))
    return Surroundings(store, SystemClock(), secrets.token_bytes)


def _print_ready(listening: Listening) -> None:
    ready = {
        "event": "ready",
        "listen": list(listening.addresses),
        "metrics": listening.metrics,
        "pid": os.getpid(),
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
