"""What gRPC's own client gets from a sidecar process, over TCP and unix sockets."""

from __future__ import annotations

import math
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from pitcanary.v1 import sidecar_pb2 as pb
from pitcanary.v1 import sidecar_pb2_grpc as stubs
from tests.integration.sidecar.harness import SOON, code, trailers, words


def resolve(service: stubs.SidecarServiceStub, unit: str = "alice") -> pb.ResolvePromptResponse:
    request = pb.ResolvePromptRequest(prompt="greeting", unit=unit)
    return service.ResolvePrompt(request, timeout=SOON)


def outcome(token: bytes, **values: object) -> pb.ReportOutcomeRequest:
    report = pb.ReportOutcomeRequest(token=token, status=pb.OUTCOME_STATUS_OK)
    report.MergeFrom(pb.ReportOutcomeRequest(**values))  # type: ignore[arg-type]
    return report


def test_a_unit_keeps_its_version_and_reports_its_outcome_once(
    service: stubs.SidecarServiceStub,
) -> None:
    first, again = resolve(service), resolve(service)
    assert (first.arm, first.version, first.text) == (again.arm, again.version, again.text)
    assert first.token != again.token
    assert len(first.token) == 48
    assert not service.ReportOutcome(outcome(first.token, latency_us=5), timeout=SOON).duplicate
    assert service.ReportOutcome(outcome(first.token, latency_us=5), timeout=SOON).duplicate


def test_health_and_reflection_answer(open_channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(open_channel)
    for name in ("", "pitcanary.v1.SidecarService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=SOON)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    database = ProtoReflectionDescriptorDatabase(open_channel)
    assert set(database.get_services()) >= {"pitcanary.v1.SidecarService", "grpc.health.v1.Health"}
    assert "pitcanary.v1.ControlService" not in database.get_services()
    file = database.FindFileContainingSymbol("pitcanary.v1.ResolvePromptRequest")
    assert file.package == "pitcanary.v1"


def test_an_unknown_prompt_is_not_found(service: stubs.SidecarServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        service.ResolvePrompt(pb.ResolvePromptRequest(prompt="nobody", unit="a"), timeout=SOON)
    assert code(refused.value) is grpc.StatusCode.NOT_FOUND
    assert "`nobody`" in words(refused.value)


def test_no_unit_is_assigned_per_request_and_says_so(service: stubs.SidecarServiceStub) -> None:
    answers = [resolve(service, unit="") for _ in range(40)]
    assert {answer.arm for answer in answers} == {"baseline", "candidate"}
    assert all("no unit was given" in answer.detail for answer in answers)


def test_two_mebibytes_are_too_much(service: stubs.SidecarServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        resolve(service, unit="u" * (2 << 20))
    assert code(refused.value) in {
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
    assert resolve(service).text


def test_bytes_that_are_no_message_are_refused(open_channel: grpc.Channel) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    call = open_channel.unary_unary("/pitcanary.v1.SidecarService/ResolvePrompt")
    for rubbish in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28"):
        with pytest.raises(grpc.RpcError) as refused:
            call(rubbish, timeout=SOON)
        assert code(refused.value) in {
            grpc.StatusCode.INTERNAL,
            grpc.StatusCode.INVALID_ARGUMENT,
        }


@pytest.mark.parametrize(
    ("values", "word"),
    [
        pytest.param({"latency_us": -1}, "latency_us", id="a negative latency"),
        pytest.param({"cost": math.nan}, "cost", id="a cost that is no number"),
        pytest.param({"scores": {"error": math.inf}}, "scores", id="an infinite score"),
    ],
)
def test_values_that_cannot_be_are_refused(
    service: stubs.SidecarServiceStub, values: dict[str, object], word: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        service.ReportOutcome(outcome(resolve(service).token, **values), timeout=SOON)
    assert code(refused.value) is grpc.StatusCode.INVALID_ARGUMENT
    assert word in words(refused.value)


@pytest.mark.parametrize(
    ("byte", "status", "reject"),
    [
        pytest.param(0, "INVALID_ARGUMENT", pb.REJECT_CODE_MALFORMED_TOKEN, id="the format"),
        pytest.param(1, "FAILED_PRECONDITION", pb.REJECT_CODE_UNKNOWN_KEY, id="the key"),
        pytest.param(20, "PERMISSION_DENIED", pb.REJECT_CODE_FORGED_TOKEN, id="a field"),
        pytest.param(47, "PERMISSION_DENIED", pb.REJECT_CODE_FORGED_TOKEN, id="the signature"),
    ],
)
def test_a_changed_token_is_refused(
    service: stubs.SidecarServiceStub, byte: int, status: str, reject: int
) -> None:
    token = bytearray(resolve(service).token)
    token[byte] ^= 0x40
    with pytest.raises(grpc.RpcError) as refused:
        service.ReportOutcome(outcome(bytes(token)), timeout=SOON)
    assert code(refused.value).name == status
    assert int(trailers(refused.value)["pitcanary-reject"]) == reject


def test_a_stream_hears_what_is_durable(service: stubs.SidecarServiceStub) -> None:
    tokens = [resolve(service, unit=f"user-{number}").token for number in range(20)]

    def reports() -> Iterator[pb.ReportOutcomesRequest]:
        for seq, token in enumerate(tokens, start=1):
            yield pb.ReportOutcomesRequest(client_stream_id="me", seq=seq, report=outcome(token))

    answers = list(service.ReportOutcomes(reports(), timeout=SOON))
    assert answers[-1].accepted_through == answers[-1].durable_through == 20
    assert not [reject for answer in answers for reject in answer.rejects]
