"""Run the load generator once and read its figures."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from benchmarks.resolve.servers import RELEASE, BenchmarkError, Running, pinned


@dataclass(frozen=True, slots=True)
class Load:
    """How calls are sent: as many at once on each connection, as fast as answers allow."""

    connections: int
    in_flight: int
    seconds: float
    warm_up: float = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run found."""

    per_second: float
    p50_us: float
    p99_us: float
    generator_share: float
    server_cpu_us: float


class _Found(TypedDict):
    """The line that the generator prints, as far as it is read here."""

    answers: int
    failures: dict[str, int]
    per_second: float
    p50_us: float
    p99_us: float
    cpu_share: float


def measure(server: Running, path: str, messages: Path, load: Load, core: int | None) -> Measured:
    """Put load on a server.

    Raises:
        BenchmarkError: If a call fails; figures of failing calls say nothing.
    """
    used = server.cpu_seconds()
    found = _run(server, path, messages, core, _load_options(load))
    if found["failures"] or not found["answers"]:
        message = f"calls of `{path}` failed, by status: {found['failures']}"
        raise BenchmarkError(message)
    # Warm-up answers are not counted, but have cost the server as much.
    answers = found["answers"] * (1 + load.warm_up / load.seconds)
    return Measured(
        per_second=found["per_second"],
        p50_us=found["p50_us"],
        p99_us=found["p99_us"],
        generator_share=found["cpu_share"],
        server_cpu_us=(server.cpu_seconds() - used) * 1e6 / answers,
    )


def capture(server: Running, path: str, messages: Path, answers: Path, count: int) -> None:
    """Keep the messages of `count` answers in a file."""
    options = ["--capture", str(answers), "--count", str(count), "--seconds", "60"]
    _run(server, path, messages, None, [*options, "--warm-up", "0"])


def _load_options(load: Load) -> list[str]:
    options = {
        "--connections": load.connections,
        "--in-flight": load.in_flight,
        "--seconds": load.seconds,
        "--warm-up": load.warm_up,
    }
    return [text for name, value in options.items() for text in (name, str(value))]


def _run(
    server: Running, path: str, messages: Path, core: int | None, options: list[str]
) -> _Found:
    command = [str(RELEASE / "pitcanary-bench"), "--target", server.address, "--path", path]
    command += ["--messages", str(messages), *options]
    ended = subprocess.run(pinned(command, core), capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise BenchmarkError(ended.stderr.strip())
    found: _Found = json.loads(ended.stdout)
    return found
