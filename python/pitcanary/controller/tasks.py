"""Keeps the controller's background tasks going.

A task that fails because of an unforeseen error is logged with its trace, counted
and started again: a webhook's bug must not stop decisions. Errors that a task
expects are its own business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pitcanary.controller.metrics import Metrics

log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0


class Tasks:
    """The background tasks of one process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Runs `run` until `stop`, again and again if it fails."""
        self._tasks.append(asyncio.create_task(self._keep(name, run), name=name))

    async def stop(self) -> None:
        """Cancels all tasks and waits until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while await self._failed(name, run):
            log.info("task_restarted task=%s", name)

    async def _failed(self, name: str, run: Callable[[], Awaitable[None]]) -> bool:
        try:
            await run()
        except Exception:
            self._metrics.task_failures.labels(name).inc()
            log.exception("task_failed task=%s", name)
            await asyncio.sleep(RESTART_SECONDS)
            return True
        return False
