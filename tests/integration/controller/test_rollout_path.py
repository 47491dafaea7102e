"""The whole path: specification in, counts over ticks, decision, push, record."""

from __future__ import annotations

from itertools import pairwise

from pitcanary.v1 import admin_pb2
from tests.integration.controller.scenario import NAME, scenario


async def test_a_harmful_candidate_is_taken_back_and_the_fleet_serves_the_baseline() -> None:
    async with scenario(rates=(0.05, 0.4)) as rollout:
        await rollout.begin()
        (arm,) = [
            a for a in rollout.sidecar.snapshots[-1].rollouts[0].arms if a.name == "candidate"
        ]
        assert sum(r.end - r.start for r in arm.ranges) == 100_000
        info = await rollout.until_ended()
        assert info.state == "rolled_back"
        assert "`error` harmed" in info.message
        served = rollout.sidecar.snapshots[-1]
        assert served.rollouts[0].arms[1].withdrawn
        assert not served.rollouts[0].arms[1].ranges
        assert served.prompts[0].labels[0].rollout == 0
        last = (await rollout.records())[-1]
        assert last["action"] == "rollback"
        assert last["assessment"]["culprits"] == ["error"]  # type: ignore[index]
        assert last["actor"] == "controller"


async def test_a_good_candidate_is_promoted_and_the_label_moves() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        info = await rollout.until_ended()
        assert info.state == "promoted"
        served = rollout.sidecar.snapshots[-1]
        candidate = served.rollouts[0].arms[1].version
        assert [label.version for label in served.prompts[0].labels] == [candidate]
        actions = [record["action"] for record in await rollout.records()]
        assert [a for a in actions if a != "hold"] == ["start", "advance", "promote", "complete"]
        moved = next(r for r in await rollout.records() if r["action"] == "promote")
        assert (moved["label_from"], moved["label_to"]) == (1, 2)
        prompts = (await rollout.here.admin.ListPrompts(admin_pb2.ListPromptsRequest())).prompts
        assert prompts[0].labels[0].number == 2


async def test_every_record_names_the_one_before_and_holds_are_recorded_once() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.until_ended()
        records = await rollout.records()
        assert all(len(record["id"]) == 16 for record in records)  # type: ignore[arg-type]
        hashes = [record["previous_hash"] for record in records]
        assert len(set(hashes)) == len(hashes)
        reasons = [(record["action"], record["reason"]) for record in records]
        assert all(earlier != later for earlier, later in pairwise(reasons))


async def test_the_same_evidence_gives_the_same_records() -> None:
    async def play() -> list[str]:
        async with scenario(rates=(0.05, 0.2)) as rollout:
            await rollout.begin()
            await rollout.until_ended()
            return rollout.decisions

    first = await play()
    assert first == await play()
    assert len(first) >= 2


async def test_a_rollout_holds_its_label_until_it_ends() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        prompts = (await rollout.here.admin.ListPrompts(admin_pb2.ListPromptsRequest())).prompts
        assert prompts[0].labels[0].rollout == NAME
