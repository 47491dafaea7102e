"""The requests that benchmarks write by hand are the protocol's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.resolve import messages
from pitcanary.v1 import sidecar_pb2


def test_resolve_requests_ask_for_another_unit_each_time() -> None:
    encoded = messages.resolve_requests("greeting", count=50, seed=1)
    requests = [sidecar_pb2.ResolvePromptRequest.FromString(request) for request in encoded]
    assert {request.prompt for request in requests} == {"greeting"}
    assert len({request.unit for request in requests}) == 50
    assert all(len(request.unit) == 36 for request in requests)
    assert requests[0].attributes["country"].text == "DE"
    assert len(requests[0].attributes) == 5


def test_reports_carry_the_tokens_of_the_answers() -> None:
    tokens = [bytes([index]) * 48 for index in range(20)]
    answers = [
        sidecar_pb2.ResolvePromptResponse(token=token, arm="baseline").SerializeToString()
        for token in tokens
    ]
    reports = [
        sidecar_pb2.ReportOutcomeRequest.FromString(report)
        for report in messages.report_requests(answers, seed=1)
    ]
    assert [report.token for report in reports] == tokens
    assert {report.status for report in reports} == {sidecar_pb2.OUTCOME_STATUS_OK}
    assert all(report.latency_us > 0 and report.output_tokens > 0 for report in reports)


def test_an_answer_without_a_token_is_refused() -> None:
    answer = sidecar_pb2.ResolvePromptResponse(arm="baseline").SerializeToString()
    with pytest.raises(ValueError, match="no token"):
        messages.token_of(answer)


def test_files_of_messages_read_back_as_written(tmp_path: Path) -> None:
    written = [b"", b"one", bytes(300)]
    path = tmp_path / "messages.bin"
    messages.write_delimited(path, written)
    assert list(messages.read_delimited(path)) == written
