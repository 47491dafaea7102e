"""One thread for every call to the store, most urgent first.

A store is synchronous and, on SQLite, has one writer; the event loop must wait
for neither. Decisions overtake evidence that is still queued, so a flood of
frames never delays a rollback by more than the one commit under way. The calls
themselves live in the modules that make them.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Priority(enum.IntEnum):
    """What overtakes what; lower runs first, equals run in order of arrival."""

    DECISION = 0
    CHANGE = 1
    READ = 2
    INGEST = 3


@dataclass(order=True, slots=True)
class _Job:
    """A call in the queue; ordered by priority, then by arrival."""

    priority: int
    number: int
    run: Callable[[], None] = field(compare=False)


class WriterClosedError(RuntimeError):
    """Raised when a call is queued after `close`."""


class Writer:
    """Runs store calls one after another on a thread of its own."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._numbers = itertools.count()
        self._closed = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="pitcanary-store", daemon=True)
        self._thread.start()

    async def run(self, priority: Priority, call: Callable[[], T]) -> T:
        """Runs `call` on the writer thread and returns its result.

        A caller that is cancelled before its call starts withdraws it; a call
        that has started always finishes, because half a transaction is nothing.

        Raises:
            WriterClosedError: The writer was closed before.
        """
        future: Future[T] = Future()
        with self._wake:
            if self._closed:
                raise WriterClosedError("the store's thread is closed; start the controller again")
            job = _Job(int(priority), next(self._numbers), partial(_run, call, future))
            heapq.heappush(self._jobs, job)
            self._wake.notify()
        return await asyncio.wrap_future(future)

    @property
    def waiting(self) -> int:
        """Number of calls that have not started."""
        return len(self._jobs)

    def close(self) -> None:
        """Finishes what is queued and ends the thread; blocks until it has ended."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()

    def _next(self) -> _Job | None:
        with self._wake:
            while not self._jobs:
                if self._closed:
                    return None
                self._wake.wait()
            return heapq.heappop(self._jobs)


def _run(call: Callable[[], T], future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
