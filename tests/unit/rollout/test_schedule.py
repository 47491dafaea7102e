"""Laws of the seal schedule."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.rollout.schedule import BASE_SEALS, MOST_SEALS, SealSchedule

NOW = datetime(2026, 11, 23, 14, tzinfo=timezone.utc)
ticks = st.timedeltas(timedelta(milliseconds=100), timedelta(minutes=5))
horizons = st.timedeltas(timedelta(minutes=1), timedelta(days=90))


def times(schedule: SealSchedule) -> list[timedelta]:
    """When the seals fall, from the stage's beginning, with traffic all the time."""
    at, all_times = timedelta(0), []
    for seals in range(MOST_SEALS):
        interval = schedule.interval(seals)
        assert interval is not None
        at += interval
        all_times.append(at)
    return all_times


@given(ticks, horizons)
def test_intervals_never_shrink_and_start_at_the_tick(tick: timedelta, end: timedelta) -> None:
    schedule = SealSchedule(tick, end)
    intervals = [schedule.interval(seals) for seals in range(MOST_SEALS)]
    assert all(interval == tick for interval in intervals[:BASE_SEALS])
    assert all(a <= b for a, b in itertools.pairwise(intervals) if a and b)


@given(ticks, horizons)
def test_the_last_seal_falls_at_the_horizon(tick: timedelta, end: timedelta) -> None:
    last = times(SealSchedule(tick, end))[-1]
    assert abs(last - max(end, MOST_SEALS * tick)) < timedelta(milliseconds=1)


@pytest.mark.parametrize("seals", [MOST_SEALS, MOST_SEALS + 1, 10_000])
def test_there_is_never_a_257th_seal(seals: int) -> None:
    schedule = SealSchedule(timedelta(seconds=15), timedelta(days=7))
    assert schedule.interval(seals) is None
    assert not schedule.is_due(seals, NOW, counted=True, now=NOW + timedelta(days=365))


@given(ticks, horizons, st.integers(0, MOST_SEALS - 1))
def test_a_seal_is_due_exactly_after_its_interval(
    tick: timedelta, end: timedelta, seals: int
) -> None:
    schedule = SealSchedule(tick, end)
    due = schedule.due_at(seals, NOW)
    assert due is not None
    just_before = due - timedelta(microseconds=1)
    assert schedule.is_due(seals, NOW, counted=True, now=due)
    assert not schedule.is_due(seals, NOW, counted=True, now=just_before)
    assert not schedule.is_due(seals, NOW, counted=False, now=due)


def test_the_default_rollout_looks_every_tick_for_half_an_hour() -> None:
    schedule = times(SealSchedule(timedelta(seconds=15), timedelta(days=7)))
    assert schedule[127] == timedelta(minutes=32)
    assert schedule[-1] - schedule[-2] < timedelta(hours=12)
