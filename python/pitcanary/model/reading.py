"""Readers of plain values, one per declared type, made once.

The inner half of `model.plain`: it knows types and where in a value a fault lies. A
fault gathers its place while it travels outwards, so that reading what is right costs
no time for messages.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Union

from pitcanary.errors import InvalidValue, nearest

Reader = Callable[[object], object]

MICROSECOND = timedelta(microseconds=1)
ODD_FLOATS = ("nan", "inf", "-inf")
"""Floats that JSON lacks, as the words that stand for them."""

_KNOWN: dict[object, Reader] = {}


def reader(kind: object) -> Reader:
    """How a value of this declared type is read.

    Raises:
        InvalidValue: For a type that has no plain form.
    """
    found = _KNOWN.get(kind)
    if found is None:
        found = _KNOWN[kind] = _make(kind)
    return found


def plain_key(field: dataclasses.Field[object]) -> str:
    """The key of a field: its name, for durations with their unit."""
    declared = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    return f"{field.name}_us" if declared.split(" |")[0] == "timedelta" else field.name


class Wrong(Exception):
    """A value that cannot be read; gathers its place on the way out."""

    def __init__(self, after: str, before: str = "") -> None:
        super().__init__(after)
        self.before, self.after = before, after
        self.place: list[str] = []

    def within(self, part: str) -> Wrong:
        """The same fault, seen from one level further out."""
        self.place.insert(0, part)
        return self

    def sentence(self, root: str) -> str:
        """The whole message; `root` is what the outermost value is called."""
        return f"{self.before}`{root}{''.join(self.place)}`{self.after}"


def _make(kind: object) -> Reader:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional_reader(arguments)
    if origin is tuple:
        return _tuple_reader(arguments)
    if origin in (dict, Mapping):
        return _mapping_reader(arguments)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    raise InvalidValue(f"`{kind}` is a type that cannot be read")


def _optional_reader(options: tuple[object, ...]) -> Reader:
    (kind,) = (option for option in options if option is not type(None))
    read = reader(kind)
    return lambda value: None if value is None else read(value)


def _tuple_reader(items: tuple[object, ...]) -> Reader:
    if len(items) == 2 and items[1] is Ellipsis:
        return _list_reader(reader(items[0]))
    readers = [reader(item) for item in items]

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, (list, tuple)) or len(value) != len(readers):
            raise Wrong(f" must be list of {len(readers)}")
        pairs = enumerate(zip(readers, value, strict=True))
        return tuple(_at(f"[{index}]", one, item) for index, (one, item) in pairs)

    return read


def _list_reader(one: Reader) -> Reader:
    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, (list, tuple)):
            raise Wrong(" must be list")
        index = 0
        read_items = []
        try:
            for index, item in enumerate(value):  # noqa: B007 - the error names it
                read_items.append(one(item))
        except Wrong as wrong:
            raise wrong.within(f"[{index}]") from None
        return tuple(read_items)

    return read


def _mapping_reader(kinds: tuple[object, ...]) -> Reader:
    parse: Callable[[str], object] = int if kinds[0] is int else str
    one = reader(kinds[1])

    def read(value: object) -> dict[object, object]:
        if not isinstance(value, Mapping):
            raise Wrong(" must be object")
        return {parse(key): _at(f".{key}", one, item) for key, item in value.items()}

    return read


def _dataclass_reader(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    fields = {plain_key(field): field for field in dataclasses.fields(kind) if field.init}
    plan = {key: (field.name, reader(hints[field.name])) for key, field in fields.items()}
    needed = {key for key, field in fields.items() if not _has_default(field)}

    def read(value: object) -> object:
        if not isinstance(value, Mapping):
            raise Wrong(" must be object")
        _check_keys(value.keys(), plan.keys(), needed)
        present = {}
        key = ""
        try:
            for key, item in value.items():
                name, one = plan[key]
                present[name] = one(item)
        except Wrong as wrong:
            raise wrong.within(f".{key}") from None
        return kind(**present)

    return read


def _has_default(field: dataclasses.Field[object]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _check_keys(keys: AbstractSet[object], known: AbstractSet[str], needed: set[str]) -> None:
    for key in keys - known:
        raise Wrong(nearest(str(key), known), before=f"unknown key `{key}` in ")
    for key in sorted(needed - keys):
        raise Wrong(f" lacks `{key}`")


def _enum_reader(kind: type[enum.Enum]) -> Reader:
    members = {member.value: member for member in kind}

    def read(value: object) -> enum.Enum:
        if isinstance(value, (str, int)) and value in members:
            return members[value]
        known = nearest(str(value), [str(member) for member in members])
        raise Wrong(f" cannot be `{value}`{known}")

    return read


def _at(part: str, read: Reader, value: object) -> object:
    try:
        return read(value)
    except Wrong as wrong:
        raise wrong.within(part) from None


def _read_float(value: object) -> float:
    if isinstance(value, str) and value in ODD_FLOATS:
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise Wrong(" must be number")


def _read_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Wrong(" must be int")


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Wrong(" must be true or false")


def _read_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise Wrong(" must be text")


def _read_instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(_read_text(value).replace("Z", "+00:00"))
    except ValueError:
        raise Wrong(" must be an instant as `2026-11-23T14:00:00.000000Z`") from None
    if instant.tzinfo is None:
        raise Wrong(" must be an instant with time zone")
    return instant


def _read_duration(value: object) -> timedelta:
    return _read_int(value) * MICROSECOND


_SCALARS: Mapping[object, Reader] = {
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: _read_text,
    datetime: _read_instant,
    timedelta: _read_duration,
}
