"""The client for asyncio; the same words as the synchronous one.

Reports are sent by tasks that the client holds until they are done, so leaving a
block never waits for the sidecar.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeVar, cast

import grpc
import grpc.aio

from pitcanary.client.call import Call
from pitcanary.client.failure import failure_of
from pitcanary.client.fallback import Fallback
from pitcanary.client.per_process import PerProcess
from pitcanary.client.reports import PendingReports, ReportCounts
from pitcanary.client.requests import AttributeValue, ResolveArguments
from pitcanary.client.resolved import ResolvedPrompt, resolved_from_response
from pitcanary.client.settings import DEFAULT_TARGET, Seconds, Settings, score_refused
from pitcanary.client.transport import CHANNEL_OPTIONS
from pitcanary.model.json_types import JsonValue
from pitcanary.v1 import sidecar_pb2 as pb
from pitcanary.v1 import sidecar_pb2_grpc as stubs

P = ParamSpec("P")
R = TypeVar("R")


class AsyncConnection:
    """A channel to the sidecar and the calls on it, bound to the running event loop."""

    __slots__ = ("calls", "channel")

    def __init__(self, target: str) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
        # One generated class serves both; only its type knows which channel it has.
        self.calls = cast("stubs.SidecarServiceAsyncStub", stubs.SidecarServiceStub(self.channel))


class AsyncClient:
    """Talks to the sidecar from one event loop: the one it is first used in.

    Args:
        target: `unix:/path/to.sock` or `host:port` of the sidecar.
        fallbacks: Content by prompt name for when the sidecar does not answer.
        resolve_deadline: Seconds a resolve may take.
        report_deadline: Seconds a report may take in the background.
        max_pending_reports: More than this under way are dropped and counted.
        clock: Monotonic seconds, for latencies.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        fallbacks: Mapping[str, Fallback] | None = None,
        resolve_deadline: Seconds = 0.25,
        report_deadline: Seconds = 2.0,
        max_pending_reports: int = 1_000,
        clock: Callable[[], Seconds] = time.monotonic,
    ) -> None:
        self._settings = Settings(
            fallbacks or {}, resolve_deadline, report_deadline, max_pending_reports, clock
        )
        self._connections = PerProcess(lambda: AsyncConnection(target))
        self._pending = PendingReports(max_pending_reports)
        self._tasks: set[asyncio.Task[bool]] = set()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def resolve(
        self,
        prompt: str,
        *,
        unit: str = "",
        attributes: Mapping[str, AttributeValue] | None = None,
        variables: Mapping[str, JsonValue] | None = None,
        pin: bytes = b"",
        label: str = "",
        unit_kind: str = "",
        score_requested: bool = False,
    ) -> ResolvedPrompt:
        """Chooses the version of a prompt for a unit.

        Never raises for a prompt that has a fallback, unless the request itself
        is wrong.

        Raises:
            PromptNotFound: Unknown prompt without a fallback.
            InvalidRequest: The sidecar refused the request; the message says why.
            SidecarUnavailable: No answer in time and no fallback.
        """
        return await self.ask(
            ResolveArguments(
                prompt,
                unit,
                attributes or {},
                variables,
                pin,
                label,
                unit_kind,
                score_requested=score_requested,
            )
        )

    async def ask(self, arguments: ResolveArguments) -> ResolvedPrompt:
        """The same as `resolve`, for arguments that were put together before."""
        try:
            response = await self._connections.get().calls.ResolvePrompt(
                arguments.message(), timeout=self._settings.resolve_deadline
            )
        except grpc.RpcError as error:
            return self._settings.recover(arguments, failure_of(error))
        return resolved_from_response(response)

    async def resolve_many(self, requests: Sequence[ResolveArguments]) -> list[ResolvedPrompt]:
        """Chooses versions for a batch under one configuration; exposure is on use.

        Raises:
            PromptNotFound: An unknown prompt without a fallback.
            InvalidRequest: The sidecar refused an item; the message says why.
            SidecarUnavailable: No answer in time and an item without a fallback.
        """
        batch = pb.ResolvePromptsRequest(requests=[each.message() for each in requests])
        try:
            response = await self._connections.get().calls.ResolvePrompts(
                batch, timeout=self._settings.resolve_deadline
            )
        except grpc.RpcError as error:
            return [self._settings.recover(each, failure_of(error)) for each in requests]
        return [
            self._settings.item(arguments, item)
            for arguments, item in zip(requests, response.items, strict=True)
        ]

    @asynccontextmanager
    async def call(self, prompt: ResolvedPrompt) -> AsyncIterator[Call]:
        """Measures the model call in the block and reports how it ended."""
        call = Call(prompt, self._settings.clock)
        try:
            yield call
        except BaseException as error:
            self.report(call.finish(error))
            raise
        self.report(call.finish(None))

    @asynccontextmanager
    async def use(
        self,
        prompt: str,
        *,
        unit: str = "",
        attributes: Mapping[str, AttributeValue] | None = None,
        variables: Mapping[str, JsonValue] | None = None,
        pin: bytes = b"",
    ) -> AsyncIterator[Call]:
        """Resolves a prompt and reports the block that uses it."""
        resolved = await self.resolve(
            prompt, unit=unit, attributes=attributes, variables=variables, pin=pin
        )
        async with self.call(resolved) as call:
            yield call

    def prompted(
        self, prompt: str, *, unit: Callable[P, str]
    ) -> Callable[[Callable[Concatenate[Call, P], Awaitable[R]]], Callable[P, Awaitable[R]]]:
        """Decorates a coroutine function whose first argument becomes the `Call`.

        An asynchronous generator is streamed with `use` and `Call.astream` instead.

        Args:
            prompt: Name of the prompt.
            unit: Gives the sticky id from the function's own arguments.

        Raises:
            TypeError: The function is an asynchronous generator.
        """

        def decorate(
            function: Callable[Concatenate[Call, P], Awaitable[R]],
        ) -> Callable[P, Awaitable[R]]:
            if inspect.isasyncgenfunction(function):
                raise TypeError(
                    f"`{function.__name__}` is an asynchronous generator: use "
                    "`async with client.use(...) as call` and `call.astream(...)` in it."
                )

            @functools.wraps(function)
            async def run(*args: P.args, **kwargs: P.kwargs) -> R:
                async with self.use(prompt, unit=unit(*args, **kwargs)) as call:
                    return await function(call, *args, **kwargs)

            return run

        return decorate

    def report(self, report: pb.ReportOutcomeRequest) -> None:
        """Sends an outcome in the background; never raises, never waits.

        The outcome of a fallback has no token and is not sent.
        """
        if not report.token or not self._pending.begin():
            return
        task = asyncio.get_running_loop().create_task(self._send(report))
        self._tasks.add(task)
        task.add_done_callback(self._sent)

    async def _send(self, report: pb.ReportOutcomeRequest) -> bool:
        calls = self._connections.get().calls
        try:
            await calls.ReportOutcome(report, timeout=self._settings.report_deadline)
        except (grpc.RpcError, grpc.aio.UsageError):
            return False  # counted; an application must not fail for its telemetry
        return True

    def _sent(self, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        self._pending.end(accepted=not task.cancelled() and task.result())

    async def score(self, token: bytes, metric: str, value: float, *, scorer: str = "") -> bool:
        """Adds a judge's or a person's score to an answer, also days later.

        Returns:
            `False` when this scorer had already scored the metric: the first value stands.

        Raises:
            ReportRefused: The token or the value is not accepted; the message says why.
            SidecarUnavailable: No answer in time; the same score may be sent again.
        """
        request = pb.ReportScoreRequest(token=token, metric=metric, value=value, scorer=scorer)
        calls = self._connections.get().calls
        try:
            response = await calls.ReportScore(request, timeout=self._settings.report_deadline)
        except grpc.RpcError as error:
            raise score_refused(failure_of(error)) from error
        return not response.duplicate

    @property
    def reports(self) -> ReportCounts:
        """What became of the reports so far."""
        return self._pending.counts

    async def flush(self, timeout: Seconds = 2.0) -> bool:
        """Waits for the reports under way; `False` when some are not done in time."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)
        return self._pending.counts.pending == 0

    async def close(self) -> None:
        """Waits briefly for the reports under way and closes the channel.

        The client may be used again, also in another event loop.
        """
        await self.flush(self._settings.report_deadline)
        connection = self._connections.take()
        if connection is not None:
            await connection.channel.close()
