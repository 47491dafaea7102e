"""Durations and shares as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.quantity import format_duration, format_share, parse_duration, parse_share


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(1, SLOT_COUNT))
def test_a_written_share_reads_back(slots: int) -> None:
    assert parse_share(format_share(slots)) == slots


@given(st.integers(1, SLOT_COUNT))
def test_a_fraction_is_exact_although_floats_are_not(slots: int) -> None:
    assert parse_share(slots / SLOT_COUNT) == slots


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("1.5s", 1.5), ("250ms", 0.25), ("7d", 604800), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "m", "10 m", "10x", "-5m", "1h30", "4000d", "1.5us", "1e3s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_duration(text)


@pytest.mark.parametrize(
    "value", ["0%", 0, -0.1, "101%", 1.5, "x", "", "%", "nan", "inf", "0.00001%"]
)
def test_what_is_no_share_is_refused(value: str | float) -> None:
    with pytest.raises(InvalidValue):
        parse_share(value)


def test_a_negative_duration_is_written_with_its_sign() -> None:
    assert format_duration(timedelta(seconds=-90)) == "-1m30s"
