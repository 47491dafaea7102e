"""How a sidecar process starts, survives its controller, and ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pitcanary.errors import ReplayFailed
from pitcanary.processes import Child
from pitcanary.v1 import sidecar_pb2, sidecar_pb2_grpc, sketch_pb2
from tests.integration.sidecar.harness import (
    SOON,
    Controller,
    channel,
    code,
    sidecar,
    snapshot,
    words,
)

NOWHERE = "127.0.0.1:1"


def ask(child: Child) -> sidecar_pb2.ResolvePromptResponse:
    with channel(child.listen[0]) as opened:
        service = sidecar_pb2_grpc.SidecarServiceStub(opened)
        request = sidecar_pb2.ResolvePromptRequest(prompt="greeting", unit="alice")
        return service.ResolvePrompt(request, timeout=SOON)


def metrics(child: Child) -> dict[str, float]:
    """Every sample of `/metrics`, labels and all, by its name."""
    with urllib.request.urlopen(f"http://{child.ready['metrics']}/metrics", timeout=SOON) as page:
        lines = page.read().decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_without_controller_and_snapshot_it_waits_and_says_so(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOWHERE) as child, channel(child.listen[1]) as opened:
        health = health_pb2_grpc.HealthStub(opened)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=SOON)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as refused:
            ask(child)
        assert code(refused.value) is grpc.StatusCode.UNAVAILABLE
        assert "no configuration yet" in words(refused.value)
        assert metrics(child)["pitcanary_sidecar_config_revision"] == 0


def test_a_restart_without_a_controller_serves_from_disk(
    tmp_path: Path, controller: Controller
) -> None:
    with sidecar(tmp_path, controller.address) as child:
        assert controller.push(snapshot(3)).ack.config_version.revision == 3
        before = ask(child)
    with sidecar(tmp_path, NOWHERE) as child:
        after = ask(child)
        assert metrics(child)["pitcanary_sidecar_config_revision"] == 3
    assert (before.arm, before.text, before.config_revision) == (
        after.arm,
        after.text,
        after.config_revision,
    )


def test_a_bad_configuration_is_refused_over_grpc(tmp_path: Path, controller: Controller) -> None:
    with sidecar(tmp_path, controller.address) as child:
        controller.push(snapshot(1))
        bad = snapshot(2)
        del bad.versions[:]
        said = controller.push(bad)
        assert said.nack.serving.revision == 1
        assert "version `" in said.nack.reason
        assert ask(child).config_revision == 1


def test_a_signal_drains_and_uploads_what_was_counted(
    tmp_path: Path, controller: Controller
) -> None:
    with sidecar(tmp_path, controller.address) as child:
        slow = snapshot()
        slow.flush_interval_ms = 3_600_000
        controller.push(slow)
        with channel(child.listen[0]) as opened:
            service = sidecar_pb2_grpc.SidecarServiceStub(opened)
            report = sidecar_pb2.ReportOutcomeRequest(
                token=ask(child).token, status=sidecar_pb2.OUTCOME_STATUS_OK
            )
            service.ReportOutcome(report, timeout=SOON)
        assert not controller.frames
        child.stop(timeout=SOON)
        assert child.process.returncode == 0
    frames = [sketch_pb2.Frame.FromString(upload.frame) for upload in controller.frames]
    assert [frame.sidecar_id for frame in frames] == ["here"]
    assert len(frames[0].evidence.cells) == 1


def test_metrics_tell_what_happened(tmp_path: Path, controller: Controller) -> None:
    with sidecar(tmp_path, controller.address) as child:
        controller.push(snapshot())
        arm = ask(child).arm
        samples = metrics(child)
    labels = f'arm="{arm}",prompt="greeting",reason="SPLIT"'
    assert samples[f"pitcanary_resolve_total{{{labels}}}"] == 1
    assert samples["pitcanary_resolve_seconds_count"] == 1
    assert samples['pitcanary_resolve_seconds_bucket{le="+Inf"}'] == 1
    assert samples["pitcanary_sidecar_controller_connected"] == 1
    assert samples['pitcanary_sidecar_snapshots_total{result="accepted"}'] == 1
    assert samples["pitcanary_sidecar_connections_open"] >= 0
    assert samples["process_resident_memory_bytes"] > 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ReplayFailed, match=address),
            sidecar(tmp_path, NOWHERE, f"--listen={address}"),
        ):
            pass


@pytest.mark.parametrize(
    ("flag", "word"),
    [
        pytest.param("--listen=0.0.0.0:0", "insecure", id="open to other machines"),
        pytest.param("--listen=nowhere", "unix:", id="no address"),
        pytest.param("--controller=nowhere", "HOST:PORT", id="no controller address"),
        pytest.param("--metrics=nowhere", "HOST:PORT", id="no metrics address"),
        pytest.param("--workers=0", "`workers`", id="no threads"),
        pytest.param("--data-dir=/proc/nothing", "data folder", id="no folder"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_with_the_way_out(
    tmp_path: Path, flag: str, word: str
) -> None:
    with pytest.raises(ReplayFailed, match="status 2") as failed, sidecar(tmp_path, NOWHERE, flag):
        pass
    assert word in str(failed.value)


def test_the_process_loads_neither_grpc_nor_a_terminal_library() -> None:
    script = (
        "import sys, pitcanary.sidecar.__main__;"
        "sys.exit(bool({'grpc', 'typer', 'rich', 'sqlalchemy', 'google'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
