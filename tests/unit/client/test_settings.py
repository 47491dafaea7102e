"""What a client does with an answer it did not get."""

from __future__ import annotations

import logging

import grpc
import pytest

from pitcanary.client.failure import CallFailed, failure_of_number
from pitcanary.client.fallback import Fallback
from pitcanary.client.requests import ResolveArguments
from pitcanary.client.resolved import Reason
from pitcanary.client.settings import Settings, score_refused
from pitcanary.errors import (
    InvalidRequest,
    PitcanaryError,
    PromptNotFound,
    ReportRefused,
    SidecarUnavailable,
)
from pitcanary.v1 import sidecar_pb2 as pb

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
ASKED = ResolveArguments("support-reply", variables={"name": "Ada"})
WITH = Settings({"support-reply": Fallback(text="Dear {{name}},")})
WITHOUT = Settings()


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_only_a_wrong_request_gets_past_a_fallback(code: grpc.StatusCode) -> None:
    failure = CallFailed(code, "why")
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        with pytest.raises(InvalidRequest, match="why"):
            WITH.recover(ASKED, failure)
        return
    resolved = WITH.recover(ASKED, failure)
    assert (resolved.text, resolved.reason) == ("Dear Ada,", Reason.FALLBACK)
    assert resolved.detail == f"sidecar: {code.name}"


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_without_a_fallback_the_error_says_what_to_do(code: grpc.StatusCode) -> None:
    expected: dict[grpc.StatusCode, type[PitcanaryError]] = {
        grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
        grpc.StatusCode.NOT_FOUND: PromptNotFound,
    }
    with pytest.raises(PitcanaryError, match="why") as caught:
        WITHOUT.recover(ASKED, CallFailed(code, "why"))
    assert type(caught.value) is expected.get(code, SidecarUnavailable)


def test_another_prompt_s_fallback_is_not_used() -> None:
    with pytest.raises(PromptNotFound):
        WITH.recover(ResolveArguments("other"), CallFailed(grpc.StatusCode.NOT_FOUND, "no"))


def test_the_log_names_the_prompt_and_no_content(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        WITH.recover(ASKED, CallFailed(grpc.StatusCode.UNAVAILABLE, "gone"))
    assert [each.getMessage() for each in caplog.records] == [
        "fallback_used prompt=support-reply code=UNAVAILABLE"
    ]


def test_an_item_of_a_batch_fails_alone() -> None:
    good = pb.ResolvedItem(response=pb.ResolvePromptResponse(text="hi", token=b"t"))
    number: int = grpc.StatusCode.NOT_FOUND.value[0]
    bad = pb.ResolvedItem(error=pb.ItemError(code=number, message="unknown"))
    assert WITHOUT.item(ASKED, good).text == "hi"
    assert WITH.item(ASKED, bad).reason is Reason.FALLBACK
    with pytest.raises(PromptNotFound, match="unknown"):
        WITHOUT.item(ASKED, bad)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_a_status_is_known_by_its_number(code: grpc.StatusCode) -> None:
    assert failure_of_number(code.value[0], "").code is code


def test_a_number_nobody_knows_is_unknown() -> None:
    assert failure_of_number(99, "").code is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(grpc.StatusCode.INVALID_ARGUMENT, ReportRefused, id="wrong for ever"),
        pytest.param(grpc.StatusCode.NOT_FOUND, ReportRefused, id="unknown metric"),
        pytest.param(grpc.StatusCode.UNAVAILABLE, SidecarUnavailable, id="no sidecar"),
        pytest.param(grpc.StatusCode.DEADLINE_EXCEEDED, SidecarUnavailable, id="no answer"),
        pytest.param(grpc.StatusCode.RESOURCE_EXHAUSTED, SidecarUnavailable, id="overloaded"),
    ],
)
def test_a_score_that_may_be_repeated_is_told_apart(
    code: grpc.StatusCode, expected: type[PitcanaryError]
) -> None:
    assert type(score_refused(CallFailed(code, "why"))) is expected
