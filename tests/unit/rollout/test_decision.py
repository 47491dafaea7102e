"""The decision record: whole, canonical, and readable again."""

from __future__ import annotations

import orjson

from pitcanary.model.action import Event
from pitcanary.model.decision import ConfigVersion, Decision, Replay, Standing
from pitcanary.model.ids import decision_id
from pitcanary.model.plain import canonical_bytes, from_plain, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.gate import decide
from tests.unit.rollout.cases import HEALTHY, NOW, after, evidence, ready


def standing(rollout: Rollout) -> Standing:
    return Standing(
        rollout.state,
        rollout.stage.index + 1 if rollout.stage else 0,
        rollout.allocation,
        rollout.allocation_epoch,
        rollout.revision,
    )


def record() -> Decision:
    before, found = ready(), evidence(refusal=Verdict.REGRESSED)
    ruling = decide(before, found, HEALTHY, NOW)
    following = after(before, ruling.event)
    return Decision(
        id=decision_id(following.id, following.revision),
        previous_hash="sha256:" + "0" * 64,
        scope=following.scope,
        rollout=following.spec.name,
        rollout_id=following.id,
        prompt=following.spec.prompt,
        decided_at=NOW,
        tick=following.tick,
        action=ruling.event.action,
        reason=ruling.reason,
        rule=ruling.rule,
        actor="controller",
        before=standing(before),
        after=standing(following),
        analysis_generation=following.analysis_generation,
        shares_set=(1.0, 0.0),
        shares_actual=(0.99, None),
        metrics=ruling.metrics,
        assessment=found,
        health=HEALTHY,
        config_version=ConfigVersion(1, 12),
        acknowledged=9,
        behind=("pod-3",),
        replay=Replay("0.1.0", "sha256:a", "sha256:b", "sha256:c", ("sha256:d",)),
    )


def test_a_record_reads_back_whole() -> None:
    decision = record()
    data = canonical_bytes(to_plain(decision))
    assert from_plain(Decision, orjson.loads(data)) == decision
    assert canonical_bytes(orjson.loads(data)) == data


def test_a_record_says_in_plain_words_what_was_done() -> None:
    plain = to_plain(record())
    assert isinstance(plain, dict)
    assert plain["action"] == "rollback"
    assert plain["reason"] == "REGRESSED"
    assert "`refusal` harmed" in str(plain["rule"])
    assert plain["after"] == {
        "state": "rolled_back",
        "stage": 1,
        "allocation": {"candidates": [[]], "hold_back": True},
        "allocation_epoch": 3,
        "revision": 3,
    }
    assert plain["health"]["evidence_age_us"] == 5_000_000


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert canonical_bytes(to_plain(record())) == canonical_bytes(to_plain(record()))


def test_every_action_has_a_word() -> None:
    assert {event.action.value for event in Event} >= {"advance", "hold", "pause", "rollback"}
