"""Runs the scenes against real processes until each rollout has ended.

One thread per prompt sends its traffic (Rust, without the interpreter), the main
thread watches. Time is real. A rollout that has not ended in time is reported as
it stands; the demo never helps it along.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import grpc
import orjson
import yaml

from pitcanary import _native
from pitcanary.demo.scenes import Scene
from pitcanary.errors import ReplayFailed
from pitcanary.processes import Children
from pitcanary.v1 import admin_pb2 as pb
from pitcanary.v1 import admin_pb2_grpc

Seconds = float
ENDED = ("rolled_back", "promoted", "aborted")
USERS = 50_000
REQUESTS_PER_SECOND = 2_500.0
BURST = 1_250
LOOK_EVERY: Seconds = 0.25
# gRPC derives an authority from a socket path that HTTP/2 servers refuse.
CHANNEL_OPTIONS = (("grpc.default_authority", "localhost"),)


@dataclass
class Progress:
    """How one rollout of the demo stands."""

    name: str
    state: str = "pending"
    message: str = ""
    stage: int = 0
    stages: int = 0
    share: float = 0.0
    share_actual: float | None = None
    max_candidate_share: float = 0.0
    seconds: Seconds = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    view: Mapping[str, object] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the rollout is over."""
        return self.state in ENDED

    def plain(self) -> dict[str, object]:
        """As `demo --json` prints it."""
        return {
            "name": self.name,
            "ending": self.state,
            "max_candidate_share": self.max_candidate_share,
            "seconds": round(self.seconds, 1),
        }


class Demo:
    """The processes and the traffic of a demonstration.

    Args:
        scenes: What to show.
        seed: Of users and outcomes.
        limit: Seconds after which the demo stops waiting.
    """

    def __init__(self, scenes: tuple[Scene, ...], seed: int, limit: Seconds) -> None:
        self._scenes = scenes
        self._seed = seed
        self._limit = limit
        self._failures: list[Exception] = []
        self._stop = threading.Event()
        self.progress = {scene.rollout: Progress(scene.rollout) for scene in scenes}

    def run(self, watch: Callable[[Demo], None]) -> list[pb.DecisionInfo]:
        """Runs to the end; `watch` is called several times a second.

        Returns:
            All decisions, oldest first.

        Raises:
            ReplayFailed: A process ended or refused a call.
        """
        with Children() as children:
            controller, targets = self._start(children)
            with grpc.insecure_channel(controller, options=CHANNEL_OPTIONS) as channel:
                admin = admin_pb2_grpc.AdminServiceStub(channel)
                try:
                    return self._run(admin, targets, watch)
                except grpc.RpcError as error:
                    raise ReplayFailed(f"the controller refused a call: {error}") from error

    def _start(self, children: Children) -> tuple[str, list[str]]:
        folder = children.folder
        controller = children.start(
            "controller",
            "controller",
            f"--listen=unix:{folder}/controller.sock",
            f"--store=sqlite:///{folder}/demo.db",
            "--metrics=127.0.0.1:0",
        ).listen[0]
        targets = [
            children.start(
                f"sidecar {number}",
                "sidecar",
                f"--listen=unix:{folder}/sidecar-{number}.sock",
                f"--controller={controller}",
                f"--data-dir={folder}/sidecar-{number}",
                f"--sidecar-id=demo-{number}",
                "--metrics=127.0.0.1:0",
            ).listen[0]
            for number in (1, 2)
        ]
        return controller, targets

    def _run(
        self,
        admin: admin_pb2_grpc.AdminServiceStub,
        targets: list[str],
        watch: Callable[[Demo], None],
    ) -> list[pb.DecisionInfo]:
        for scene in self._scenes:
            _prepare(admin, scene)
        _wait_until_served(admin, targets)
        started = time.monotonic()
        senders = [
            threading.Thread(target=self._send, args=(scene, targets), name=scene.prompt)
            for scene in self._scenes
        ]
        for sender in senders:
            sender.start()
        try:
            while not self._over(time.monotonic() - started):
                self._look(admin, time.monotonic() - started)
                watch(self)
                self._stop.wait(LOOK_EVERY)
        finally:
            self._stop.set()
            for sender in senders:
                sender.join()
        if self._failures:
            raise ReplayFailed(str(self._failures[0]))
        listed = admin.ListDecisions(pb.ListDecisionsRequest(limit=1_000)).decisions
        return list(reversed(listed))

    def _over(self, elapsed: Seconds) -> bool:
        ended = all(each.ended for each in self.progress.values())
        return ended or bool(self._failures) or elapsed > self._limit

    def _look(self, admin: admin_pb2_grpc.AdminServiceStub, elapsed: Seconds) -> None:
        for progress in self.progress.values():
            if progress.ended:
                continue
            info = admin.GetRollout(pb.GetRolloutRequest(name=progress.name)).rollout
            progress.state, progress.message = info.state, info.message
            progress.stage, progress.stages = info.stage, info.stages
            progress.share = info.share_set
            progress.share_actual = info.share_actual if info.HasField("share_actual") else None
            progress.max_candidate_share = max(progress.max_candidate_share, info.share_set)
            progress.seconds = elapsed
            progress.view = orjson.loads(info.view_json or "{}")
            if info.state == "promoted":
                progress.max_candidate_share = 1.0

    def _send(self, scene: Scene, targets: list[str]) -> None:
        """Sends bursts until the rollout has ended; a failure ends the demo."""
        progress = self.progress[scene.rollout]
        try:
            traffic = _native.Traffic(
                targets,
                scene.prompt,
                scene.tables(self._seed),
                users=USERS,
                seed=self._seed,
            )
            first = 0
            while not (self._stop.is_set() or progress.ended):
                counts = traffic.run(first, BURST, per_second=REQUESTS_PER_SECOND)
                first += BURST
                for arm, (requests, _) in counts.items():
                    progress.requests[arm] = progress.requests.get(arm, 0) + requests
        except (ConnectionError, ValueError) as error:
            self._failures.append(error)


def _prepare(admin: admin_pb2_grpc.AdminServiceStub, scene: Scene) -> None:
    for text, labels in ((scene.before, ["production"]), (scene.after, [])):
        admin.PushVersion(
            pb.PushVersionRequest(
                prompt=scene.prompt,
                version_json=orjson.dumps({"text": text}).decode(),
                labels=labels,
                actor="demo",
            )
        )
    spec_json = orjson.dumps(yaml.safe_load(scene.manifest)).decode()
    admin.ApplyRollout(pb.ApplyRolloutRequest(spec_json=spec_json, actor="demo"))


def _wait_until_served(admin: admin_pb2_grpc.AdminServiceStub, targets: list[str]) -> None:
    """Until every sidecar has acknowledged what the controller wants served."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        listed = admin.ListSidecars(pb.ListSidecarsRequest())
        served = [each for each in listed.sidecars if each.acknowledged == listed.config_version]
        if len(served) == len(targets):
            return
        time.sleep(0.05)  # the fleet is asked, not told: there is no event to wait for
    raise ReplayFailed("the sidecars did not acknowledge the configuration within 30 s")
