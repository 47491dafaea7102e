"""One replay: recorded outcomes through a running sidecar and controller.

Time is stepped in ticks: set the clocks, send what arrived, flush the sidecar, let
the controller seal and decide. Sealing waits for that barrier and never for a
timer, so the same files and seed give the same decisions. Starting and stopping
the processes is `cluster`'s work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import grpc
import orjson

from pitcanary import _native
from pitcanary.errors import ReplayFailed
from pitcanary.model.json_types import JsonObject
from pitcanary.replay.pace import Arrivals
from pitcanary.v1 import admin_pb2 as admin
from pitcanary.v1 import admin_pb2_grpc, control_pb2_grpc
from pitcanary.v1 import control_pb2 as control

logger = logging.getLogger(__name__)

ENDINGS = {"rolled_back": "rolled_back", "promoted": "promoted", "aborted": "aborted"}
DECIDING = ("rollback", "promote", "abort")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay.

    Attributes:
        spec: The rollout manifest's content; names, versions and prompt included.
        tables: Encoded reports to draw from, by name of the arm.
        arrivals: When requests arrive.
        tick: Recorded time between two looks.
        seed: Of units and outcomes.
        users: Distinct units.
        max_requests: The replay ends undecided after so many.
    """

    spec: JsonObject
    tables: Mapping[str, tuple[bytes, ...]]
    arrivals: Arrivals
    tick: timedelta
    seed: int = 1
    users: int = 10_000
    max_requests: int = 200_000


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How a replay ended.

    Attributes:
        ending: `rolled_back`, `promoted` or `undecided`.
        culprits: Metrics that the rollback names.
        requests: Requests sent.
        candidate_share: Share of the candidate when it was decided, 0..1.
        decision_id: The deciding record, or the last one.
        rule: The deciding rule in words.
        served: Requests by arm.
    """

    ending: str
    culprits: tuple[str, ...]
    requests: int
    candidate_share: float
    decision_id: str
    rule: str
    served: Mapping[str, int] = field(default_factory=dict)

    def plain(self) -> dict[str, object]:
        """As `replay --json` prints it."""
        return {
            "ending": self.ending,
            "culprits": list(self.culprits),
            "requests": self.requests,
            "candidate_share": self.candidate_share,
            "decision_id": self.decision_id,
            "rule": self.rule,
            "served": dict(self.served),
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands after a tick."""

    requests: int
    state: str
    stage: int
    share: float
    message: str


class Session:
    """The calls a replay makes; one per pair of processes, any number of replays.

    Args:
        controller: Channel to the controller.
        sidecar: Channel to the sidecar.
        targets: The sidecar's address for the traffic.
    """

    def __init__(
        self, controller: grpc.Channel, sidecar: grpc.Channel, targets: tuple[str, ...]
    ) -> None:
        self._admin = admin_pb2_grpc.AdminServiceStub(controller)
        self._controller = control_pb2_grpc.ReplayServiceStub(controller)
        self._sidecar = control_pb2_grpc.ReplayServiceStub(sidecar)
        self._targets = targets

    def run(self, plan: Plan, watch: Callable[[Progress], None] = lambda _: None) -> ReplayResult:
        """Replays a plan to its end.

        Raises:
            ReplayFailed: A process did not answer or refused what the plan asks for.
        """
        try:
            return self._run(plan, watch)
        except grpc.RpcError as error:
            raise ReplayFailed(f"a process of the replay refused a call: {error}") from error
        except ConnectionError as error:
            raise ReplayFailed(str(error)) from error

    def _run(self, plan: Plan, watch: Callable[[Progress], None]) -> ReplayResult:
        name = str(plan.spec["name"])
        now = plan.arrivals.start
        self._set_clocks(now)
        self._prepare(plan)
        self._controller.Tick(control.TickRequest())
        traffic = _native.Traffic(
            list(self._targets),
            str(plan.spec["prompt"]),
            plan.tables,
            users=plan.users,
            seed=plan.seed,
        )
        served: dict[str, int] = {}
        sent = 0
        info = self._rollout(name)
        share = info.share_set
        while info.state not in ENDINGS and sent < plan.max_requests:
            now += plan.tick
            due = min(plan.arrivals.until(now), plan.max_requests) - sent
            self._set_clocks(now)
            if due > 0:
                for arm, (requests, _) in traffic.run(sent, due).items():
                    served[arm] = served.get(arm, 0) + requests
                sent += due
                self._sidecar.Flush(control.FlushRequest())
            share = info.share_set
            self._controller.Tick(control.TickRequest())
            info = self._rollout(name)
            watch(Progress(sent, info.state, info.stage, info.share_set, info.message))
        return self._result(name, info, share, sent, served)

    def _set_clocks(self, now: datetime) -> None:
        request = control.SetClockRequest()
        request.now.FromDatetime(now)
        self._controller.SetClock(request)
        self._sidecar.SetClock(request)

    def _prepare(self, plan: Plan) -> None:
        """Two versions that differ in their content only by name, and the rollout."""
        prompt = str(plan.spec["prompt"])
        for arm, labels in (("baseline", ["production"]), ("candidate", [])):
            self._admin.PushVersion(
                admin.PushVersionRequest(
                    prompt=prompt,
                    version_json=orjson.dumps({"text": f"recorded {arm} of {prompt}"}).decode(),
                    labels=labels,
                    actor="replay",
                )
            )
        spec_json = orjson.dumps(plan.spec, option=orjson.OPT_SORT_KEYS).decode()
        self._admin.ApplyRollout(admin.ApplyRolloutRequest(spec_json=spec_json, actor="replay"))

    def _rollout(self, name: str) -> admin.RolloutInfo:
        return self._admin.GetRollout(admin.GetRolloutRequest(name=name)).rollout

    def _result(
        self,
        name: str,
        info: admin.RolloutInfo,
        share: float,
        sent: int,
        served: Mapping[str, int],
    ) -> ReplayResult:
        listed = self._admin.ListDecisions(admin.ListDecisionsRequest(rollout=name)).decisions
        deciding = next((each for each in listed if each.action in DECIDING), None)
        shown = deciding or (listed[0] if listed else admin.DecisionInfo())
        ending = ENDINGS.get(info.state, "undecided")
        return ReplayResult(
            ending=ending,
            culprits=self._culprits(shown.id) if ending == "rolled_back" else (),
            requests=sent,
            candidate_share=1.0 if ending == "promoted" else share,
            decision_id=shown.id,
            rule=shown.rule,
            served=served,
        )

    def _culprits(self, decision_id: str) -> tuple[str, ...]:
        answer = self._admin.GetDecision(admin.GetDecisionRequest(id=decision_id))
        record = orjson.loads(answer.record_json)
        return tuple(record["metrics"])
