"""Dataclasses to plain JSON values and back, by their field types.

One mapping for the store, decision records and views, so that a new field cannot
be forgotten in one of them. It refuses what JSON cannot carry exactly, and it
writes no bytes except canonical ones. Reading what people write is `manifest`'s job.

Durations become integers named `…_us`, instants ISO 8601 in UTC with microseconds,
floats that JSON lacks the words `nan`, `inf` and `-inf`. How a type is written and
read is worked out once per type, because every look at a rollout reads it.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import orjson

from pitcanary.errors import InvalidValue
from pitcanary.model.json_types import JsonValue
from pitcanary.model.reading import MICROSECOND, Wrong, plain_key, reader

T = TypeVar("T")
Writer = Callable[..., JsonValue]


def canonical_bytes(value: JsonValue) -> bytes:
    """Writes the one JSON form that digests are taken of: sorted keys, no spaces.

    Raises:
        InvalidValue: For integers beyond 64 bits and text that is not Unicode.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"value cannot be written as JSON: {error}") from None


def to_plain(value: object) -> JsonValue:
    """Turns a dataclass, enum, instant, duration or collection into plain values.

    Raises:
        InvalidValue: For anything else.
    """
    return _writer(type(value))(value)


def from_plain(kind: type[T], value: object) -> T:
    """Builds a dataclass from what `to_plain` gave.

    Absent keys take the field's default, so records of an older release stay readable.

    Raises:
        InvalidValue: For an unknown key, a missing one or a value of another type.
    """
    try:
        return typing.cast("T", reader(kind)(value))
    except Wrong as wrong:
        raise InvalidValue(wrong.sentence(kind.__name__)) from None


def instant_text(value: datetime) -> str:
    """Writes an instant as `2026-11-23T14:00:00.000000Z`.

    Raises:
        InvalidValue: For an instant without time zone.
    """
    if value.tzinfo is None:
        raise InvalidValue("an instant needs a time zone; use `datetime.now(timezone.utc)`")
    utc = value.astimezone(timezone.utc)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _writer(kind: type) -> Writer:
    """How values of exactly this type are written."""
    found = _KNOWN.get(kind)
    if found is None:
        found = _KNOWN[kind] = _make(kind)
    return found


def _make(kind: type) -> Writer:
    for kinds, write in _WRITERS:
        if issubclass(kind, kinds):
            return write
    if dataclasses.is_dataclass(kind):
        return _dataclass_writer(kind)
    raise InvalidValue(f"a `{kind.__name__}` has no plain form")


def _dataclass_writer(kind: type) -> Writer:
    plan = [(plain_key(field), field.name) for field in dataclasses.fields(kind)]

    def write(value: object) -> JsonValue:
        return {key: to_plain(getattr(value, name)) for key, name in plan}

    return write


def _write_float(value: float) -> JsonValue:
    return value if math.isfinite(value) else str(value)


def _write_mapping(value: Mapping[object, object]) -> JsonValue:
    return {str(to_plain(key)): to_plain(item) for key, item in value.items()}


# Enums come first: one that is also a text must give its value.
_WRITERS: tuple[tuple[tuple[type, ...], Writer], ...] = (
    ((enum.Enum,), lambda value: to_plain(value.value)),
    ((type(None), bool, int, str), lambda value: value),
    ((float,), _write_float),
    ((datetime,), instant_text),
    ((timedelta,), lambda value: value // MICROSECOND),
    ((Mapping,), _write_mapping),
    ((list, tuple), lambda value: [to_plain(item) for item in value]),
)

_KNOWN: dict[type, Writer] = {}
