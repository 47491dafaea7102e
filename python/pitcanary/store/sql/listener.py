"""Wake-ups of all replicas by PostgreSQL's LISTEN.

PostgreSQL delivers a NOTIFY when its transaction commits and drops it when it
rolls back. LISTEN needs a direct connection: a pooler that lends connections
per transaction loses it.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable

import psycopg
from psycopg import sql

from pitcanary.store.interface.delivery import Notice, Topic
from pitcanary.store.sql.notices import decode

CHANNEL = "pitcanary"
RECONNECT_SECONDS = 1.0
_log = logging.getLogger(__name__)

Connect = Callable[[], "psycopg.Connection[tuple[object, ...]]"]


class Listener:
    """See `Subscription`; one thread calls `get`, any thread may call `close`."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._waiting: dict[Notice, None] = {}
        self._alarm, self._bell = socket.socketpair()
        self._closed = threading.Event()
        self._in_use = threading.Lock()

    def get(self, timeout_seconds: float) -> Notice | None:
        """See `Subscription.get`."""
        deadline = time.monotonic() + timeout_seconds
        with self._in_use:
            while not self._closed.is_set():
                if self._waiting:
                    return self._next()
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._wait(left)
        return None

    def close(self) -> None:
        """See `Subscription.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._bell.send(b"!")
        with self._in_use:
            self._disconnect()
            self._alarm.close()
            self._bell.close()

    @property
    def closed(self) -> bool:
        """Tell whether it was closed."""
        return self._closed.is_set()

    def _next(self) -> Notice:
        notice = next(iter(self._waiting))
        del self._waiting[notice]
        return notice

    def _wait(self, seconds: float) -> None:
        """Wait for the connection, for `close`, or until the time is over."""
        try:
            connection = self._listening()
            if self._waiting:
                return
            wire = connection.fileno()
            ready, _, _ = select.select([wire, self._alarm.fileno()], [], [], seconds)
            if wire in ready:
                self._receive(connection)
        except psycopg.Error as error:
            _log.warning("store_listener_lost error=%s", type(error).__name__)
            self._disconnect()
            select.select([self._alarm], [], [], min(seconds, RECONNECT_SECONDS))

    def _listening(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            # Whatever was said while nobody listened is lost; the reader must look.
            self._waiting = {Notice(Topic.RESYNC): None}
        return self._connection

    def _receive(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.pgconn.consume_input()
        while (notify := connection.pgconn.notifies()) is not None:
            self._waiting[decode(notify.extra.decode())] = None

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
