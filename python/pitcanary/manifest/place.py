"""A value of a document together with where it stands.

Reads with the model's own parsers, so whatever the model refuses is reported with line
and field. Types are those the schema has already made sure of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TypeVar

from pitcanary.errors import InvalidValue, ManifestRefused
from pitcanary.manifest.document import Document, Path
from pitcanary.model.json_types import JsonValue
from pitcanary.model.quantity import parse_duration, parse_share

T = TypeVar("T")
Member = TypeVar("Member", bound=Enum)

_LARGEST_NUMBER = 2**63


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, and the value."""

    document: Document
    path: Path
    value: JsonValue

    @classmethod
    def root(cls, document: Document) -> Place:
        """The whole document."""
        return cls(document, (), document.value)

    def get(self, name: str) -> Place | None:
        """The field of that name; None when it is absent or null."""
        if not isinstance(self.value, Mapping) or self.value.get(name) is None:
            return None
        return Place(self.document, (*self.path, name), self.value[name])

    def items(self) -> Iterator[Place]:
        """The entries of a list."""
        if isinstance(self.value, Sequence) and not isinstance(self.value, str):
            for index, value in enumerate(self.value):
                yield Place(self.document, (*self.path, index), value)

    def refusal(self, what: str) -> ManifestRefused:
        """An error that says what is wrong here."""
        return ManifestRefused(self.document.problem(self.path, what))

    def build(self, make: Callable[[], T]) -> T:
        """Makes a value of the model; what the model refuses is wrong here."""
        try:
            return make()
        except InvalidValue as error:
            raise self.refusal(str(error)) from None

    def given(self, readers: Readers) -> dict[str, object]:
        """Reads the fields that are there; those left out keep the model's defaults."""
        found = ((name, self.get(name), read) for name, read in readers.items())
        return {name: read(field) for name, field, read in found if field is not None}

    def make(self, kind: Callable[..., T], readers: Readers) -> T:
        """Makes a value of the model from the fields that are there."""
        fields = self.given(readers)
        return self.build(lambda: kind(**fields))

    def text(self) -> str:
        """The value as text."""
        return self.value if isinstance(self.value, str) else str(self.value)

    def whole(self) -> int:
        """The value as a whole number; `2.0` counts as one."""
        if isinstance(self.value, (int, float)) and abs(self.value) < _LARGEST_NUMBER:
            return int(self.value)
        raise self.refusal("must be a whole number")

    def number(self) -> float:
        """The value as a number."""
        if isinstance(self.value, (int, float)) and abs(self.value) < _LARGEST_NUMBER:
            return float(self.value)
        raise self.refusal("must be a number")

    def flag(self) -> bool:
        """The value as a truth."""
        return self.value is True

    def duration(self) -> timedelta:
        """The value as a duration."""
        return self.build(lambda: parse_duration(self.text()))

    def share(self) -> int:
        """The value as slots of the ring."""
        return self.build(lambda: parse_share(self.text()))

    def member(self, kind: type[Member]) -> Member:
        """The value as a member of an enum."""
        return kind(self.value)


Readers = Mapping[str, Callable[[Place], object]]
"""How to read each field."""
