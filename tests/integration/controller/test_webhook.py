"""Deliveries to a real HTTP server: signed, repeated until accepted, never doubled by us."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from pitcanary.config import Webhook
from pitcanary.controller.webhook import GIVE_UP_AFTER, pause_after
from pitcanary.controller.writer import Priority
from pitcanary.store.interface import NewMessage
from tests.integration.controller.harness import START, ManualClock, Running, running

BODY = orjson.dumps(
    {
        "context": {
            "id": "e1",
            "source": "/default/production",
            "type": "dev.cdeventsx.pitcanary-promptrollout.rolledback.0.1.0",
            "timestamp": "2026-11-23T12:00:00.000000Z",
        },
        "subject": {"id": "support-reply-v42"},
    }
)


@dataclass
class Receiver:
    """An HTTP server that answers with the given statuses, then with 204."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.news = threading.Condition()

    async def until(self, count: int) -> None:
        """Waits for so many requests."""

        def wait() -> None:
            with self.news:
                assert self.news.wait_for(lambda: len(self.requests) >= count, timeout=10)

        await asyncio.to_thread(wait)


@contextmanager
def receiver(*statuses: int) -> Iterator[Receiver]:
    """Runs a receiver on a free port of this machine."""
    state = Receiver(list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with state.news:
                state.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = state.statuses.pop(0) if state.statuses else 204
                state.news.notify_all()
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook?team=a"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def queue(here: Running) -> None:
    at = here.clock.now()
    await here.controller.access.write(
        Priority.CHANGE, lambda tx: tx.outbox.put(NewMessage(1, "rollback", BODY), at)
    )


async def pending(here: Running) -> int:
    return await here.controller.access.read(lambda reader: reader.outbox.pending())


async def emptied(here: Running) -> None:
    while await pending(here):
        pass  # every look waits for the store


async def test_a_message_arrives_as_a_signed_cloud_event() -> None:
    with receiver() as hook:
        webhook = Webhook(hook.url, secret="s3cret")  # noqa: S106
        async with running(webhook=webhook) as here:
            await queue(here)
            await hook.until(1)
            await emptied(here)
    ((headers, body),) = hook.requests
    assert body == BODY
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-id"] == headers["idempotency-key"] == "e1"
    assert headers["ce-type"].endswith("rolledback.0.1.0")
    assert headers["ce-subject"] == "support-reply-v42"
    seconds = str(int(START.timestamp()))
    digest = hmac.new(b"s3cret", f"{seconds}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert headers["pitcanary-signature"] == f"t={seconds},s={digest}"


async def test_without_a_secret_nothing_is_signed() -> None:
    with receiver() as hook:
        async with running(webhook=Webhook(hook.url)) as here:
            await queue(here)
            await hook.until(1)
    assert "pitcanary-signature" not in hook.requests[0][0]


@pytest.mark.parametrize("status", [302, 404, 500], ids=["redirect", "not found", "broken"])
async def test_a_refused_message_is_sent_again_later_with_the_same_id(status: int) -> None:
    clock = ManualClock()
    with receiver(status) as hook:
        async with running(webhook=Webhook(hook.url), clock=clock) as here:
            await queue(here)
            await hook.until(1)
            assert await pending(here) == 1
            clock.move(timedelta(seconds=2))
            await hook.until(2)
            await emptied(here)
    assert [headers["ce-id"] for headers, _ in hook.requests] == ["e1", "e1"]


async def test_a_message_that_nobody_takes_for_a_day_is_given_up_and_kept() -> None:
    clock = ManualClock()
    with receiver(*[500] * 3) as hook:
        async with running(webhook=Webhook(hook.url), clock=clock) as here:
            await queue(here)
            await hook.until(1)
            clock.move(GIVE_UP_AFTER)
            await hook.until(2)
            await emptied(here)
            clock.move(GIVE_UP_AFTER)
    assert len(hook.requests) == 2


async def test_a_queued_message_survives_a_restart(tmp_path: object) -> None:
    store = f"sqlite:///{tmp_path}/store.db"
    async with running(store) as here:
        await queue(here)
    with receiver() as hook:
        async with running(store, webhook=Webhook(hook.url)) as here:
            await hook.until(1)
            await emptied(here)


def test_pauses_double_and_stay_bounded() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 40)]
    assert pauses[:3] == [timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4)]
    assert max(pauses) == timedelta(minutes=10)
