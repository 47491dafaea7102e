"""Restarts, replicas, silent fleets: the same decisions, none twice, none missed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson

from pitcanary.config import Webhook
from pitcanary.v1 import admin_pb2, control_pb2
from tests.integration.controller.harness import FakeSidecar, SteppedClock, running, store_file
from tests.integration.controller.scenario import TICK, Scenario, scenario
from tests.integration.controller.test_webhook import receiver
from tests.postgresql import PostgresqlServer


async def test_a_restart_in_the_middle_goes_on_where_it_was_and_decides_the_same(
    tmp_path: Path,
) -> None:
    async with scenario() as straight:
        await straight.begin()
        assert (await straight.until_ended()).state == "promoted"

    clock = SteppedClock()
    address = store_file(tmp_path)
    async with scenario(address, clock=clock) as first:
        await first.begin()
        await first.step()
        decided, seq = list(first.decisions), first.seq
        stage = (await first.info()).stage
    async with scenario(address, clock=clock) as second:
        second.seq, second.decisions = seq, decided
        assert (await second.info()).stage == stage
        assert (await second.until_ended()).state == "promoted"
        assert second.decisions == straight.decisions


async def test_evidence_sent_twice_decides_like_evidence_sent_once() -> None:
    async def play(copies: int) -> list[str]:
        async with scenario(rates=(0.05, 0.2)) as rollout:
            await rollout.begin()
            while (await rollout.info()).state == "progressing":
                rollout.here.clock.move(TICK)
                await rollout.report()
                for _ in range(copies):
                    rollout.seq -= 1
                    await rollout.report()
                await rollout.tick()
            return rollout.decisions

    assert await play(copies=0) == await play(copies=2)


async def test_two_replicas_on_postgresql_never_decide_twice(
    postgresql_server: PostgresqlServer, postgresql_database: str
) -> None:
    address = postgresql_server.address(postgresql_database)
    clock = SteppedClock()
    async with (
        running(address, clock=clock, name="one") as one,
        running(address, clock=clock, name="two") as two,
        FakeSidecar(one.control).connected() as sidecar,
    ):
        await sidecar.until(0)
        rollout = Scenario(one, sidecar, (0.05, 0.4))
        await rollout.begin()
        for _ in range(4):
            clock.move(TICK)
            await rollout.report()
            await asyncio.gather(*(r.replay.Tick(control_pb2.TickRequest()) for r in (one, two)))
        records = await rollout.records()
        assert [record["action"] for record in records if record["action"] != "hold"] == [
            "start", "rollback",
        ]  # fmt: skip
        revisions = [record["after"]["revision"] for record in records]  # type: ignore[index]
        assert len(set(revisions)) == len(revisions)
        assert (await rollout.info()).state == "rolled_back"


async def test_a_change_through_one_replica_reaches_the_sidecars_of_the_other(
    postgresql_server: PostgresqlServer, postgresql_database: str
) -> None:
    address = postgresql_server.address(postgresql_database)
    async with (
        running(address, name="one") as one,
        running(address, name="two") as two,
        FakeSidecar(two.control).connected() as sidecar,
    ):
        before = await sidecar.until(0)
        await one.push("greeting", "Hello", "production")
        after = await sidecar.until(before.config_version.revision + 1)
        assert after.prompts[0].name == "greeting"


async def test_a_replica_that_stops_hands_the_lead_over(
    postgresql_server: PostgresqlServer, postgresql_database: str
) -> None:
    address = postgresql_server.address(postgresql_database)
    async with running(address, name="two") as two:
        async with running(address, name="one") as one:
            led = [await r.controller.leadership.hold() for r in (one, two)]
            assert [lease is not None for lease in led].count(True) == 1
        lease = await two.controller.leadership.hold()
        assert lease is not None
        assert lease.fence >= max(item.fence for item in led if item is not None)


async def test_two_sidecars_that_trip_take_the_candidate_back_in_the_whole_fleet() -> None:
    async with (
        scenario() as rollout,
        FakeSidecar(rollout.here.control, sidecar_id="sidecar-2").connected() as other,
    ):
        await other.until(0)
        await rollout.begin()
        await rollout.sidecar.trip()
        await rollout.here.tripped(1)
        await rollout.step()
        info = await rollout.info()
        assert (info.state, info.share_set) == ("progressing", 0.1)
        await other.trip()
        await rollout.here.tripped(2)
        await rollout.tick()
        last = (await rollout.records())[-1]
        assert (last["action"], last["reason"]) == ("rollback", "BREAKER")


async def test_a_trip_of_an_epoch_that_is_over_counts_for_nothing() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.sidecar.trip(epoch=1)
        await rollout.step()
        assert (await rollout.info()).state == "progressing"


async def test_without_reporting_sidecars_a_share_never_rises() -> None:
    clock = SteppedClock()
    async with running(clock=clock) as here:
        sidecar = FakeSidecar(here.control)
        rollout = Scenario(here, sidecar)
        async with sidecar.connected():
            await sidecar.until(0)
            await rollout.begin()
        while here.controller.hub.environments():
            await here.controller.hub.changed()
        for _ in range(8):
            await rollout.step()
        info = await rollout.info()
        assert (info.state, info.stage) == ("progressing", 1)
        assert (await rollout.view())["reason"] == "COVERAGE"


async def test_without_counts_a_rollout_holds_and_then_pauses_but_never_advances() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        for _ in range(4):
            rollout.here.clock.move(timedelta(hours=12))
            await rollout.tick()
        info = await rollout.info()
        assert (info.state, info.share_set) == ("paused", 0.1)
        assert [record["action"] for record in await rollout.records()][-1] == "pause"


async def test_a_rollback_is_told_to_the_webhook_with_its_record() -> None:
    with receiver() as hook:
        async with scenario(rates=(0.05, 0.4), webhook=Webhook(hook.url)) as rollout:
            await rollout.begin()
            await rollout.until_ended()
            await hook.until(1)
            last = (await rollout.records())[-1]
    ((headers, body),) = hook.requests
    assert headers["ce-type"] == "dev.cdeventsx.pitcanary-promptrollout.rolledback.0.1.0"
    assert headers["ce-id"] == last["id"]
    told = orjson.loads(body)
    assert told["customData"] == last
    assert told["subject"]["content"]["candidate"] == 2


async def test_the_figures_of_a_rollout_are_on_metrics() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.step()
        address = rollout.here.listening.metrics
        reader, writer = await asyncio.open_connection(*(address or "").split(":"))
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
    assert (
        'pitcanary_decisions_total{decision="start",prompt="greeting",reason="STARTED"} 1.0' in text
    )
    assert "pitcanary_rollout_step{" in text
    for name in ("metric_delta", "metric_delta_ci", "metric_samples", "metric_verdict"):
        assert f"pitcanary_{name}{{" in text


async def test_a_decision_list_is_newest_first_and_limited() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.until_ended()
        request = admin_pb2.ListDecisionsRequest(limit=2)
        decisions = (await rollout.here.admin.ListDecisions(request)).decisions
        assert [decision.action for decision in decisions] == ["complete", "promote"]
