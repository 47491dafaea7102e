"""Invariants of specifications, rollouts and allocations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import (
    LARGEST_SHARE,
    SLOT_COUNT,
    Allocation,
    SlotRange,
    complement,
    join,
)
from pitcanary.model.ids import check_digest, check_name, decision_id
from pitcanary.model.metric import Metric, MetricKind, MetricSource
from pitcanary.model.plain import canonical_bytes, from_plain, to_plain
from pitcanary.model.rollout import Rollout, RolloutState
from pitcanary.model.scope import Scope
from pitcanary.model.spec import Candidate, Policies, RolloutSpec, Stage

NOW = datetime(2026, 11, 23, 14, tzinfo=timezone.utc)
SPEC = RolloutSpec(
    name="support-reply-v42",
    prompt="support-reply",
    candidates=(Candidate(42),),
    stages=(Stage(10_000), Stage(50_000), Stage(SLOT_COUNT)),
    metrics=(Metric("error", MetricKind.RATE, MetricSource.ERROR),),
    baseline=41,
)


def test_a_rollout_survives_the_store() -> None:
    rollout = Rollout.of(SPEC, Scope(), number=7, baseline=41, salt="s", now=NOW)
    data = canonical_bytes(to_plain(rollout))
    assert from_plain(Rollout, orjson.loads(data)) == rollout


def test_an_applied_rollout_gives_the_candidate_nothing() -> None:
    rollout = Rollout.of(SPEC, Scope(), number=7, baseline=41, salt="s", now=NOW)
    assert rollout.state is RolloutState.PENDING
    assert rollout.candidate_share == 0
    assert rollout.allocation.ranges(0) == (SlotRange(0, SLOT_COUNT),)
    assert [(arm.index, arm.version) for arm in rollout.arms] == [(0, 41), (1, 42)]


def test_seals_count_outcomes_per_arm_and_in_total() -> None:
    rollout = Rollout.of(SPEC, Scope(), number=7, baseline=41, salt="s", now=NOW)
    assert rollout.counted((3, 0), NOW).outcomes == 3
    assert rollout.counted((3, 0), NOW).tick == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"stages": ()}, "needs a candidate", id="no stage"),
        pytest.param({"metrics": ()}, "needs a candidate", id="no metric"),
        pytest.param({"metrics": SPEC.metrics * 2}, "`error` is named twice", id="a metric twice"),
        pytest.param({"stages": (Stage(5), Stage(5))}, "must rise", id="an equal share"),
        pytest.param({"stages": (Stage(6), Stage(5))}, "must rise", id="a falling share"),
        pytest.param({"baseline": 42}, "different versions", id="the candidate is the baseline"),
        pytest.param(
            {"candidates": (Candidate(1), Candidate(2))}, "named twice", id="an arm twice"
        ),
        pytest.param({"candidates": (Candidate(1, "baseline"),)}, "named twice", id="a false name"),
        pytest.param({"name": "a b"}, "is not a name", id="a space in a name"),
    ],
)
def test_a_contradictory_specification_cannot_be_built(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        replace(SPEC, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Stage(0), id="a share of nothing"),
        pytest.param(lambda: Stage(SLOT_COUNT + 1), id="more than everything"),
        pytest.param(lambda: Stage(1, timedelta(seconds=-1)), id="a negative time"),
        pytest.param(lambda: Policies(alpha=0.5), id="an alpha of a half"),
        pytest.param(lambda: Policies(tick=timedelta(0)), id="a tick of nothing"),
        pytest.param(lambda: Policies(min_coverage=1.1), id="more than full coverage"),
        pytest.param(lambda: Candidate(0), id="version 0"),
        pytest.param(lambda: SlotRange(5, 5), id="an empty range"),
        pytest.param(lambda: SlotRange(0, SLOT_COUNT + 1), id="a range beyond the ring"),
        pytest.param(lambda: Allocation(((SlotRange(0, 9),), (SlotRange(8, 10),))), id="overlap"),
        pytest.param(lambda: Allocation(((SlotRange(0, LARGEST_SHARE + 1),),)), id="hold-back"),
        pytest.param(lambda: Scope("a b"), id="a space in a namespace"),
        pytest.param(lambda: check_digest("sha256:ABC"), id="no digest"),
        pytest.param(lambda: check_name("prompt", "x" * 101), id="a long name"),
        pytest.param(lambda: check_name("prompt", "-x"), id="a name that starts with a dash"),
    ],
)
def test_values_outside_their_bounds_cannot_be_built(build: object) -> None:
    assert callable(build)
    with pytest.raises(InvalidValue):
        build()


def test_a_full_share_leaves_the_hold_back() -> None:
    assert Stage(SLOT_COUNT).owned_slots == LARGEST_SHARE
    assert Stage(10_000).owned_slots == 10_000


@given(st.sets(st.integers(0, 200), max_size=20))
def test_complement_and_ranges_cut_the_ring(slots: set[int]) -> None:
    taken = [SlotRange(slot, slot + 1) for slot in sorted(slots, reverse=True)]
    free = complement(taken, end=150)
    covered = {slot for item in free for slot in range(item.start, item.end)}
    assert covered == set(range(150)) - slots
    assert {s for item in join(tuple(taken)) for s in range(item.start, item.end)} == slots


def test_a_decision_is_named_by_what_it_made() -> None:
    assert decision_id(12, 7) == "12-7"
    assert check_digest("sha256:" + "0" * 64)
