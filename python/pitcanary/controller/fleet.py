"""Records what sidecars say, in few transactions.

Two hundred acknowledgements within a second are one commit, after any evidence
that waits. A later fact replaces an earlier one of the same kind, so the queue
is never longer than the fleet. What is said is decided in `controller.hub`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.writer import Priority
from pitcanary.errors import PitcanaryError
from pitcanary.model.clock import Clock
from pitcanary.store.interface import ConfigVersion, SidecarHello, Transaction

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class FleetRecorder:
    """A queue of facts about sidecars and the task that stores them."""

    def __init__(self, access: StoreAccess, clock: Clock, replica: str) -> None:
        self._access = access
        self._clock = clock
        self._replica = replica
        self._facts: dict[tuple[str, int, str], Callable[[Transaction], None]] = {}
        self._news = asyncio.Event()

    def hello(self, hello: SidecarHello) -> None:
        """A sidecar has connected."""
        at = self._clock.now()
        self._drop("disconnected", hello.environment, hello.sidecar_id)
        self._add(
            "hello", hello.environment, hello.sidecar_id, lambda tx: tx.sidecars.hello(hello, at)
        )

    def acknowledged(self, hello: SidecarHello, version: ConfigVersion) -> None:
        """A sidecar serves a configuration."""
        at = self._clock.now()
        self._add(
            "acknowledged", hello.environment, hello.sidecar_id,
            lambda tx: tx.sidecars.acknowledge(hello.environment, hello.sidecar_id, version, at),
        )  # fmt: skip

    def refused(self, hello: SidecarHello, version: ConfigVersion, reason: str) -> None:
        """A sidecar refuses a configuration."""
        at = self._clock.now()
        self._add(
            "refused", hello.environment, hello.sidecar_id,
            lambda tx: tx.sidecars.refuse(
                hello.environment, hello.sidecar_id, version, reason, at
            ),
        )  # fmt: skip

    def seen(self, environment: int, sidecars: Iterable[str]) -> None:
        """Sidecars are connected still."""
        at, names = self._clock.now(), sorted(sidecars)
        self._add("seen", environment, "", lambda tx: tx.sidecars.seen(environment, names, at))

    def disconnected(self, hello: SidecarHello) -> None:
        """The last stream of a sidecar has ended."""
        self._add(
            "disconnected", hello.environment, hello.sidecar_id,
            lambda tx: tx.sidecars.disconnected(
                hello.environment, hello.sidecar_id, self._replica
            ),
        )  # fmt: skip

    async def run(self) -> None:
        """Stores facts until it is cancelled."""
        while True:
            await self._news.wait()
            try:
                await self.flush()
            except PitcanaryError as error:
                log.warning("sidecars_not_recorded waiting=%d error=%s", len(self._facts), error)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Stores everything that waits, in one transaction."""
        facts = dict(self._facts)
        if facts:
            await self._access.write(Priority.INGEST, lambda tx: _apply(tx, facts.values()))
        for key, fact in facts.items():
            if self._facts.get(key) is fact:
                del self._facts[key]
        if not self._facts:
            self._news.clear()

    def _add(
        self, kind: str, environment: int, sidecar: str, fact: Callable[[Transaction], None]
    ) -> None:
        self._drop(kind, environment, sidecar)
        self._facts[kind, environment, sidecar] = fact
        self._news.set()

    def _drop(self, kind: str, environment: int, sidecar: str) -> None:
        self._facts.pop((kind, environment, sidecar), None)


def _apply(transaction: Transaction, facts: Iterable[Callable[[Transaction], None]]) -> None:
    for fact in facts:
        fact(transaction)
