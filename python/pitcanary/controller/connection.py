"""One sidecar's open config stream: what it should hear next.

A mailbox, not a queue: a snapshot that was not sent yet is replaced by a newer
one, so a slow sidecar gets the latest configuration and costs no memory. Who is
connected and what everybody acknowledged is known by `controller.hub`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pitcanary.store.interface import ConfigVersion, SidecarHello
from pitcanary.v1 import control_pb2


@dataclass(frozen=True, slots=True)
class Published:
    """A configuration in force, as every sidecar of an environment gets it.

    `withdrawn` names the rollouts with an arm taken back in it.
    """

    version: ConfigVersion
    message: control_pb2.StreamConfigResponse
    withdrawn: frozenset[int] = frozenset()


class Connection:
    """The outgoing side of a stream; used on the event loop only."""

    def __init__(self, hello: SidecarHello) -> None:
        self.hello = hello
        self.acknowledged = hello.serving
        self.refused: ConfigVersion | None = None
        self.refusal = ""
        self._snapshot: Published | None = None
        self._keep_alive: ConfigVersion | None = None
        self._closed = False
        self._news = asyncio.Event()

    def offer(self, published: Published) -> None:
        """Sends this configuration next, instead of any that waits."""
        self._snapshot = published
        self._news.set()

    def keep_alive(self, version: ConfigVersion) -> None:
        """Says that `version` is current, unless a snapshot says so anyway."""
        self._keep_alive = version
        self._news.set()

    def close(self) -> None:
        """Ends the stream after what is being sent."""
        self._closed = True
        self._news.set()

    async def next(self) -> control_pb2.StreamConfigResponse | None:
        """Waits for what to send; None when the stream should end."""
        await self._news.wait()
        self._news.clear()
        if self._closed:
            return None
        if self._snapshot is not None:
            published, self._snapshot, self._keep_alive = self._snapshot, None, None
            return published.message
        version, self._keep_alive = self._keep_alive, None
        return None if version is None else _keep_alive(version)


def version_message(version: ConfigVersion) -> control_pb2.ConfigVersion:
    """The wire form of a configuration's version."""
    return control_pb2.ConfigVersion(
        store_incarnation=version.store_incarnation, revision=version.revision
    )


def version_of(message: control_pb2.ConfigVersion) -> ConfigVersion:
    """Reads the wire form of a configuration's version."""
    return ConfigVersion(message.store_incarnation, message.revision)


def _keep_alive(version: ConfigVersion) -> control_pb2.StreamConfigResponse:
    return control_pb2.StreamConfigResponse(
        keep_alive=control_pb2.KeepAlive(config_version=version_message(version))
    )
