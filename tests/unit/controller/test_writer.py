"""Laws of the store's thread: order, urgency, errors and its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from pitcanary.controller.writer import Priority, Writer, WriterClosedError


def gate() -> tuple[threading.Event, threading.Event, Callable[[], None]]:
    """A call that says that it has started and then waits to be released."""
    started, release = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(10)

    return started, release, block


async def test_a_decision_overtakes_queued_evidence_and_equals_keep_their_order() -> None:
    writer = Writer()
    started, release, block = gate()
    ran: list[str] = []
    blocker = asyncio.create_task(writer.run(Priority.READ, block))
    await asyncio.to_thread(started.wait, 10)
    calls = [
        asyncio.create_task(writer.run(priority, partial(ran.append, name)))
        for name, priority in [
            ("frame 1", Priority.INGEST),
            ("frame 2", Priority.INGEST),
            ("read", Priority.READ),
            ("decision", Priority.DECISION),
        ]
    ]
    await asyncio.sleep(0)  # every task has queued its call and waits
    assert writer.waiting == len(calls)
    release.set()
    await asyncio.gather(blocker, *calls)
    writer.close()
    assert ran == ["decision", "read", "frame 1", "frame 2"]


async def test_an_error_reaches_the_caller_and_the_thread_goes_on() -> None:
    writer = Writer()
    with pytest.raises(ZeroDivisionError):
        await writer.run(Priority.READ, lambda: 1 // 0)
    assert await writer.run(Priority.READ, lambda: 2) == 2
    writer.close()


async def test_a_call_withdrawn_before_it_starts_never_runs() -> None:
    writer = Writer()
    started, release, block = gate()
    ran: list[int] = []
    blocker = asyncio.create_task(writer.run(Priority.READ, block))
    await asyncio.to_thread(started.wait, 10)
    withdrawn = asyncio.create_task(writer.run(Priority.READ, lambda: ran.append(1)))
    await asyncio.sleep(0)
    withdrawn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await withdrawn
    await asyncio.sleep(0)  # the loop tells the queued call that nobody waits
    release.set()
    await blocker
    writer.close()
    assert ran == []


async def test_closing_finishes_what_is_queued_and_refuses_the_rest() -> None:
    writer = Writer()
    ran: list[int] = []
    calls = [
        asyncio.create_task(writer.run(Priority.INGEST, partial(ran.append, number)))
        for number in range(10)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(writer.close)
    await asyncio.gather(*calls)
    assert ran == list(range(10))
    with pytest.raises(WriterClosedError):
        await writer.run(Priority.READ, lambda: None)
