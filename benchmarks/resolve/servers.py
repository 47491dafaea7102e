"""Start and stop the servers that are compared, each as its own process."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"
TCP = "tcp:127.0.0.1:0"

_ADDRESS = re.compile(r"(?:tcp:)?(127\.0\.0\.1:\d+)")
_STOP_SECONDS = 10
_CLOCK_TICKS_PER_SECOND = 100  # USER_HZ: what /proc reports in, on every Linux

# Runs the command line of pitcanary beside a thread that never rests.
_BUSY = """
import sys, threading
from pitcanary.__main__ import main
def spin() -> None:
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
sys.exit(main())
"""


class BenchmarkError(Exception):
    """A server or the generator did not do its part, so there is no figure."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    address: str
    process_id: int

    def rss_mib(self) -> float:
        """Resident memory now."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        if match is None:
            message = "the server has ended"
            raise BenchmarkError(message)
        return int(match[1]) / 1024

    def cpu_seconds(self) -> float:
        """Processor time used so far, by user and system."""
        stat = Path(f"/proc/{self.process_id}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS_PER_SECOND


def echo_command(*, coalesce: bool) -> list[str]:
    """The bare tonic server; with `coalesce`, over the sidecar's transport."""
    command = [str(RELEASE / "examples" / "echo"), TCP]
    return [*command, "--coalesce"] if coalesce else command


def sidecar_command(data_dir: Path, *, coalesce: bool, busy: bool = False) -> list[str]:
    """The sidecar on a stored snapshot, without a controller.

    `busy` adds a Python thread that never rests to the sidecar's process.
    """
    program = ["-c", _BUSY] if busy else ["-m", "pitcanary"]
    options = [f"--listen={TCP}", f"--data-dir={data_dir}", "--controller=", "--metrics="]
    flags = ["sidecar", *options, *([] if coalesce else ["--no-coalesce"])]
    return [sys.executable, *program, *flags]


@contextmanager
def running(command: Sequence[str], core: int | None) -> Iterator[Running]:
    """Run a server until the block ends; its first line of output names its address.

    The input of the server is closed to stop it, and it is terminated if that
    does not suffice.

    Raises:
        BenchmarkError: If it ends before it listens.
    """
    process = subprocess.Popen(
        pinned(command, core), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if process.stdin is None or process.stdout is None:
        message = "pipes to the server are missing"
        raise BenchmarkError(message)
    try:
        for line in process.stdout:
            if match := _ADDRESS.search(line):
                yield Running(f"tcp:{match[1]}", process.pid)
                return
        message = f"`{' '.join(command)}` ended before it listened; see its messages above"
        raise BenchmarkError(message)
    finally:
        process.stdin.close()
        if str(RELEASE) not in command[0]:
            process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command, bound to one core; `None` leaves it free."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]
