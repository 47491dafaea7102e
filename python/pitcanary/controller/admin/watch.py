"""Watching a rollout: its view now, and again after every change, until it ends.

Woken by the store, so a change made through another replica is seen as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial

import grpc
from google.protobuf.message import Message

from pitcanary.controller.admin.calls import Moment, Tools
from pitcanary.controller.admin.decisions import find_rollout
from pitcanary.controller.admin.scope import existing
from pitcanary.controller.admin.view import rollout_info
from pitcanary.controller.bell import Bell
from pitcanary.controller.status import status_of
from pitcanary.errors import PitcanaryError
from pitcanary.store.interface import Reader
from pitcanary.v1 import admin_pb2

LONGEST_WAIT = 5.0
"""A lost wake-up costs no more than this."""


class RolloutNews:
    """Tells everybody who listens that some rollout changed."""

    def __init__(self) -> None:
        self._bells: set[Bell] = set()

    def tell(self, _environment: int) -> None:
        """Wakes who listens."""
        for bell in self._bells:
            bell.ring()

    @contextlib.contextmanager
    def listening(self) -> Iterator[Bell]:
        """A bell that rings at every change; a ring before the wait is not lost."""
        bell = Bell()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)


class WatchRollout:
    """The streaming call of AdminService."""

    def __init__(self, news: RolloutNews) -> None:
        self._news = news

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """See `Call.handler`."""

        async def serve(
            request: admin_pb2.WatchRolloutRequest,
            context: grpc.aio.ServicerContext[
                admin_pb2.WatchRolloutRequest, admin_pb2.WatchRolloutResponse
            ],
        ) -> AsyncIterator[admin_pb2.WatchRolloutResponse]:
            try:
                async for info in self._views(tools, request):
                    yield admin_pb2.WatchRolloutResponse(rollout=info)
            except PitcanaryError as error:
                await context.abort(status_of(error), str(error))

        return grpc.unary_stream_rpc_method_handler(
            serve,
            admin_pb2.WatchRolloutRequest.FromString,
            lambda response: response.SerializeToString(),
        )

    async def _views(
        self, tools: Tools, request: admin_pb2.WatchRolloutRequest
    ) -> AsyncIterator[admin_pb2.RolloutInfo]:
        revision = 0
        with self._news.listening() as bell:
            while True:
                seen = await tools.access.read(partial(_look, request, tools, revision))
                if seen.info is not None:
                    revision = seen.info.revision
                    yield seen.info
                if not seen.active:
                    return
                await bell.wait(LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a look found; no info when the rollout is as it was."""

    info: admin_pb2.RolloutInfo | None
    active: bool


def _look(
    request: admin_pb2.WatchRolloutRequest, tools: Tools, revision: int, reader: Reader
) -> _Seen:
    environment = existing(reader, request.scope).id
    row = find_rollout(reader, environment, request.name)
    if row.revision == revision:
        return _Seen(None, row.active)
    return _Seen(rollout_info(reader, row, Moment(tools.clock.now(), tools)), row.active)
