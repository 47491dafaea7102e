"""The README's release, command by command, against `pitcanary up`."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

MANIFEST = """\
kind: rollout
name: support-reply-v2
prompt: support-reply
candidate: {version: 2}
stages:
  - {share: 1%}
  - {share: 50%}
metrics: [error, latency_p95]
"""


class Program:
    """Runs commands against one running controller."""

    def __init__(self, ready: dict[str, dict[str, list[str]]], folder: Path) -> None:
        self.controller = ready["controller"]["listen"][0]
        self.sidecar = ready["sidecar"]["listen"][0]
        self.folder = folder

    def __call__(self, *arguments: str, status: int = 0) -> str:
        target = (
            ["--target", self.sidecar]
            if arguments[0] == "resolve"
            else ["--controller", self.controller]
        )
        done = subprocess.run(
            [sys.executable, "-m", "pitcanary", *arguments, *target],
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == status, done.stderr.decode()
        return done.stdout.decode() if status == 0 else done.stderr.decode()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("up")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "pitcanary", "up", "--json", "--data-dir", "data",
            "--controller-listen", "127.0.0.1:0", "--sidecar-listen", "127.0.0.1:0",
        ],
        stdout=subprocess.PIPE,
        cwd=folder,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield Program(orjson.loads(process.stdout.readline()), folder)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()
    assert process.returncode == 0


def test_a_release_from_push_to_abort(run: Program) -> None:
    (run.folder / "v1.md").write_text("Answer kindly.\n")
    (run.folder / "v2.md").write_text("Answer briefly.\n")
    (run.folder / "rollout.yaml").write_text(MANIFEST)
    assert "v1 stored" in run("prompts", "push", "support-reply", "v1.md")
    assert "v1 known already" in run("prompts", "push", "support-reply", "v1.md")
    assert "v2 stored" in run("prompts", "push", "support-reply", "v2.md")
    assert "-Answer kindly." in run("prompts", "diff", "support-reply", "1", "2")
    assert "production → v1" in run("prompts", "list")
    assert "would be" in run("rollouts", "apply", "rollout.yaml", "--dry-run")
    run("rollouts", "apply", "rollout.yaml")
    page = run("rollouts", "get", "support-reply-v2")
    assert "Share:" in page
    assert "NEXT" in page
    assert "held by" in run("prompts", "label", "support-reply", "production", "2", status=1)
    run("rollouts", "pause", "support-reply-v2", "--reason", "lunch")
    assert "paused" in run("rollouts", "list")
    run("rollouts", "resume", "support-reply-v2")
    assert "aborted" in run("rollouts", "abort", "support-reply-v2", "--reason", "enough")
    decisions = orjson.loads(run("decisions", "list", "--json"))["decisions"]
    assert decisions[0]["action"] == "abort"
    assert orjson.loads(run("decisions", "show", decisions[0]["id"], "--json"))["note"] == "enough"
    assert "Answer" in run("resolve", "support-reply", "--unit", "user-1")


def test_refusals_are_one_clear_paragraph(run: Program) -> None:
    (run.folder / "wrong.yaml").write_text(MANIFEST.replace("latency_p95", "latncy_p95"))
    refused = run("rollouts", "apply", "wrong.yaml", status=1)
    assert "wrong.yaml" in refused
    assert "latency_p95" in refused, "the nearest name is offered"
    assert "nothing-here" in run("prompts", "show", "nothing-here", status=1)
    run.sidecar, old = "127.0.0.1:1", run.sidecar
    assert "127.0.0.1:1" in run("resolve", "support-reply", status=1)
    run.sidecar = old
