"""One model call between its resolve and its report, without any I/O.

A `Call` measures latency and the time to the first token, takes what the
application knows of the answer, and turns the way the call ended into one
outcome. The clock is an argument. Sending the report is the client's business.

Defined endings:

- leaving the block normally is `OK`;
- `asyncio.CancelledError`, `GeneratorExit` and `KeyboardInterrupt` are
  `CANCELLED`, which is neither success nor error;
- `TimeoutError` is `TIMEOUT`; an exception with a `status_code` of 429 is
  `RATE_LIMIT`, of 500 and above `PROVIDER`; every other one is `APP`;
- a retried call reports once: latency from the first try, `attempt` counts;
- a stream that breaks is an error of its class with the tokens seen so far; a
  stream the caller stopped reading is `CANCELLED`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import TypeVar

from pitcanary.client.resolved import Message, ResolvedPrompt
from pitcanary.v1 import sidecar_pb2 as pb

Chunk = TypeVar("Chunk")
Seconds = float


class ErrorClass(Enum):
    """What failed."""

    APP = pb.ERROR_CLASS_APP
    PROVIDER = pb.ERROR_CLASS_PROVIDER
    RATE_LIMIT = pb.ERROR_CLASS_RATE_LIMIT
    CONTENT = pb.ERROR_CLASS_CONTENT
    CANCELLED = pb.ERROR_CLASS_CANCELLED
    TIMEOUT = pb.ERROR_CLASS_TIMEOUT


def classify(error: BaseException) -> ErrorClass:
    """The class of an exception, as the module's docstring lists them."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt):
        return ErrorClass.CANCELLED
    if isinstance(error, TimeoutError):
        return ErrorClass.TIMEOUT
    status = getattr(error, "status_code", None)
    if status == 429:
        return ErrorClass.RATE_LIMIT
    if isinstance(status, int) and status >= 500:
        return ErrorClass.PROVIDER
    return ErrorClass.APP


class Call:
    """What the application knows of one model call.

    Every method may be called at any time before the block ends; the last value
    wins, but scores of different names add up.
    """

    __slots__ = ("_clock", "_first_token_at", "_report", "_started_at", "prompt")

    def __init__(self, prompt: ResolvedPrompt, clock: Callable[[], Seconds]) -> None:
        self.prompt = prompt
        self._clock = clock
        self._started_at = clock()
        self._first_token_at: Seconds | None = None
        self._report = pb.ReportOutcomeRequest(token=prompt.token, attempt=1)

    @property
    def text(self) -> str | None:
        """The content of a text prompt."""
        return self.prompt.text

    @property
    def messages(self) -> tuple[Message, ...]:
        """The content of a chat prompt."""
        return self.prompt.messages

    def tokens(
        self,
        *,
        input: int | None = None,  # noqa: A002 - the field's own word
        output: int | None = None,
        cached_input: int | None = None,
    ) -> None:
        """Token counts as the provider bills them; cached ones are part of the input."""
        if input is not None:
            self._report.input_tokens = input
        if output is not None:
            self._report.output_tokens = output
        if cached_input is not None:
            self._report.cached_input_tokens = cached_input

    def output(self, text: str, *, context: str | None = None) -> None:
        """The answer, for the evaluators; it goes no further than the sidecar."""
        self._report.output = text
        if context is not None:
            self._report.context = context

    def cost(self, amount: float, currency: str = "USD") -> None:
        """The price of the call; without it the sidecar computes one from tokens."""
        self._report.cost = amount
        self._report.currency = currency

    def model(self, name: str, *, finish_reason: str = "") -> None:
        """The model that answered and why it stopped."""
        self._report.model = name
        self._report.finish_reason = finish_reason

    def score(self, metric: str, value: float) -> None:
        """A score or a flag (0 or 1) of a declared metric."""
        self._report.scores[metric] = value

    def scores(self, values: Mapping[str, float]) -> None:
        """Several scores at once."""
        for metric, value in values.items():
            self.score(metric, value)

    def retry(self) -> None:
        """Another try begins: latency goes on counting, the first token starts anew."""
        self._report.attempt += 1
        self._first_token_at = None

    def first_token(self) -> None:
        """The first token arrived; later calls change nothing."""
        if self._first_token_at is None:
            self._first_token_at = self._clock()

    def fail(self, error_class: ErrorClass) -> None:
        """The call failed without an exception, for example by a content filter."""
        self._report.status = pb.OUTCOME_STATUS_ERROR
        self._report.error_class = error_class.value

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Passes a streamed answer through and notes its first chunk."""
        for chunk in chunks:
            self.first_token()
            yield chunk

    async def astream(self, chunks: AsyncIterable[Chunk]) -> AsyncIterator[Chunk]:
        """The same for an asynchronous stream."""
        async for chunk in chunks:
            self.first_token()
            yield chunk

    def finish(self, error: BaseException | None) -> pb.ReportOutcomeRequest:
        """Ends the call and gives its report.

        Args:
            error: What left the block; `None` when nothing did.
        """
        ended_at = self._clock()
        self._report.latency_us = _microseconds(ended_at - self._started_at)
        if self._first_token_at is not None:
            self._report.time_to_first_token_us = _microseconds(
                self._first_token_at - self._started_at
            )
        if error is not None:
            self.fail(classify(error))
        elif self._report.status == pb.OUTCOME_STATUS_UNSPECIFIED:
            self._report.status = pb.OUTCOME_STATUS_OK
        return self._report


def _microseconds(seconds: Seconds) -> int:
    return max(0, round(seconds * 1_000_000))
