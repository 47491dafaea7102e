"""Carries the store's wake-ups onto the event loop.

A wake-up has no data: it only makes somebody look at the store sooner. Who is
woken still looks from time to time by itself, so a lost wake-up costs latency
and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from pitcanary.store.interface import Notice, Store, Subscription, Topic

POLL_SECONDS = 1.0


class Wakeups:
    """A thread that listens to the store and calls back on the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: dict[Topic, list[Callable[[int], None]]] = {}
        self._stopped = threading.Event()
        self._subscription: Subscription | None = None
        self._thread: threading.Thread | None = None

    def listen(self, topic: Topic, listener: Callable[[int], None]) -> None:
        """Calls `listener` with an environment's id, or 0 for all of them.

        To be called before `start`. A listener is also called with 0 whenever
        wake-ups may have been missed.
        """
        self._listeners.setdefault(topic, []).append(listener)

    def start(self) -> None:
        """Begins to listen; calls back on the running event loop."""
        loop = asyncio.get_running_loop()
        self._subscription = self._store.subscribe()
        self._thread = threading.Thread(
            target=self._work,
            args=(loop, self._subscription),
            name="pitcanary-wakeups",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; blocks until it has ended."""
        if self._subscription is not None and self._thread is not None:
            self._stopped.set()
            self._subscription.close()
            self._thread.join()

    def _work(self, loop: asyncio.AbstractEventLoop, subscription: Subscription) -> None:
        while not self._stopped.is_set():
            notice = subscription.get(POLL_SECONDS)
            if notice is not None:
                # The loop may close between two notices; then nobody listens.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._deliver, notice)

    def _deliver(self, notice: Notice) -> None:
        topics = list(self._listeners) if notice.topic is Topic.RESYNC else [notice.topic]
        environment = 0 if notice.topic is Topic.RESYNC else notice.environment
        for topic in topics:
            for listener in self._listeners.get(topic, ()):
                listener(environment)
