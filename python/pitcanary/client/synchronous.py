"""The client for threads: one method to resolve, one block around the model call.

Example:
    >>> from pitcanary import Client, Fallback
    >>> client = Client(
    ...     "unix:/run/pitcanary/sidecar.sock",
    ...     fallbacks={"support-reply": Fallback(text="You are a helpful agent.")},
    ... )
    >>> with client.use("support-reply", unit="user-17") as call:
    ...     answer = call.text  # ask the model here
    ...     call.tokens(input=120, output=40)
    >>> client.close()
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Concatenate, ParamSpec, TypeVar, cast

from pitcanary.client.call import Call
from pitcanary.client.failure import CallFailed
from pitcanary.client.fallback import Fallback
from pitcanary.client.per_process import PerProcess
from pitcanary.client.reports import PendingReports, ReportCounts
from pitcanary.client.requests import AttributeValue, ResolveArguments
from pitcanary.client.resolved import ResolvedPrompt, resolved_from_response
from pitcanary.client.settings import DEFAULT_TARGET, Seconds, Settings, score_refused
from pitcanary.client.transport import GrpcTransport, Transport
from pitcanary.model.json_types import JsonValue
from pitcanary.v1 import sidecar_pb2 as pb

P = ParamSpec("P")
R = TypeVar("R")
AnyClient = TypeVar("AnyClient", bound="Client")
Chunks = Generator[object, None, None]


class Client:
    """Talks to the sidecar; share one between all threads of a process.

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
        settings = Settings(
            fallbacks or {}, resolve_deadline, report_deadline, max_pending_reports, clock
        )
        self._open(GrpcTransport(target), settings)

    def _open(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings
        self._pending = PerProcess(lambda: PendingReports(settings.max_pending_reports))

    def __enter__(self: AnyClient) -> AnyClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resolve(
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
        return self.ask(
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

    def ask(self, arguments: ResolveArguments) -> ResolvedPrompt:
        """The same as `resolve`, for arguments that were put together before."""
        try:
            response = self._transport.resolve(arguments.message(), self._settings.resolve_deadline)
        except CallFailed as failure:
            return self._settings.recover(arguments, failure)
        return resolved_from_response(response)

    def resolve_many(self, requests: Sequence[ResolveArguments]) -> list[ResolvedPrompt]:
        """Chooses versions for a batch under one configuration; exposure is on use.

        Raises:
            PromptNotFound: An unknown prompt without a fallback.
            InvalidRequest: The sidecar refused an item; the message says why.
            SidecarUnavailable: No answer in time and an item without a fallback.
        """
        batch = pb.ResolvePromptsRequest(requests=[each.message() for each in requests])
        try:
            response = self._transport.resolve_many(batch, self._settings.resolve_deadline)
        except CallFailed as failure:
            return [self._settings.recover(each, failure) for each in requests]
        return [
            self._settings.item(arguments, item)
            for arguments, item in zip(requests, response.items, strict=True)
        ]

    @contextmanager
    def call(self, prompt: ResolvedPrompt) -> Iterator[Call]:
        """Measures the model call in the block and reports how it ended."""
        call = Call(prompt, self._settings.clock)
        try:
            yield call
        except BaseException as error:
            self.report(call.finish(error))
            raise
        self.report(call.finish(None))

    @contextmanager
    def use(
        self,
        prompt: str,
        *,
        unit: str = "",
        attributes: Mapping[str, AttributeValue] | None = None,
        variables: Mapping[str, JsonValue] | None = None,
        pin: bytes = b"",
    ) -> Iterator[Call]:
        """Resolves a prompt and reports the block that uses it."""
        resolved = self.resolve(
            prompt, unit=unit, attributes=attributes, variables=variables, pin=pin
        )
        with self.call(resolved) as call:
            yield call

    def prompted(
        self, prompt: str, *, unit: Callable[P, str]
    ) -> Callable[[Callable[Concatenate[Call, P], R]], Callable[P, R]]:
        """Decorates a function whose first argument becomes the `Call`.

        Works for functions and for generators: a generator is reported when it
        ends, breaks or is closed.

        Args:
            prompt: Name of the prompt.
            unit: Gives the sticky id from the function's own arguments.

        Raises:
            TypeError: The function is asynchronous; `AsyncClient` decorates those.
        """

        def decorate(function: Callable[Concatenate[Call, P], R]) -> Callable[P, R]:
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"`{function.__name__}` is asynchronous: use `AsyncClient`.")
            if inspect.isgeneratorfunction(function):

                @functools.wraps(function)
                def generate(*args: P.args, **kwargs: P.kwargs) -> Iterator[object]:
                    with (
                        self.use(prompt, unit=unit(*args, **kwargs)) as call,
                        # Its `finally` may still count tokens: it ends before the report.
                        closing(cast("Chunks", function(call, *args, **kwargs))) as chunks,
                    ):
                        yield from call.stream(chunks)

                return cast("Callable[P, R]", generate)

            @functools.wraps(function)
            def run(*args: P.args, **kwargs: P.kwargs) -> R:
                with self.use(prompt, unit=unit(*args, **kwargs)) as call:
                    return function(call, *args, **kwargs)

            return run

        return decorate

    def report(self, report: pb.ReportOutcomeRequest) -> None:
        """Sends an outcome in the background; never raises, never waits.

        The outcome of a fallback has no token and is not sent.
        """
        pending = self._pending.get()
        if report.token and pending.begin():
            self._transport.report(report, self._settings.report_deadline, pending.end)

    def score(self, token: bytes, metric: str, value: float, *, scorer: str = "") -> bool:
        """Adds a judge's or a person's score to an answer, also days later.

        Returns:
            `False` when this scorer had already scored the metric: the first value stands.

        Raises:
            ReportRefused: The token or the value is not accepted; the message says why.
            SidecarUnavailable: No answer in time; the same score may be sent again.
        """
        request = pb.ReportScoreRequest(token=token, metric=metric, value=value, scorer=scorer)
        try:
            return not self._transport.score(request, self._settings.report_deadline).duplicate
        except CallFailed as failure:
            raise score_refused(failure) from failure

    @property
    def reports(self) -> ReportCounts:
        """What became of the reports so far."""
        return self._pending.get().counts

    def flush(self, timeout: Seconds = 2.0) -> bool:
        """Waits for the reports under way; `False` when some are not done in time."""
        return self._pending.get().wait(timeout)

    def close(self) -> None:
        """Waits briefly for the reports under way and releases the connection."""
        self.flush(self._settings.report_deadline)
        self._transport.close()
