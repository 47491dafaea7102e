"""Starts controllers and sidecars as child processes and stops them by their id.

Each child says on its first line of output where it listens; nothing is polled
and no port is fixed. A child that ends early is an error with its last words.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import orjson

from pitcanary.errors import ReplayFailed

LAST_WORDS = 2_000
Seconds = float


@dataclass
class Child:
    """A running `pitcanary` process.

    Attributes:
        name: For messages.
        ready: What the process said when it was ready: `listen`, `metrics`, `pid`.
    """

    name: str
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]
    ready: dict[str, object] = field(default_factory=dict)

    @property
    def listen(self) -> list[str]:
        """The addresses it listens on."""
        listen = self.ready.get("listen")
        return [str(address) for address in listen] if isinstance(listen, list) else []

    def stop(self, timeout: Seconds = 10.0) -> None:
        """Asks the process to end, then makes it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.complaints.close()

    def last_words(self) -> str:
        """The end of what the process wrote to its error output."""
        self.complaints.seek(0)
        return self.complaints.read()[-LAST_WORDS:].decode("utf-8", "replace").strip()


def start_child(name: str, *arguments: str) -> Child:
    """Starts `pitcanary ARGUMENTS` and waits for its ready line.

    Raises:
        ReplayFailed: It ended before it was ready; the message holds its last words.
    """
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `Child.stop`
    process = subprocess.Popen(
        [sys.executable, "-m", "pitcanary", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        # Ctrl-C reaches the parent only, which stops its children in order.
        start_new_session=True,
    )
    child = Child(name, process, complaints)
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    line = process.stdout.readline()
    if not line:
        process.wait()
        message = child.last_words()
        child.stop()
        raise ReplayFailed(f"the {name} ended with status {process.returncode}: {message}")
    child.ready = orjson.loads(line)
    return child


class Children:
    """Child processes that end together, the last started first."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._folder = tempfile.TemporaryDirectory(prefix="pitcanary-")

    @property
    def folder(self) -> Path:
        """A temporary folder for sockets and state, removed at the end."""
        return Path(self._folder.name)

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            child.stop()
        self._folder.cleanup()

    def start(self, name: str, *arguments: str) -> Child:
        """Starts one more; see `start_child`."""
        child = start_child(name, *arguments)
        self._children.append(child)
        return child
