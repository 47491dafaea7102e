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
    """What calls need beside their request."""

    access: StoreAccess
    clock: Clock
    random_bytes: RandomBytes


class Call(Protocol):
    """One method of the service."""

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """Makes what the server calls."""
        ...


@dataclass(frozen=True, slots=True)
class Read(Generic[Request, Response]):
    """A call that changes nothing."""

    request: type[Request]
    answer: Callable[[Reader, Request, datetime], Response]

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """See `Call.handler`."""

        async def serve(request: Request) -> Response:
            at = tools.clock.now()
            return await tools.access.read(lambda reader: self.answer(reader, request, at))

        return _unary(self.request, serve)


@dataclass(frozen=True, slots=True)
class Write(Generic[Request, Response]):
    """A call that changes something, once per idempotency key.

    `change` gets the environment's id and the time. Only a call that `creates` may
    name an environment that does not exist yet.
    """

    request: type[Request]
    response: type[Response]
    change: Callable[[Transaction, int, Request, datetime], Response]
    creates: bool = False

    def handler(self, tools: Tools) -> grpc.RpcMethodHandler[Message, Message]:
        """See `Call.handler`."""

        async def serve(request: Request) -> Response:
            at = tools.clock.now()
            return await tools.access.write(
                Priority.CHANGE, lambda transaction: self._work(transaction, request, tools, at)
            )

        return _unary(self.request, serve)

    def _work(
        self, transaction: Transaction, request: Request, tools: Tools, at: datetime
    ) -> Response:
        scope: admin_pb2.Scope = request.scope  # type: ignore[attr-defined] # all requests
        if self.creates:
            environment = ensure(transaction, scope_of(scope), tools.random_bytes, at).id
        else:
            environment = existing(transaction, scope).id
        key: str = request.idempotency_key  # type: ignore[attr-defined] # all changes
        return once(
            transaction,
            key_of(environment, key, request),
            self.response,
            at,
            lambda: self.change(transaction, environment, request, at),
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
