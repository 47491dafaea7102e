"""Tells one URL about rollbacks and promotions, at least once each.

The message was queued in the transaction of the decision, so nothing is told
that did not happen and nothing that happened is forgotten. Deliveries repeat with
growing pauses; the receiver tells repeats apart by `ce-id`. What a message says
is made in `controller.notice`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import logging
import urllib.parse
from datetime import datetime, timedelta

import orjson

from pitcanary.config import Webhook
from pitcanary.controller.access import StoreAccess
from pitcanary.controller.bell import Bell
from pitcanary.controller.metrics import Metrics
from pitcanary.controller.writer import Priority
from pitcanary.errors import PitcanaryError
from pitcanary.model.clock import Clock
from pitcanary.store.interface import MessageRow

log = logging.getLogger(__name__)

SIGNATURE = "pitcanary-signature"
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(hours=24)
BATCH = 20


class WebhookSender:
    """The task that empties the outbox."""

    def __init__(
        self,
        access: StoreAccess,
        clock: Clock,
        metrics: Metrics,
        webhook: Webhook,
        interval: timedelta,
    ) -> None:
        self._access = access
        self._clock = clock
        self._metrics = metrics
        self._webhook = webhook
        self._interval = interval
        self._bell = Bell()
        self.wake = self._bell.ring

    async def run(self) -> None:
        """Delivers until it is cancelled."""
        while True:
            try:
                while await self.deliver_due():
                    pass
            except PitcanaryError as error:
                log.warning("outbox_not_read error=%s", error)
            await self._bell.wait(self._interval.total_seconds())

    async def deliver_due(self) -> int:
        """Tries every message that is due once; returns how many there were."""
        now = self._clock.now()
        hidden_until = now + 2 * self._webhook.timeout * BATCH
        messages = await self._access.write(
            Priority.INGEST, lambda tx: tx.outbox.claim(now, hidden_until, BATCH)
        )
        for message in messages:
            await self._deliver(message)
        return len(messages)

    async def _deliver(self, message: MessageRow) -> None:
        sent_at = self._clock.now()
        error = await asyncio.to_thread(post, self._webhook, message.message.body, sent_at)
        if not error:
            self._metrics.webhooks.labels("delivered").inc()
            await self._access.write(Priority.INGEST, lambda tx: tx.outbox.delivered(message.id))
            return
        over = sent_at - message.created_at >= GIVE_UP_AFTER
        self._metrics.webhooks.labels("given_up" if over else "retried").inc()
        log.warning(
            "webhook_failed kind=%s attempt=%d given_up=%s error=%s",
            message.message.kind, message.attempts, over, error,
        )  # fmt: skip
        if over:
            await self._access.write(
                Priority.INGEST, lambda tx: tx.outbox.give_up(message.id, error, sent_at)
            )
            return
        again = sent_at + pause_after(message.attempts)
        await self._access.write(
            Priority.INGEST, lambda tx: tx.outbox.retry(message.id, error, again)
        )


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: doubling, up to a bound.

    Examples:
        >>> pause_after(1), pause_after(3)
        (datetime.timedelta(seconds=1), datetime.timedelta(seconds=4))
    """
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)


def post(webhook: Webhook, body: bytes, sent_at: datetime) -> str:
    """Sends one message and returns what went wrong; empty when it was accepted.

    Any status but 2xx is a failure: a redirect is not followed, because the
    signature and the record were meant for the configured host.
    """
    url = urllib.parse.urlsplit(webhook.url)
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(url.hostname or "", url.port, timeout=webhook.timeout.total_seconds())
    path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    try:
        connection.request("POST", path, body, headers(webhook.secret, body, sent_at))
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"status `{status}`"


def headers(secret: str, body: bytes, sent_at: datetime) -> dict[str, str]:
    """CloudEvents 1.0 binary headers of a message, and its signature.

    The signature is `t=SECONDS,s=HEX`: HMAC-SHA-256 of `SECONDS.BODY`, so that a
    receiver can refuse a copy that is replayed later.
    """
    context = orjson.loads(body)["context"]
    fields = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": context["id"],
        "ce-source": context["source"],
        "ce-type": context["type"],
        "ce-time": context["timestamp"],
        "ce-subject": orjson.loads(body)["subject"]["id"],
        "idempotency-key": context["id"],
    }
    if secret:
        seconds = int(sent_at.timestamp())
        digest = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
        fields[SIGNATURE] = f"t={seconds},s={digest}"
    return fields
