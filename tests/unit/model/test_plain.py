"""Laws of the mapping between the model and plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import Enum

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue
from pitcanary.model.json_types import JsonValue
from pitcanary.model.plain import canonical_bytes, from_plain, to_plain


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    wait: timedelta
    limit: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    count: int
    ratio: float
    on: bool
    at: datetime
    colour: Colour
    inner: Inner
    pair: tuple[int, str]
    many: tuple[Inner, ...] = ()
    table: dict[str, float] = field(default_factory=dict)
    maybe: int | None = None


instants = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(timezone.utc)
)
durations = st.timedeltas(timedelta(days=-1000), timedelta(days=1000))
texts = st.text(st.characters(codec="utf-8"), max_size=20)
inners = st.builds(Inner, durations, st.none() | durations)
outers = st.builds(
    Outer,
    name=texts,
    count=st.integers(-(2**63), 2**63 - 1),
    ratio=st.floats(allow_nan=False),
    on=st.booleans(),
    at=instants,
    colour=st.sampled_from(Colour),
    inner=inners,
    pair=st.tuples(st.integers(0, 9), texts),
    many=st.lists(inners, max_size=3).map(tuple),
    table=st.dictionaries(texts, st.floats(allow_nan=False), max_size=3),
    maybe=st.none() | st.integers(0, 9),
)

SAMPLE = Outer(
    name="a",
    count=1,
    ratio=0.5,
    on=True,
    at=datetime(2026, 11, 23, 14, 0, 0, 250, tzinfo=timezone.utc),
    colour=Colour.RED,
    inner=Inner(timedelta(seconds=1.5)),
    pair=(1, "x"),
)


@given(outers)
def test_what_is_written_is_read_again(value: Outer) -> None:
    data = canonical_bytes(to_plain(value))
    assert from_plain(Outer, orjson.loads(data)) == value


def test_units_and_instants_are_in_the_keys_and_values() -> None:
    plain = to_plain(SAMPLE)
    assert isinstance(plain, dict)
    assert plain["inner"] == {"wait_us": 1_500_000, "limit_us": None}
    assert plain["at"] == "2026-11-23T14:00:00.000250Z"
    assert plain["colour"] == "red"


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
def test_floats_that_json_lacks_are_words_not_null(odd: float) -> None:
    plain = to_plain(replace(SAMPLE, ratio=odd))
    assert isinstance(plain, dict)
    assert plain["ratio"] == str(odd)
    assert str(from_plain(Outer, plain).ratio) == str(odd)


def test_an_absent_key_takes_the_default() -> None:
    plain = to_plain(SAMPLE)
    assert isinstance(plain, dict)
    del plain["maybe"], plain["many"], plain["table"]
    assert from_plain(Outer, plain) == SAMPLE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"cuont": 1}, "did you mean `count`", id="an unknown key names the nearest"),
        pytest.param({"count": True}, "`Outer.count` must be int", id="a truth value is no number"),
        pytest.param({"count": 1.0}, "`Outer.count` must be int", id="a float is no integer"),
        pytest.param({"colour": "rde"}, "did you mean `red`", id="an unknown member"),
        pytest.param({"at": "2026-11-23T14:00:00"}, "time zone", id="an instant without zone"),
        pytest.param({"at": "soon"}, "an instant as", id="no instant"),
        pytest.param({"inner": {}}, "`Outer.inner` lacks `wait_us`", id="a missing key"),
        pytest.param({"pair": [1]}, "list of 2", id="a tuple of another length"),
        pytest.param({"many": {}}, "`Outer.many` must be list", id="an object for a list"),
        pytest.param({"table": []}, "`Outer.table` must be object", id="a list for an object"),
        pytest.param({"ratio": "fast"}, "`Outer.ratio` must be number", id="text for a number"),
        pytest.param({"on": 1}, "true or false", id="a number for a truth value"),
        pytest.param({"name": None}, "`Outer.name` must be text", id="null for text"),
    ],
)
def test_wrong_values_are_refused_with_their_place(
    change: dict[str, JsonValue], message: str
) -> None:
    plain = to_plain(SAMPLE)
    assert isinstance(plain, dict)
    with pytest.raises(InvalidValue, match=message):
        from_plain(Outer, plain | change)


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", Inner])
def test_what_has_no_plain_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidValue, match="no plain form"):
        to_plain(value)


def test_an_instant_without_zone_is_not_written() -> None:
    with pytest.raises(InvalidValue, match="time zone"):
        to_plain(datetime(2026, 11, 23))


@pytest.mark.parametrize("value", [2**64, "\ud800"])
def test_what_json_cannot_carry_is_refused(value: JsonValue) -> None:
    with pytest.raises(InvalidValue, match="cannot be written"):
        canonical_bytes(value)
