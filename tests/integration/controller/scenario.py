"""A rollout with traffic: versions, a specification, counts tick by tick."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import orjson

from pitcanary.config import Webhook
from pitcanary.v1 import admin_pb2, control_pb2, sketch_pb2
from tests.integration.controller.frames import Key, drawn, evidence, upload
from tests.integration.controller.harness import FakeSidecar, Running, SteppedClock, running

TICK = timedelta(seconds=15)
NAME = "greeting-v2"


def spec(**changes: object) -> dict[str, object]:
    """A quick rollout of version 2 over version 1."""
    fields: dict[str, object] = {
        "kind": "rollout",
        "name": NAME,
        "prompt": "greeting",
        "candidate": {"version": 2},
        "stages": [
            {"share": "10%", "min_time": "15s"},
            {"share": "50%", "min_time": "15s"},
        ],
        "metrics": ["error"],
        "policies": {"tick": "15s"},
    }
    return fields | changes


@asynccontextmanager
async def scenario(
    store: str = "sqlite://",
    rates: tuple[float, float] = (0.05, 0.05),
    *,
    clock: SteppedClock | None = None,
    webhook: Webhook | None = None,
) -> AsyncIterator[Scenario]:
    """A controller with one sidecar connected, ready to begin."""
    async with (
        running(store, clock=clock or SteppedClock(), webhook=webhook) as here,
        FakeSidecar(here.control).connected() as sidecar,
    ):
        await sidecar.until(0)
        yield Scenario(here, sidecar, rates)


@dataclass
class Scenario:
    """Traffic of a rollout through one sidecar; `rates` are the arms' error rates."""

    here: Running
    sidecar: FakeSidecar
    rates: tuple[float, float] = (0.05, 0.05)
    per_tick: int = 4_000
    seq: int = 0
    decisions: list[str] = field(default_factory=list)

    async def begin(self, **changes: object) -> admin_pb2.ApplyRolloutResponse:
        """Pushes both versions, applies the rollout and lets it start."""
        await self.here.push("greeting", "Hello", "production")
        await self.here.push("greeting", "Good day")
        applied = await self.apply(**changes)
        await self.tick()
        return applied

    async def apply(self, **changes: object) -> admin_pb2.ApplyRolloutResponse:
        """Applies the specification."""
        request = admin_pb2.ApplyRolloutRequest(
            spec_json=orjson.dumps(spec(**changes)).decode(), actor="ann", reason="try it"
        )
        return await self.here.admin.ApplyRollout(request)

    async def act(
        self, action: admin_pb2.RolloutAction.ValueType, **fields: object
    ) -> admin_pb2.ActOnRolloutResponse:
        """Does what a person would."""
        request = admin_pb2.ActOnRolloutRequest(name=NAME, action=action, actor="ann")
        request.MergeFrom(admin_pb2.ActOnRolloutRequest(**fields))  # type: ignore[arg-type]
        return await self.here.admin.ActOnRollout(request)

    async def tick(self) -> list[str]:
        """Lets the controller look once, wherever the clock stands."""
        answer = await self.here.replay.Tick(control_pb2.TickRequest())
        self.decisions += answer.decision_ids
        return list(answer.decision_ids)

    async def step(self) -> list[str]:
        """A tick's worth of time and traffic."""
        self.here.clock.move(TICK)
        await self.report()
        return await self.tick()

    async def report(self) -> None:
        """Uploads the counts of one tick, split as the sidecar was told."""
        self.seq += 1
        await self.here.control.UploadFrame(
            upload(self.counts(), self.seq, sidecar_id=self.sidecar.sidecar_id)
        )

    def counts(self) -> sketch_pb2.Evidence:
        """What the sidecar counted under the configuration it serves."""
        (rollout,) = self.sidecar.snapshots[-1].rollouts
        slots = {arm.index: sum(r.end - r.start for r in arm.ranges) for arm in rollout.arms}
        cells = {
            Key(
                rollout.id,
                arm,
                generation=rollout.analysis_generation,
                epoch=rollout.allocation_epoch,
            ): drawn(1000 * self.seq + arm, self.per_tick * owned // 1_000_000, self.rates[arm])
            for arm, owned in slots.items()
            if owned
        }
        return evidence(cells)

    async def until_ended(self, ticks: int = 60) -> admin_pb2.RolloutInfo:
        """Steps until the rollout has ended."""
        for _ in range(ticks):
            await self.step()
            info = await self.info()
            if info.state in {"promoted", "rolled_back", "aborted"}:
                return info
        raise AssertionError(f"still {info.state} after {ticks} ticks: {info.message}")

    async def info(self) -> admin_pb2.RolloutInfo:
        """The rollout as it stands."""
        request = admin_pb2.GetRolloutRequest(name=NAME)
        return (await self.here.admin.GetRollout(request)).rollout

    async def view(self) -> Mapping[str, object]:
        """The rollout's whole view."""
        return dict(orjson.loads((await self.info()).view_json))

    async def records(self) -> list[dict[str, object]]:
        """All decision records, oldest first."""
        found = (await self.here.admin.ListDecisions(admin_pb2.ListDecisionsRequest())).decisions
        records = []
        for decision in reversed(found):
            request = admin_pb2.GetDecisionRequest(id=decision.id)
            records.append(orjson.loads((await self.here.admin.GetDecision(request)).record_json))
        return records
