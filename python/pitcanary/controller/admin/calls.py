"""What every call of AdminService shares: a unit of work, repeats, status codes.

Changes run on the writer thread, before evidence that waits; reads run beside it.
Which calls there are is `admin.service`; what each of them does stands in the file
of its concept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from pitcanary.controller.access import StoreAccess
from pitcanary.controller.admin.once import key_of, once
from pitcanary.controller.admin.scope import RandomBytes, ensure, existing, scope_of
from pitcanary.controller.effects import ChangeWriter
from pitcanary.controller.limits import Intervals
from pitcanary.controller.propagation import PropagationReport
from pitcanary.controller.status import status_of
from pitcanary.controller.writer import Priority
from pitcanary.errors import PitcanaryError
from pitcanary.model.clock import Clock
from pitcanary.store.interface import Reader, Transaction
from pitcanary.v1 import admin_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Tools:
    """What calls need beside their request.

    `report` tells how a rollback reached the sidecars of this process.
    """

    access: StoreAccess
    clock: Clock
    random_bytes: RandomBytes
    writer: ChangeWriter
    intervals: Intervals
    report: Callable[[int, int], PropagationReport | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call was made, and what it may use."""

    at: datetime
    tools: Tools


class Call(Protocol):
    """One method of the service."""

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """Makes what the server calls."""
        ...


@dataclass(frozen=True, slots=True)
class Read(Generic[Request, Response]):
    """A call that changes nothing."""

    request: type[Request]
    answer: Callable[[Reader, Request, Moment], Response]

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """See `Call.handler`."""

        async def serve(request: Request) -> Response:
            moment = Moment(tools.clock.now(), tools)
            return await tools.access.read(lambda reader: self.answer(reader, request, moment))

        return _unary(self.request, serve)


@dataclass(frozen=True, slots=True)
class Write(Generic[Request, Response]):
    """A call that changes something, once per idempotency key.

    `change` gets the environment's id. Only a call that `creates` may
    name an environment that does not exist yet.
    """

    request: type[Request]
    response: type[Response]
    change: Callable[[Transaction, int, Request, Moment], Response]
    creates: bool = False

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """See `Call.handler`."""

        async def serve(request: Request) -> Response:
            moment = Moment(tools.clock.now(), tools)
            return await tools.access.write(
                Priority.CHANGE, lambda transaction: self._work(transaction, request, moment)
            )

        return _unary(self.request, serve)

    def _work(self, transaction: Transaction, request: Request, moment: Moment) -> Response:
        scope: admin_pb2.Scope = request.scope  # type: ignore[attr-defined] # all requests
        if self.creates:
            random_bytes = moment.tools.random_bytes
            environment = ensure(transaction, scope_of(scope), random_bytes, moment.at).id
        else:
            environment = existing(transaction, scope).id
        key: str = request.idempotency_key  # type: ignore[attr-defined] # all changes
        return once(
            transaction,
            key_of(environment, key, request),
            self.response,
            moment.at,
            lambda: self.change(transaction, environment, request, moment),
        )


def _unary(
    kind: type[Request], serve: Callable[[Request], Awaitable[Response]]
) -> grpc.RpcMethodHandler[Message, Message]:
    async def handle(
        request: Request, context: grpc.aio.ServicerContext[Request, Response]
    ) -> Response:
        try:
            return await serve(request)
        except PitcanaryError as error:
            await context.abort(status_of(error), str(error))

    return grpc.unary_unary_rpc_method_handler(
        handle, kind.FromString, lambda response: response.SerializeToString()
    )
