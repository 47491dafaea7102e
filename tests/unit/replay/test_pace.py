from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from pitcanary.replay.pace import EvenArrivals, RecordedArrivals

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_even_arrivals_count_up() -> None:
    arrivals = EvenArrivals(START, per_second=2.0)
    assert [arrivals.until(START + timedelta(seconds=s)) for s in (-1, 0, 0.5, 10)] == [0, 0, 1, 20]


def test_recorded_arrivals_start_over() -> None:
    times = [START + timedelta(seconds=s) for s in (0, 1, 4)]
    arrivals = RecordedArrivals(times)
    # The span is 4 s and the mean gap 2 s, so the second round starts at 6 s.
    assert [arrivals.until(START + timedelta(seconds=s)) for s in (0, 1, 3, 4, 6, 7, 12)] == [
        1, 2, 2, 3, 4, 5, 7,
    ]  # fmt: skip


@given(
    seconds=st.lists(st.integers(0, 1_000), min_size=1, max_size=20),
    moments=st.lists(st.integers(-10, 5_000), min_size=2, max_size=10),
)
def test_later_never_means_fewer(seconds: list[int], moments: list[int]) -> None:
    times = sorted(START + timedelta(seconds=s) for s in seconds)
    arrivals = RecordedArrivals(times)
    counts = [arrivals.until(START + timedelta(seconds=s)) for s in sorted(moments)]
    assert counts == sorted(counts)
