"""Wake-ups inside one process, and how they are written on the wire.

SQLite admits one process, so its subscribers are all here. PostgreSQL's are in
`sql.listener`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from pitcanary.store.interface.delivery import Notice, Topic


def encode(notice: Notice) -> str:
    """Write a notice as the payload of a NOTIFY."""
    return f"{notice.topic.value} {notice.environment}"


def decode(payload: str) -> Notice:
    """Read a payload; what is not ours is taken as a `Topic.RESYNC`."""
    topic, _, environment = payload.partition(" ")
    try:
        return Notice(Topic(topic), int(environment))
    except ValueError:
        return Notice(Topic.RESYNC)


class HubSubscription:
    """See `Subscription`; equal notices that wait are one."""

    def __init__(self) -> None:
        self._waiting: dict[Notice, None] = {Notice(Topic.RESYNC): None}
        self._changed = threading.Condition()
        self._closed = False

    def get(self, timeout_seconds: float) -> Notice | None:
        """See `Subscription.get`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_seconds)
            if self._closed or not self._waiting:
                return None
            notice = next(iter(self._waiting))
            del self._waiting[notice]
            return notice

    def put(self, notices: Iterable[Notice]) -> None:
        """Add notices and wake whoever waits."""
        with self._changed:
            self._waiting.update(dict.fromkeys(notices))
            self._changed.notify_all()

    def close(self) -> None:
        """See `Subscription.close`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed


class Hub:
    """The subscriptions of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: list[HubSubscription] = []

    def subscribe(self) -> HubSubscription:
        """Add a subscription."""
        subscription = HubSubscription()
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def publish(self, notices: Iterable[Notice]) -> None:
        """Give notices to every subscription that is still open."""
        with self._lock:
            self._subscriptions = [each for each in self._subscriptions if not each.closed]
            current = tuple(self._subscriptions)
        for subscription in current:
            subscription.put(notices)

    def close(self) -> None:
        """Close all subscriptions."""
        with self._lock:
            current, self._subscriptions = self._subscriptions, []
        for subscription in current:
            subscription.close()
