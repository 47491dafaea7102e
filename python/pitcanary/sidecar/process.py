"""One sidecar process: start, say that it is ready, wait for a signal, drain.

The main thread sleeps in `sigwait`, so no Python runs while the sidecar serves. A
second signal during the drain ends the process at once.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from typing import TextIO

from pitcanary import _native
from pitcanary.config import SidecarSettings, effective
from pitcanary.errors import SettingsRefused
from pitcanary.sidecar.metrics import MetricsServer

log = logging.getLogger(__name__)

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(settings: SidecarSettings, output: TextIO) -> int:
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
        settings: What to serve and where.
        output: Gets one JSON line when the sidecar is ready.

    Returns:
        The exit status: 0 after a clean drain, 1 when something was lost in it.

    Raises:
        SettingsRefused: When an address, the data folder or another setting cannot be used.
    """
    # Threads started from here on inherit the mask, so the signal waits for `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    sidecar = start(settings)
    metrics = None
    try:
        metrics = MetricsServer(sidecar, settings.metrics) if settings.metrics else None
        _say_ready(sidecar, metrics, output)
        ending = signal.sigwait(ENDING_SIGNALS)
        log.info("drain signal=%s seconds=%s", signal.Signals(ending).name, settings.drain_seconds)
        _let_signals_end_the_process()
    finally:
        clean = sidecar.shutdown(settings.drain_seconds)
        if metrics is not None:
            metrics.close()
    log.info("ended clean=%s", clean)
    return 0 if clean else 1


def start(settings: SidecarSettings) -> _native.Sidecar:
    """Starts the Rust server; it answers when this returns."""
    log.info("start %s", " ".join(f"{name}={text}" for name, text in effective(settings).items()))
    if settings.tls.certificate:
        raise SettingsRefused(
            "TLS to the controller is not available: leave `tls_certificate` empty"
        )
    sidecar = _native.Sidecar(
        listen=list(settings.listen),
        insecure_listen=list(settings.insecure_listen),
        controller=settings.controller,
        data_dir=settings.data_dir,
        sidecar_id=settings.sidecar_id or socket.gethostname(),
        namespace=settings.namespace,
        environment=settings.environment,
        workers=settings.workers,
        coalesce=settings.coalesce,
        replay=settings.replay,
    )
    try:
        sidecar.start()
    except (ValueError, OSError) as error:
        raise SettingsRefused(str(error)) from error
    return sidecar


def _say_ready(sidecar: _native.Sidecar, metrics: MetricsServer | None, output: TextIO) -> None:
    ready = {
        "event": "ready",
        "listen": sidecar.addresses,
        "metrics": metrics.address if metrics else None,
        "pid": os.getpid(),
    }
    print(json.dumps(ready), file=output, flush=True)


def _let_signals_end_the_process() -> None:
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
