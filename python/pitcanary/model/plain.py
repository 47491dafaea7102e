"""Dataclasses to plain JSON values and back, by their field types.

One mapping for the store, decision records and views, so that a new field cannot
be forgotten in one of them. It refuses what JSON cannot carry exactly, and it
writes no bytes except canonical ones. Reading what people write is `manifest`'s job.

Durations become integers named `…_us`, instants ISO 8601 in UTC with microseconds,
floats that JSON lacks the words `nan`, `inf` and `-inf`.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TypeVar, Union

import orjson

from pitcanary.errors import InvalidValue, nearest
from pitcanary.model.json_types import JsonValue

T = TypeVar("T")

MICROSECOND = timedelta(microseconds=1)
_ODD_FLOATS = ("nan", "inf", "-inf")


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
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_key(field): to_plain(getattr(value, field.name)) for field in _fields(type(value))}
    raise InvalidValue(f"a `{type(value).__name__}` has no plain form")


def from_plain(kind: type[T], value: object) -> T:
    """Builds a dataclass from what `to_plain` gave.

    Absent keys take the field's default, so records of an older release stay readable.

    Raises:
        InvalidValue: For an unknown key, a missing one or a value of another type.
    """
    return typing.cast("T", _read(kind, value, kind.__name__))


def instant_text(value: datetime) -> str:
    """Writes an instant as `2026-11-23T14:00:00.000000Z`.

    Raises:
        InvalidValue: For an instant without time zone.
    """
    if value.tzinfo is None:
        raise InvalidValue("an instant needs a time zone; use `datetime.now(timezone.utc)`")
    utc = value.astimezone(timezone.utc)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


@lru_cache(maxsize=256)
def _fields(kind: type) -> tuple[dataclasses.Field[object], ...]:
    return dataclasses.fields(kind)


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, object]:
    return typing.get_type_hints(kind)


def _key(field: dataclasses.Field[object]) -> str:
    declared = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    return f"{field.name}_us" if declared.split(" |")[0] == "timedelta" else field.name


def _read(kind: object, value: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(typing.get_args(kind), value, where)
    if origin is tuple:
        return _read_tuple(typing.get_args(kind), value, where)
    if origin in (dict, Mapping):
        return _read_mapping(typing.get_args(kind), value, where)
    if not isinstance(kind, type):
        raise InvalidValue(f"`{where}` has a type that cannot be read")
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if issubclass(kind, enum.Enum):
        return _read_enum(kind, value, where)
    return _SCALARS[kind](value, where) if kind in _SCALARS else _wrong(kind.__name__, where)


def _read_union(options: tuple[object, ...], value: object, where: str) -> object:
    if value is None and type(None) in options:
        return None
    (kind,) = (option for option in options if option is not type(None))
    return _read(kind, value, where)


def _read_tuple(items: tuple[object, ...], value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)):
        return _wrong("list", where)
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_read(items[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(items) != len(value):
        return _wrong(f"list of {len(items)}", where)
    pairs = zip(items, value, strict=True)
    return tuple(_read(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _read_mapping(kinds: tuple[object, ...], value: object, where: str) -> dict[object, object]:
    if not isinstance(value, Mapping):
        return _wrong("object", where)
    key_kind, item_kind = kinds
    parse = int if key_kind is int else str
    return {parse(key): _read(item_kind, item, f"{where}.{key}") for key, item in value.items()}


def _read_dataclass(kind: type, value: object, where: str) -> object:
    if not isinstance(value, Mapping):
        return _wrong("object", where)
    names = {_key(field): field for field in _fields(kind) if field.init}
    for key in value:
        if key not in names:
            raise InvalidValue(f"unknown key `{key}` in `{where}`{nearest(str(key), names)}")
    hints = _hints(kind)
    present = {
        field.name: _read(hints[field.name], value[key], f"{where}.{key}")
        for key, field in names.items()
        if key in value
    }
    _require(names.values(), present, where)
    return kind(**present)


def _require(
    fields: Iterable[dataclasses.Field[object]], present: Mapping[str, object], where: str
) -> None:
    for field in fields:
        optional = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if field.name not in present and not optional:
            raise InvalidValue(f"`{where}` lacks `{_key(field)}`")


def _read_enum(kind: type[enum.Enum], value: object, where: str) -> enum.Enum:
    try:
        return kind(value)
    except ValueError:
        known = nearest(str(value), [str(member.value) for member in kind])
        raise InvalidValue(f"`{where}` cannot be `{value}`{known}") from None


def _read_float(value: object, where: str) -> float:
    if isinstance(value, str) and value in _ODD_FLOATS:
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return _wrong("number", where)


def _read_int(value: object, where: str) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else _wrong("int", where)


def _read_bool(value: object, where: str) -> bool:
    return value if isinstance(value, bool) else _wrong("true or false", where)


def _read_text(value: object, where: str) -> str:
    return value if isinstance(value, str) else _wrong("text", where)


def _read_instant(value: object, where: str) -> datetime:
    text = _read_text(value, where)
    try:
        instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return _wrong("an instant as `2026-11-23T14:00:00.000000Z`", where)
    return instant if instant.tzinfo else _wrong("an instant with time zone", where)


def _read_duration(value: object, where: str) -> timedelta:
    return _read_int(value, where) * MICROSECOND


def _wrong(expected: str, where: str) -> typing.NoReturn:
    raise InvalidValue(f"`{where}` must be {expected}")


def _write_float(value: float) -> JsonValue:
    return value if math.isfinite(value) else str(value)


def _write_mapping(value: Mapping[object, object]) -> JsonValue:
    return {str(to_plain(key)): to_plain(item) for key, item in value.items()}


# Enums come first: one that is also a text must give its value.
_WRITERS: tuple[tuple[tuple[type, ...], Callable[..., JsonValue]], ...] = (
    ((enum.Enum,), lambda value: to_plain(value.value)),
    ((type(None), bool, int, str), lambda value: value),
    ((float,), _write_float),
    ((datetime,), instant_text),
    ((timedelta,), lambda value: value // MICROSECOND),
    ((Mapping,), _write_mapping),
    ((list, tuple), lambda value: [to_plain(item) for item in value]),
)

_SCALARS: Mapping[type, Callable[[object, str], object]] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_text,
    datetime: _read_instant,
    timedelta: _read_duration,
}

__all__ = ["canonical_bytes", "from_plain", "instant_text", "to_plain"]
