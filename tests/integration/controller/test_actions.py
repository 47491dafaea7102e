"""What people do to a rollout, and what they are refused."""

from __future__ import annotations

from datetime import timedelta

import grpc
import orjson
import pytest

from pitcanary.v1 import admin_pb2
from pitcanary.v1.admin_pb2 import (
    ROLLOUT_ACTION_ABORT,
    ROLLOUT_ACTION_PAUSE,
    ROLLOUT_ACTION_PROMOTE,
    ROLLOUT_ACTION_RESUME,
)
from tests.integration.controller.scenario import NAME, Scenario, scenario, spec


async def refusal(rollout: Scenario, **changes: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await rollout.apply(**changes)
    return refused.value


async def test_abort_takes_the_candidate_back_at_once_whatever_the_revision() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        answer = await rollout.act(ROLLOUT_ACTION_ABORT, expected_revision=99, reason="bad tone")
        assert (answer.rollout.state, answer.rollout.share_set) == ("aborted", 0.0)
        await rollout.here.settled()
        assert rollout.sidecar.snapshots[-1].rollouts[0].arms[1].withdrawn
        (record,) = [r for r in await rollout.records() if r["id"] == answer.decision_id]
        assert (record["action"], record["actor"], record["note"]) == ("abort", "ann", "bad tone")


async def test_abort_with_nothing_running_changes_nothing() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        first = await rollout.act(ROLLOUT_ACTION_ABORT)
        second = await rollout.act(ROLLOUT_ACTION_ABORT)
        assert second.decision_id == ""
        assert second.rollout.revision == first.rollout.revision


async def test_abort_works_before_the_start_while_paused_and_during_promotion() -> None:
    for before in (None, ROLLOUT_ACTION_PAUSE, ROLLOUT_ACTION_PROMOTE):
        async with scenario() as rollout:
            await rollout.begin()
            if before is not None:
                await rollout.act(before)
            answer = await rollout.act(ROLLOUT_ACTION_ABORT)
            assert answer.rollout.state == "aborted"
            await rollout.here.settled()
            served = rollout.sidecar.snapshots[-1]
            baseline = served.rollouts[0].arms[0].version
            assert [label.version for label in served.prompts[0].labels] == [baseline]


async def test_a_paused_rollout_keeps_its_share_and_still_rolls_back() -> None:
    async with scenario(rates=(0.05, 0.4)) as rollout:
        await rollout.begin()
        paused = await rollout.act(ROLLOUT_ACTION_PAUSE, reason="lunch")
        assert (paused.rollout.state, paused.rollout.share_set) == ("paused", 0.1)
        assert (await rollout.until_ended()).state == "rolled_back"


async def test_a_paused_rollout_never_advances_until_a_person_resumes() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.act(ROLLOUT_ACTION_PAUSE)
        for _ in range(5):
            await rollout.step()
        assert (await rollout.info()).stage == 1
        await rollout.act(ROLLOUT_ACTION_RESUME)
        assert (await rollout.until_ended()).state == "promoted"


async def test_promotion_by_override_says_so_in_the_record() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        answer = await rollout.act(ROLLOUT_ACTION_PROMOTE, reason="incident")
        assert (answer.rollout.state, answer.rollout.share_set) == ("promoting", 1.0)
        await rollout.here.settled()
        rollout.here.clock.move(timedelta(seconds=1))
        await rollout.tick()
        assert (await rollout.info()).state == "promoted"
        override = next(r for r in await rollout.records() if r["action"] == "promote")
        assert (override["override"], override["note"]) == (True, "incident")


async def test_a_stale_revision_is_refused_for_all_but_abort() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rollout.act(ROLLOUT_ACTION_PAUSE, expected_revision=1)
        assert refused.value.code() is grpc.StatusCode.ABORTED


async def test_what_the_state_forbids_is_refused_with_what_to_do() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.act(ROLLOUT_ACTION_ABORT)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rollout.act(ROLLOUT_ACTION_RESUME)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "apply a new rollout" in (refused.value.details() or "")


async def test_a_repeated_action_answers_with_the_first_decision() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        first = await rollout.act(ROLLOUT_ACTION_ABORT, idempotency_key="k1")
        second = await rollout.act(ROLLOUT_ACTION_ABORT, idempotency_key="k1")
        assert first == second
        assert first.decision_id


async def test_a_held_label_cannot_be_moved_by_hand() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        request = admin_pb2.MoveLabelRequest(prompt="greeting", label="production", number=2)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rollout.here.admin.MoveLabel(request)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert f"held by rollout `{NAME}`" in (refused.value.details() or "")


async def test_a_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    async with scenario() as rollout:
        await rollout.here.push("greeting", "Hello", "production")
        await rollout.here.push("greeting", "Good day")
        request = admin_pb2.ApplyRolloutRequest(
            spec_json=orjson.dumps(spec()).decode(), dry_run=True
        )
        answer = await rollout.here.admin.ApplyRollout(request)
        assert f"create rollout `{NAME}`" in answer.changes
        assert "stages 10% → 50%" in answer.changes
        listed = await rollout.here.admin.ListRollouts(admin_pb2.ListRolloutsRequest())
        assert not listed.rollouts


async def test_applying_the_same_again_changes_nothing() -> None:
    async with scenario() as rollout:
        first = await rollout.begin()
        again = await rollout.apply()
        assert not again.changes
        assert again.rollout.created_at == first.rollout.created_at


async def test_an_edit_is_told_in_words_and_takes_effect() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        edited = await rollout.apply(policies={"tick": "15s", "alpha": 0.01})
        assert edited.changes == ["`policies.alpha`: 0.05 → 0.01"]
        assert (await rollout.until_ended()).state == "promoted"


async def test_new_metrics_start_a_new_analysis_without_the_old_evidence() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.step()
        await rollout.apply(metrics=["error", "refusal"])
        await rollout.here.settled()
        served = rollout.sidecar.snapshots[-1].rollouts[0]
        assert (served.analysis_generation, len(served.metrics)) == (2, 2)
        view = await rollout.view()
        assert [row["verdict"] for row in view["metrics"]] == ["insufficient_data"] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param(
            {"metrics": ["eror"]}, grpc.StatusCode.INVALID_ARGUMENT, "did you mean `error`?",
            id="an unknown metric name",
        ),
        pytest.param(
            {"candidate": {"version": 9}}, grpc.StatusCode.NOT_FOUND, "no version `9`",
            id="a version that does not exist",
        ),
        pytest.param(
            {"prompt": "greting"}, grpc.StatusCode.NOT_FOUND, "did you mean `greeting`?",
            id="a prompt that does not exist",
        ),
        pytest.param(
            {"label": "staging"}, grpc.StatusCode.NOT_FOUND, "points nowhere",
            id="a label that points nowhere",
        ),
        pytest.param(
            {"baseline": {"version": 3}}, grpc.StatusCode.FAILED_PRECONDITION,
            "points at version `1`", id="a baseline that users do not get",
        ),
        pytest.param(
            {"eligible": "staff"}, grpc.StatusCode.NOT_FOUND, "segment `staff`",
            id="a segment that is not defined",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_specification_is_refused_whole(
    changes: dict[str, object], code: grpc.StatusCode, words: str
) -> None:
    async with scenario() as rollout:
        for text in ("Hello", "Good day", "Hi"):
            await rollout.here.push("greeting", text, "production")
        error = await refusal(rollout, **changes)
        assert error.code() is code
        assert words in (error.details() or "")
        listed = await rollout.here.admin.ListRollouts(admin_pb2.ListRolloutsRequest())
        assert not listed.rollouts


async def test_what_has_happened_cannot_be_edited_away() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        await rollout.here.push("greeting", "Hi")
        error = await refusal(rollout, candidate={"version": 3})
        assert "cannot change its `candidates`" in (error.details() or "")
        error = await refusal(rollout, stages=[{"share": "20%"}, {"share": "50%"}])
        assert "opened `1` of its stages" in (error.details() or "")


async def test_a_second_rollout_on_the_same_label_is_refused() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        error = await refusal(rollout, name="another")
        assert error.code() is grpc.StatusCode.ABORTED


async def test_watching_shows_the_rollout_now_and_after_every_change_to_its_end() -> None:
    async with scenario() as rollout:
        await rollout.begin()
        states: list[str] = []
        actions = [ROLLOUT_ACTION_PAUSE, ROLLOUT_ACTION_ABORT]
        async for seen in rollout.here.admin.WatchRollout(admin_pb2.WatchRolloutRequest(name=NAME)):
            states.append(seen.rollout.state)
            if actions:
                await rollout.act(actions.pop(0))
        assert states == ["progressing", "paused", "aborted"]


async def test_every_call_of_the_contract_is_served() -> None:
    from pitcanary.controller.admin.service import CALLS  # noqa: PLC0415 - beside its only use

    methods = {m.name for m in admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods}
    assert methods == {*CALLS, "WatchRollout"}
