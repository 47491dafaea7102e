"""One model call between its resolve and its report, without any I/O.

A `Call` measures latency and the time to the first token, takes what the
application knows of the answer, and turns the way the call ended into one
outcome. The clock is an argument. Sending the report is the client's business.

Defined endings:

- leaving the block normally is `OK`, leaving it by an exception an error of the
  exception's class (see `classify`), and what `fail` was told wins over both;
- a cancelled task, a closed generator and the end of the process are `CANCELLED`,
  which is neither success nor error;
- a retried call reports once: latency from the first try, `attempt` counts, and how
  the earlier tries ended is forgotten;
- a stream that breaks is an error of its class, also when the block survives it; a
  stream the caller stopped reading is `CANCELLED`; both with the tokens seen so far.
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

_READ_BYTES = 256 * 1024  # of an output, by the sidecar's evaluators
_SENT_BYTES = _READ_BYTES + 8  # cutting a character in two drops up to three bytes


class ErrorClass(Enum):
    """What failed."""

    APP = pb.ERROR_CLASS_APP
    PROVIDER = pb.ERROR_CLASS_PROVIDER
    RATE_LIMIT = pb.ERROR_CLASS_RATE_LIMIT
    CONTENT = pb.ERROR_CLASS_CONTENT
    CANCELLED = pb.ERROR_CLASS_CANCELLED
    TIMEOUT = pb.ERROR_CLASS_TIMEOUT


_GIVEN_UP = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


def classify(error: BaseException) -> ErrorClass:
    """The class of an exception.

    HTTP libraries share no base class, so they are known by their habits: a class
    with `Timeout` in its name is `TIMEOUT`; a status of 429 is `RATE_LIMIT` and of 500
    or more `PROVIDER`, be it the exception's own or its response's. `ConnectionError`
    is `PROVIDER`, everything else `APP`.
    """
    if isinstance(error, _GIVEN_UP):
        return ErrorClass.CANCELLED
    if any("Timeout" in kind.__name__ for kind in type(error).__mro__):
        return ErrorClass.TIMEOUT
    status = _http_status(error)
    if status == 429:
        return ErrorClass.RATE_LIMIT
    if status >= 500 or isinstance(error, ConnectionError):
        return ErrorClass.PROVIDER
    return ErrorClass.APP


def _http_status(error: BaseException) -> int:
    """The HTTP status of an exception; 0 when it has none."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int):
                return status
    return 0


class Call:
    """What the application knows of one model call.

    Every method may be called at any time before the block ends; the last value
    wins, but scores of different names add up.
    """

    __slots__ = ("_clock", "_first_token_at", "_report", "_started_at", "_stream_left", "prompt")

    def __init__(self, prompt: ResolvedPrompt, clock: Callable[[], Seconds]) -> None:
        self.prompt = prompt
        self._clock = clock
        self._started_at = clock()
        self._first_token_at: Seconds | None = None
        self._stream_left: ErrorClass | None = None
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

    def output(self, text: str | None, *, context: str | None = None) -> None:
        """The answer, for the evaluators; it goes no further than the sidecar.

        `None`, as models answer that only call tools, says nothing.
        """
        if text is not None:
            self._report.output = _readable(text)
        if context is not None:
            self._report.context = _readable(context)

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
        """Another try begins: latency goes on counting, the rest of the ending starts anew."""
        self._report.attempt += 1
        self._report.ClearField("status")
        self._report.ClearField("error_class")
        self._first_token_at = None
        self._stream_left = None

    def first_token(self) -> None:
        """The first token arrived; later calls change nothing."""
        if self._first_token_at is None:
            self._first_token_at = self._clock()

    def fail(self, error_class: ErrorClass) -> None:
        """The call failed without an exception, for example by a content filter."""
        self._report.status = pb.OUTCOME_STATUS_ERROR
        self._report.error_class = error_class.value

    def stream(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Passes a streamed answer through and notes its first chunk and its end."""
        self._stream_left = ErrorClass.CANCELLED
        try:
            for chunk in chunks:
                self.first_token()
                yield chunk
        except BaseException as error:
            self._stream_left = classify(error)
            raise
        self._stream_left = None

    async def astream(self, chunks: AsyncIterable[Chunk]) -> AsyncIterator[Chunk]:
        """The same for an asynchronous stream."""
        self._stream_left = ErrorClass.CANCELLED
        try:
            async for chunk in chunks:
                self.first_token()
                yield chunk
        except BaseException as error:
            self._stream_left = classify(error)
            raise
        self._stream_left = None

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
        if self._report.status == pb.OUTCOME_STATUS_UNSPECIFIED:
            self._end(self._stream_left if error is None else classify(error))
        return self._report

    def _end(self, error_class: ErrorClass | None) -> None:
        if error_class is None:
            self._report.status = pb.OUTCOME_STATUS_OK
        else:
            self.fail(error_class)


def _readable(text: str) -> str:
    """The part of a text that the sidecar reads, without what UTF-8 cannot carry.

    A longer text stays longer than the evaluators' limit: they must not take a
    beginning for the whole.
    """
    encoded = text[:_SENT_BYTES].encode("utf-8", "replace")[:_SENT_BYTES]
    return encoded.decode("utf-8", "ignore")


def _microseconds(seconds: Seconds) -> int:
    return max(0, round(seconds * 1_000_000))
