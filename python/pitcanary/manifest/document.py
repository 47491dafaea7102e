"""YAML text as plain values that remember their lines.

Only what JSON can carry: no tags, no dates, no keys that are not text, no key twice.
Size, depth and the number of values are bounded, aliases counted at every use, so a
short text cannot unfold into a long one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson
import yaml

from pitcanary.errors import ManifestRefused
from pitcanary.model.json_types import JsonValue

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 50_000

Path = tuple[str | int, ...]

_SCALARS = {
    "tag:yaml.org,2002:null",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:str",
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file; `lines` says where each value begins, from 1."""

    file: str
    value: JsonValue
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a value, or of the nearest one around it; None for plain values."""
        while path not in self.lines:
            if not path:
                return None
            path = path[:-1]
        return self.lines[path]

    def problem(self, path: Path, what: str) -> str:
        """One line of an error: `file:line: field: what`."""
        line = self.line(path)
        place = self.file if line is None else f"{self.file}:{line}"
        return f"{place}: {field_name(path)}: {what}" if path else f"{place}: {what}"


def field_name(path: Path) -> str:
    """Writes a path as people do: `stages[0].share`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return f"`{''.join(parts).lstrip('.')}`"


def parse(text: str, file: str) -> tuple[Document, ...]:
    """Reads the documents of a YAML or JSON text; empty ones are left out.

    Args:
        text: The text.
        file: What errors call it.

    Raises:
        ManifestRefused: For text that is not YAML, or more than plain values.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ManifestRefused(f"{file}: longer than {MAX_BYTES} bytes")
    plain = _json(text)
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        if plain is not None:
            return (Document(file, plain),)
        raise _not_yaml(file, error) from None
    documents = [_Reader(file).document(node) for node in nodes]
    if plain is not None and [document.value for document in documents] != [plain]:
        return (Document(file, plain),)
    return tuple(document for document in documents if document.value is not None)


def _json(text: str) -> JsonValue:
    """The value of a JSON text; None for other texts.

    YAML reads nearly all JSON, but takes some characters inside strings for the end of
    a line. So JSON is read as JSON, and as YAML only for its lines.
    """
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value


def _not_yaml(file: str, error: Exception) -> ManifestRefused:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        place = f"{file}:{error.problem_mark.line + 1}"
        return ManifestRefused(f"{place}: not YAML: {error.problem or error.context}")
    return ManifestRefused(f"{file}: not YAML that can be read")


class _Reader:
    """Turns nodes into values, counting them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.values = 0
        self.constructor = yaml.constructor.SafeConstructor()

    def document(self, node: yaml.Node) -> Document:
        value = self.read(node, ())
        return Document(self.file, value, self.lines)

    def read(self, node: yaml.Node, path: Path) -> JsonValue:
        self.values += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self.values > MAX_VALUES:
            raise self.refuse(node, path, f"more than {MAX_VALUES} values")
        if len(path) > MAX_DEPTH:
            raise self.refuse(node, path, f"nested deeper than {MAX_DEPTH}")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return {key: self.read(item, (*path, key)) for key, item in self.items(node, path)}
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        seen: set[str] = set()
        for key_node, item in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
                raise self.refuse(key_node, path, "a key must be text")
            if key_node.tag != "tag:yaml.org,2002:str":
                raise self.refuse(key_node, path, f"key `{key}` must be in quotes to be text")
            if key in seen:
                raise self.refuse(key_node, path, f"key `{key}` is there twice")
            seen.add(key)
            self.lines.update({(*path, key): key_node.start_mark.line + 1})
            yield key, item

    def scalar(self, node: yaml.Node, path: Path) -> JsonValue:
        if node.tag not in _SCALARS or not isinstance(node, yaml.ScalarNode):
            kind = node.tag.rpartition(":")[2]
            raise self.refuse(node, path, f"a value of type `{kind}`; put it in quotes to be text")
        try:
            value = self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError):
            raise self.refuse(node, path, "a number that cannot be read") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self.refuse(node, path, "a number that is not finite")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise self.refuse(node, path, "not a plain value")

    def refuse(self, node: yaml.Node, path: Path, what: str) -> ManifestRefused:
        place = f"{self.file}:{node.start_mark.line + 1}"
        at = f"{field_name(path)}: " if path else ""
        return ManifestRefused(f"{place}: {at}{what}")
