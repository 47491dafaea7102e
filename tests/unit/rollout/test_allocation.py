"""Laws of slots: exact, disjoint, sticky, last in first out, for any number of arms."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import HOLD_BACK_SLOTS, LARGEST_SHARE, SLOT_COUNT, Allocation
from pitcanary.rollout.allocation import release, resize, split_evenly, withdraw

EMPTY = Allocation(((), (), ()))


def owned(allocation: Allocation, arm: int) -> set[int]:
    return {slot for item in allocation.ranges(arm) for slot in range(item.start, item.end)}


@st.composite
def targets(draw: st.DrawFn) -> tuple[int, int, int]:
    """Targets of three arms that fit on the ring; small steps are as likely as large ones."""
    size = st.integers(0, 40) | st.integers(0, LARGEST_SHARE // 3)
    return draw(size), draw(size), draw(size)


histories = st.lists(targets(), min_size=1, max_size=12)


def replay(history: list[tuple[int, int, int]]) -> list[Allocation]:
    steps = [EMPTY]
    for target in history:
        steps.append(resize(steps[-1], target))
    return steps


@given(histories)
def test_shares_are_exact_to_a_slot_and_never_touch_the_hold_back(
    history: list[tuple[int, int, int]],
) -> None:
    for target, allocation in zip(history, replay(history)[1:], strict=True):
        assert tuple(allocation.slots(arm) for arm in (1, 2, 3)) == target
        assert allocation.slots(0) == SLOT_COUNT - sum(target)
        ends = [item.end for arm in (1, 2, 3) for item in allocation.ranges(arm)]
        assert max(ends, default=0) <= LARGEST_SHARE


@given(histories)
def test_all_arms_together_are_the_ring(history: list[tuple[int, int, int]]) -> None:
    allocation = replay(history)[-1]
    pieces = sorted(item for arm in range(4) for item in allocation.ranges(arm))
    assert pieces[0].start == 0
    assert pieces[-1].end == SLOT_COUNT
    assert all(a.end == b.start for a, b in itertools.pairwise(pieces))


small_histories = st.lists(
    st.tuples(*[st.integers(0, 30)] * 3), min_size=1, max_size=12
)  # small rings are compared slot by slot


@given(small_histories)
def test_nobody_else_moves(history: list[tuple[int, int, int]]) -> None:
    steps = replay(history)
    for before, after, target in zip(steps, steps[1:], history, strict=False):
        for arm in (1, 2, 3):
            kept = owned(before, arm) & owned(after, arm)
            assert len(kept) == min(before.slots(arm), target[arm - 1])


@given(small_histories)
def test_no_unit_goes_from_one_candidate_to_another_while_slots_are_free(
    history: list[tuple[int, int, int]],
) -> None:
    steps = replay(history)
    for before, after in itertools.pairwise(steps):
        for arm in (1, 2, 3):
            others = {slot for other in (1, 2, 3) if other != arm for slot in owned(before, other)}
            assert not owned(after, arm) & others


@given(st.lists(st.integers(0, 60), min_size=2, max_size=10))
def test_what_is_given_back_was_taken_last(sizes: list[int]) -> None:
    allocation, taken = Allocation(((),)), list[set[int]]()
    for size in sorted(sizes):
        grown = resize(allocation, (size,))
        taken.append(owned(grown, 1) - owned(allocation, 1))
        allocation = grown
    for size in sorted(sizes, reverse=True):
        shrunk = resize(allocation, (size,))
        given = owned(allocation, 1) - owned(shrunk, 1)
        while given:
            last = taken.pop()
            assert last <= given
            given -= last
        allocation = shrunk


@given(st.lists(st.integers(1, LARGEST_SHARE), min_size=2, max_size=8))
def test_a_unit_keeps_the_candidate_while_the_share_grows(sizes: list[int]) -> None:
    allocation = Allocation(((),))
    for size in sorted(sizes):
        before, allocation = allocation, resize(allocation, (size,))
        assert all(
            any(new.start <= old.start and old.end <= new.end for new in allocation.ranges(1))
            for old in before.ranges(1)
        )


@given(histories)
def test_withdrawing_leaves_everything_to_the_baseline(
    history: list[tuple[int, int, int]],
) -> None:
    allocation = withdraw(replay(history)[-1])
    assert allocation.slots(0) == SLOT_COUNT
    assert allocation.hold_back


@given(histories, st.integers(1, 3))
def test_releasing_gives_one_arm_the_whole_ring(
    history: list[tuple[int, int, int]], arm: int
) -> None:
    allocation = release(replay(history)[-1], arm)
    assert allocation.slots(arm) == SLOT_COUNT
    assert allocation.slots(0) == 0
    assert not allocation.hold_back


@given(st.integers(0, LARGEST_SHARE), st.integers(0, 1000), st.integers(1, 9))
def test_an_even_split_is_exact_and_no_part_shrinks(slots: int, more: int, arms: int) -> None:
    small, large = split_evenly(slots, arms), split_evenly(slots + more, arms)
    assert sum(small) == slots
    assert max(small) - min(small) <= 1
    assert all(a <= b for a, b in zip(small, large, strict=True))


def test_a_full_ramp_of_one_candidate() -> None:
    allocation = Allocation(((),))
    for slots in (10_000, 50_000, 250_000, 500_000, LARGEST_SHARE):
        allocation = resize(allocation, (slots,))
        assert [(item.start, item.end) for item in allocation.ranges(1)] == [(0, slots)]
    assert allocation.slots(0) == HOLD_BACK_SLOTS


@pytest.mark.parametrize("wrong", [(1, 2), (-1, 0, 0), (LARGEST_SHARE, 1, 0)])
def test_what_does_not_fit_is_refused(wrong: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue):
        resize(EMPTY, wrong)
