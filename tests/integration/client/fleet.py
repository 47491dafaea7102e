"""A controller process with one prompt, and sidecar processes that serve it."""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import grpc
import orjson
from prometheus_client.parser import text_string_to_metric_families

from pitcanary.model.json_types import JsonValue
from pitcanary.processes import Child, Children
from pitcanary.v1 import admin_pb2, admin_pb2_grpc

PROMPT = "support-reply"
TEXT = "Help {{name}}, {{ mood }}."
CHAT = "small-talk"
PATIENCE = 30.0  # a bound for loaded machines; nothing waits that long when all is well


def until(holds: Callable[[], bool], what: str) -> None:
    """Asks again and again; every asking is a call of another process, not a sleep."""
    end = monotonic() + PATIENCE
    while not holds():
        assert monotonic() < end, f"not within {PATIENCE:g} s: {what}"


@dataclass
class Sidecar:
    """One sidecar process."""

    child: Child
    folder: str

    @property
    def unix(self) -> str:
        return self.child.listen[0]

    @property
    def tcp(self) -> str:
        return self.child.listen[1]

    def counted(self, name: str, **labels: str) -> float:
        """The sum of a counter's samples that have the labels, from /metrics."""
        with urllib.request.urlopen(f"http://{self.child.ready['metrics']}/metrics") as page:
            families = text_string_to_metric_families(page.read().decode())
            return sum(
                sample.value
                for family in families
                for sample in family.samples
                if sample.name == name and labels.items() <= sample.labels.items()
            )

    def outcomes(self) -> float:
        """How many outcomes it has counted."""
        return self.counted("pitcanary_reports_total", result="outcome")


@dataclass
class Fleet:
    """A controller and what it configures."""

    children: Children
    controller: Child
    admin: admin_pb2_grpc.AdminServiceStub
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def push(self, prompt: str, content: dict[str, JsonValue]) -> None:
        """Pushes a version of a prompt, labelled `production` when the prompt is new."""
        request = admin_pb2.PushVersionRequest(
            prompt=prompt,
            version_json=orjson.dumps(content).decode(),
            labels=["production"],
            actor="test",
        )
        self.admin.PushVersion(request, timeout=PATIENCE)

    def move(self, prompt: str, number: int) -> None:
        """Points `production` at a version."""
        request = admin_pb2.MoveLabelRequest(
            prompt=prompt, label="production", number=number, actor="test"
        )
        self.admin.MoveLabel(request, timeout=PATIENCE)

    def sidecar(self) -> Sidecar:
        """Starts one more sidecar and waits until it serves the newest configuration."""
        name = f"sidecar-{next(self.names)}"
        return self.start(name, str(self.children.folder / name), "127.0.0.1:0")

    def restart(self, stopped: Sidecar) -> Sidecar:
        """Starts a sidecar where a stopped one was."""
        return self.start(stopped.folder.rpartition("/")[2], stopped.folder, stopped.tcp)

    def start(self, name: str, folder: str, tcp: str) -> Sidecar:
        child = self.children.start(
            name,
            "sidecar",
            f"--listen=unix:{folder}.sock",
            f"--listen={tcp}",
            f"--controller={self.controller.listen[0]}",
            f"--data-dir={folder}",
            f"--sidecar-id={name}",
            "--metrics=127.0.0.1:0",
            "--drain-seconds=2",
        )
        until(lambda: self.serves(name), f"`{name}` serves the newest configuration")
        return Sidecar(child, folder)

    def serves(self, name: str) -> bool:
        """Whether a sidecar has acknowledged the newest configuration."""
        answer = self.admin.ListSidecars(admin_pb2.ListSidecarsRequest(), timeout=PATIENCE)
        return any(
            each.sidecar_id == name
            and each.connected
            and each.acknowledged.revision == answer.config_version.revision
            for each in answer.sidecars
        )


@contextmanager
def running() -> Iterator[Fleet]:
    """Runs a controller with two prompts."""
    with Children() as children:
        controller = children.start(
            "controller",
            "controller",
            "--listen=127.0.0.1:0",
            f"--store=sqlite:///{children.folder / 'pitcanary.db'}",
            "--metrics=127.0.0.1:0",
            "--drain-seconds=1",
        )
        with grpc.insecure_channel(controller.listen[0]) as channel:
            fleet = Fleet(children, controller, admin_pb2_grpc.AdminServiceStub(channel))
            fleet.push(PROMPT, {"text": TEXT, "parameters": {"temperature": 0.5}})
            messages: list[JsonValue] = [{"role": "system", "content": "Chat with {{name}}."}]
            fleet.push(CHAT, {"messages": messages})
            yield fleet
