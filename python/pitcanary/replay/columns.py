"""Which column of a recording becomes which field of an outcome.

One small grammar for the command line and for mapping files:

    latency_us = end_to_end_latency_s * 1e6     a number, scaled
    error = error_code ?                        true where the column is not empty
    scores.refusal = final_label ~ ^2_full      1 where the text matches, else 0
    input_tokens = number_input_tokens          a number

and for choosing rows: `type !~ ^contrast` or `type ~ ^safe`. It maps; reading
files is `recording`'s work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from pitcanary.errors import RecordingRefused, nearest
from pitcanary.model.json_types import JsonValue

NUMBERS = (
    "latency_us",
    "time_to_first_token_us",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cost",
)
TEXTS = ("model", "output", "finish_reason")
FLAGS = ("error",)
FIELDS = (*NUMBERS, *TEXTS, *FLAGS)
SCORES = "scores."

Row = Mapping[str, JsonValue]


class Reading(Enum):
    """How a column is read."""

    NUMBER = "number"
    TEXT = "text"
    PRESENT = "present"
    MATCHES = "matches"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Source:
    """A column and how it is read."""

    column: str
    reading: Reading
    scale: float = 1.0
    pattern: re.Pattern[str] | None = None

    def read(self, row: Row) -> float | str | bool | None:
        """The value in a row; `None` where the column is empty.

        Raises:
            RecordingRefused: The column is missing or is not a number.
        """
        if self.column not in row:
            hint = nearest(self.column, row)
            raise RecordingRefused(f"there is no column `{self.column}`{hint}")
        value = row[self.column]
        text = "" if value is None else str(value)
        if self.reading is Reading.PRESENT:
            return text != ""
        if self.pattern is not None:
            return (self.pattern.search(text) is not None) == (self.reading is Reading.MATCHES)
        if text == "":
            return None
        return text if self.reading is Reading.TEXT else self._number(text)

    def _number(self, text: str) -> float:
        try:
            return float(text) * self.scale
        except ValueError:
            raise RecordingRefused(f"column `{self.column}` holds no number") from None


@dataclass(frozen=True, slots=True)
class Columns:
    """A whole mapping.

    Attributes:
        fields: Source by field name, `scores.NAME` for flags and scores.
        conditions: Rows that do not meet all of them are left out.
    """

    fields: Mapping[str, Source]
    conditions: tuple[Source, ...] = ()

    def keeps(self, row: Row) -> bool:
        """Whether a row takes part."""
        return all(condition.read(row) for condition in self.conditions)


def parse_columns(mappings: Iterable[str], conditions: Iterable[str] = ()) -> Columns:
    """Reads mappings `field = source` and conditions `column ~ pattern`.

    Raises:
        RecordingRefused: A mapping or a condition cannot be read; the message quotes it.
    """
    fields = dict(_mapping(text) for text in mappings)
    return Columns(fields, tuple(_condition(text) for text in conditions))


def _mapping(text: str) -> tuple[str, Source]:
    field, equals, source = (part.strip() for part in text.partition("="))
    if not equals or not source:
        raise RecordingRefused(f"`{text}` is no mapping: write `field = column`")
    if field not in FIELDS and not (field.startswith(SCORES) and len(field) > len(SCORES)):
        hint = nearest(field, [*FIELDS, SCORES + "NAME"])
        raise RecordingRefused(f"`{field}` is no field of an outcome{hint}")
    return field, _source(source, is_text=field in TEXTS)


def _condition(text: str) -> Source:
    source = _source(text, is_text=True)
    if source.pattern is None and source.reading is not Reading.PRESENT:
        raise RecordingRefused(f"`{text}` is no condition: write `column ~ pattern`")
    return source


def _source(text: str, *, is_text: bool) -> Source:
    if text.endswith("?"):
        return Source(text[:-1].strip(), Reading.PRESENT)
    for mark, reading in (("!~", Reading.DIFFERS), ("~", Reading.MATCHES)):
        column, found, pattern = (part.strip() for part in text.partition(mark))
        if found:
            return Source(column, reading, pattern=_pattern(pattern))
    column, scaled, factor = (part.strip() for part in text.partition("*"))
    if scaled:
        return Source(column, Reading.NUMBER, scale=_factor(factor, text))
    return Source(column, Reading.TEXT if is_text else Reading.NUMBER)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise RecordingRefused(f"`{text}` is no regular expression: {error}") from None


def _factor(factor: str, text: str) -> float:
    try:
        return float(factor)
    except ValueError:
        raise RecordingRefused(f"`{factor}` in `{text}` is no number to scale by") from None
