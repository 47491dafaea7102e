"""How the event loop reaches the synchronous store.

Every change runs on the one writer thread in order of urgency; reads run beside
it on a few threads of their own, because a reader never waits for the writer.
What is read and changed is the callers' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pitcanary.controller.writer import Priority, Writer
from pitcanary.store.interface import Reader, Store, Transaction

T = TypeVar("T")

READERS = 4


class StoreAccess:
    """The store of one controller process; owns its threads, not the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer = Writer()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="pitcanary-read")

    async def write(self, priority: Priority, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in a transaction of its own, commits it and returns its result.

        Raises:
            PitcanaryError: What the store or `work` raised; nothing was changed.
        """

        def call() -> T:
            with self._store.transaction() as transaction:
                return work(transaction)

        return await self._writer.run(priority, call)

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Runs `work` over one consistent view and returns its result."""

        def call() -> T:
            with self._store.read() as reader:
                return work(reader)

        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def close(self) -> None:
        """Finishes what is queued and ends the threads; blocks until they have ended."""
        self._writer.close()
        self._readers.shutdown()
