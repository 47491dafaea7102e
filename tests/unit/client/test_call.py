"""Every way a model call can end gives exactly one defined outcome."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import Message as Headers

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.client.call import Call, ErrorClass, classify
from pitcanary.client.resolved import Message, ResolvedPrompt
from pitcanary.v1 import sidecar_pb2 as pb

TEXT = ResolvedPrompt("support-reply", text="Be brief.", token=b"t" * 48)


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Ended:
    """A call under a clock, with what its report says."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.call = Call(TEXT, self.clock)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def finish(self, error: BaseException | None = None) -> pb.ReportOutcomeRequest:
        return self.call.finish(error)


@pytest.fixture
def ended() -> Ended:
    return Ended()


class StatusOfTheError(Exception):
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


@dataclass
class Response:
    status_code: int


class StatusOfTheResponse(Exception):
    def __init__(self, status_code: int) -> None:
        self.response = Response(status_code)


class ReadTimeoutOfALibrary(Exception):
    pass


class CodeIsAWord(Exception):
    code = "context_length_exceeded"


def http_error(code: int) -> urllib.error.HTTPError:
    error = urllib.error.HTTPError("http://model", code, "refused", Headers(), None)
    error.close()
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(ValueError("bad"), ErrorClass.APP, id="the application's own"),
        pytest.param(StatusOfTheError(400), ErrorClass.APP, id="a bad request is the app's"),
        pytest.param(StatusOfTheError(429), ErrorClass.RATE_LIMIT, id="429"),
        pytest.param(StatusOfTheError(500), ErrorClass.PROVIDER, id="500"),
        pytest.param(StatusOfTheError(503), ErrorClass.PROVIDER, id="503"),
        pytest.param(StatusOfTheResponse(429), ErrorClass.RATE_LIMIT, id="429 of the response"),
        pytest.param(StatusOfTheResponse(502), ErrorClass.PROVIDER, id="502 of the response"),
        pytest.param(http_error(429), ErrorClass.RATE_LIMIT, id="429 of the standard library"),
        pytest.param(http_error(504), ErrorClass.PROVIDER, id="504 of the standard library"),
        pytest.param(CodeIsAWord(), ErrorClass.APP, id="a code that is no status"),
        pytest.param(ConnectionResetError(), ErrorClass.PROVIDER, id="connection lost"),
        pytest.param(TimeoutError(), ErrorClass.TIMEOUT, id="timeout"),
        pytest.param(asyncio.TimeoutError(), ErrorClass.TIMEOUT, id="timeout of asyncio"),
        pytest.param(ReadTimeoutOfALibrary(), ErrorClass.TIMEOUT, id="timeout of a library"),
        pytest.param(asyncio.CancelledError(), ErrorClass.CANCELLED, id="cancelled task"),
        pytest.param(GeneratorExit(), ErrorClass.CANCELLED, id="closed generator"),
        pytest.param(KeyboardInterrupt(), ErrorClass.CANCELLED, id="Ctrl-C"),
        pytest.param(SystemExit(0), ErrorClass.CANCELLED, id="the process ends"),
    ],
)
def test_an_exception_has_one_class(
    ended: Ended, error: BaseException, expected: ErrorClass
) -> None:
    assert classify(error) is expected
    report = ended.finish(error)
    assert (report.status, report.error_class) == (pb.OUTCOME_STATUS_ERROR, expected.value)


def test_leaving_normally_is_ok(ended: Ended) -> None:
    ended.wait(1.25)
    report = ended.finish()
    assert report.status == pb.OUTCOME_STATUS_OK
    assert report.error_class == pb.ERROR_CLASS_UNSPECIFIED
    assert report.latency_us == 1_250_000
    assert not report.HasField("time_to_first_token_us")
    assert (report.token, report.attempt) == (TEXT.token, 1)


def test_what_nobody_said_is_absent_not_zero(ended: Ended) -> None:
    report = ended.finish()
    for name in ("input_tokens", "output_tokens", "cached_input_tokens", "cost", "output"):
        assert not report.HasField(name), name


def test_everything_that_was_said_is_sent(ended: Ended) -> None:
    call = ended.call
    call.tokens(input=10, output=20, cached_input=0)
    call.cost(0.25, "EUR")
    call.model("small", finish_reason="stop")
    call.output("answer", context="context")
    call.score("helpful", 0.5)
    call.scores({"refusal": 1, "helpful": 0.75})
    report = ended.finish()
    assert (report.input_tokens, report.output_tokens, report.cached_input_tokens) == (10, 20, 0)
    assert report.HasField("cached_input_tokens")
    assert (report.cost, report.currency) == (0.25, "EUR")
    assert (report.model, report.finish_reason) == ("small", "stop")
    assert (report.output, report.context) == ("answer", "context")
    assert dict(report.scores) == {"helpful": 0.75, "refusal": 1.0}


def test_the_last_token_counts_win_and_none_changes_nothing(ended: Ended) -> None:
    ended.call.tokens(input=1, output=1)
    ended.call.tokens(output=7)
    report = ended.finish()
    assert (report.input_tokens, report.output_tokens) == (1, 7)


def test_a_failure_without_an_exception(ended: Ended) -> None:
    ended.call.fail(ErrorClass.CONTENT)
    report = ended.finish()
    assert report.status == pb.OUTCOME_STATUS_ERROR
    assert report.error_class == pb.ERROR_CLASS_CONTENT


def test_what_the_application_said_wins_over_the_exception(ended: Ended) -> None:
    ended.call.fail(ErrorClass.CONTENT)
    assert ended.finish(ValueError()).error_class == pb.ERROR_CLASS_CONTENT


def test_a_retried_call_reports_once_from_the_first_try(ended: Ended) -> None:
    ended.wait(1)
    ended.call.first_token()
    ended.call.fail(ErrorClass.PROVIDER)
    ended.call.retry()
    ended.wait(2)
    ended.call.first_token()
    ended.wait(1)
    report = ended.finish()
    assert report.status == pb.OUTCOME_STATUS_OK
    assert report.error_class == pb.ERROR_CLASS_UNSPECIFIED
    assert (report.attempt, report.latency_us) == (2, 4_000_000)
    assert report.time_to_first_token_us == 3_000_000


def test_only_the_first_of_the_first_tokens_counts(ended: Ended) -> None:
    ended.wait(0.5)
    ended.call.first_token()
    ended.wait(0.5)
    ended.call.first_token()
    assert ended.finish().time_to_first_token_us == 500_000


def test_a_clock_that_went_back_gives_no_negative_latency(ended: Ended) -> None:
    ended.wait(-5)
    assert ended.finish().latency_us == 0


# Streams


def two_chunks(ended: Ended) -> Iterator[str]:
    ended.wait(0.25)
    yield "a"
    ended.wait(0.25)
    yield "b"


def broken_after_one(ended: Ended) -> Iterator[str]:
    ended.wait(0.25)
    yield "a"
    raise StatusOfTheError(503)


def test_a_stream_that_was_read_to_its_end_is_ok(ended: Ended) -> None:
    assert list(ended.call.stream(two_chunks(ended))) == ["a", "b"]
    report = ended.finish()
    assert report.status == pb.OUTCOME_STATUS_OK
    assert (report.time_to_first_token_us, report.latency_us) == (250_000, 500_000)


def test_an_empty_stream_has_no_first_token(ended: Ended) -> None:
    assert list(ended.call.stream(iter(()))) == []
    report = ended.finish()
    assert report.status == pb.OUTCOME_STATUS_OK
    assert not report.HasField("time_to_first_token_us")


def test_a_half_streamed_answer_is_an_error_with_the_tokens_so_far(ended: Ended) -> None:
    def count_tokens() -> None:
        for seen, _ in enumerate(ended.call.stream(broken_after_one(ended)), 1):
            ended.call.tokens(output=seen)

    with pytest.raises(StatusOfTheError) as caught:
        count_tokens()
    report = ended.finish(caught.value)
    assert (report.status, report.error_class) == (pb.OUTCOME_STATUS_ERROR, pb.ERROR_CLASS_PROVIDER)
    assert (report.output_tokens, report.time_to_first_token_us) == (1, 250_000)


def test_a_broken_stream_is_an_error_even_when_the_block_survives_it(ended: Ended) -> None:
    with pytest.raises(StatusOfTheError):
        list(ended.call.stream(broken_after_one(ended)))
    assert ended.finish().error_class == pb.ERROR_CLASS_PROVIDER


@pytest.mark.parametrize("keep", [False, True], ids=["dropped", "kept in a variable"])
def test_a_stream_the_caller_stopped_reading_is_cancelled(ended: Ended, keep: bool) -> None:
    stream = ended.call.stream(two_chunks(ended))
    assert next(stream) == "a"
    if not keep:
        del stream
    report = ended.finish()
    assert report.error_class == pb.ERROR_CLASS_CANCELLED
    assert report.time_to_first_token_us == 250_000


def test_a_retry_forgets_the_broken_stream(ended: Ended) -> None:
    with pytest.raises(StatusOfTheError):
        list(ended.call.stream(broken_after_one(ended)))
    ended.call.retry()
    assert list(ended.call.stream(two_chunks(ended))) == ["a", "b"]
    report = ended.finish()
    assert (report.status, report.attempt) == (pb.OUTCOME_STATUS_OK, 2)
    assert report.time_to_first_token_us == 500_000


async def as_stream(chunks: Iterator[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


async def test_an_asynchronous_stream_ends_the_same_ways(ended: Ended) -> None:
    assert [each async for each in ended.call.astream(as_stream(two_chunks(ended)))] == ["a", "b"]
    assert ended.finish().status == pb.OUTCOME_STATUS_OK

    broken = Ended()
    stream = broken.call.astream(as_stream(broken_after_one(broken)))
    assert await anext(stream) == "a"
    with pytest.raises(StatusOfTheError):
        await anext(stream)
    assert broken.finish().error_class == pb.ERROR_CLASS_PROVIDER

    left = Ended()
    async for _ in left.call.astream(as_stream(two_chunks(left))):
        break
    assert left.finish().error_class == pb.ERROR_CLASS_CANCELLED


# Texts


def test_no_answer_says_nothing(ended: Ended) -> None:
    ended.call.output(None)
    assert not ended.finish().HasField("output")


@given(st.text(st.characters(codec=None), max_size=200))
def test_no_text_of_a_model_can_break_the_application(text: str) -> None:
    ended = Ended()
    ended.call.output(text, context=text)
    sent = ended.finish()
    assert sent.output == sent.context == text.encode("utf-8", "replace").decode()


@given(st.integers(0, 3), st.sampled_from(["x", "ü", "語", "🙂"]))
def test_a_long_output_stays_too_long_and_fits_a_message(shift: int, character: str) -> None:
    limit = 256 * 1024
    ended = Ended()
    ended.call.output("x" * shift + character * (limit + 1))
    assert limit < len(ended.finish().output.encode()) <= limit + 8


def test_content_of_the_prompt_is_at_hand() -> None:
    chat = ResolvedPrompt("p", messages=(Message("system", "s"),))
    assert Call(TEXT, Clock()).text == "Be brief."
    assert Call(chat, Clock()).messages == (Message("system", "s"),)
