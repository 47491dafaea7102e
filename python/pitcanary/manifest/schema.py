"""The JSON Schemas of manifests, and what their findings mean in words.

The schemas are data beside this module, published for editors under
`docs/reference/schemas`. Nothing is ever fetched to resolve a `$ref`: the default
retriever of the engine reads files and URLs, so ours refuses every address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources

import jsonschema_rs
import orjson

from pitcanary.errors import InvalidValue, nearest
from pitcanary.manifest.document import Document, Path, field_name
from pitcanary.model.json_types import JsonValue

KINDS = ("rollout", "prompt")
"""Manifests that are applied."""

SCHEMAS = (*KINDS, "prices")

_TYPES = {
    "object": "a set of fields",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
}
_Kind = jsonschema_rs.ValidationErrorKind


def schema_text(kind: str) -> bytes:
    """The JSON Schema of a kind of manifest, as published."""
    return (resources.files(__package__) / "schemas" / f"{kind}.json").read_bytes()


def compile_schema(schema: Mapping[str, JsonValue] | bool) -> jsonschema_rs.Validator:
    """Compiles a schema without ever leaving it.

    Raises:
        InvalidValue: When it is not a schema, or refers to another document.
    """
    try:
        return jsonschema_rs.validator_for(
            schema if isinstance(schema, bool) else dict(schema),
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise InvalidValue(_unusable(error)) from None


def _unusable(error: Exception) -> str:
    """Why a schema is refused; never with parts of it, which may be long and private."""
    if isinstance(error, jsonschema_rs.ValidationError) and not isinstance(
        error.kind, _Kind.Referencing
    ):
        return f"not a usable JSON Schema; see {field_name(tuple(error.instance_path))}"
    return (
        "not a usable JSON Schema: a `$ref` leads nowhere, or to another document, "
        "which is never fetched"
    )


def problems(kind: str, document: Document) -> Iterator[tuple[Path, str]]:
    """Every place where a document is not what its schema asks, in order of lines."""
    found = [
        finding
        for error in _validator(kind).iter_errors(document.value)
        for finding in _findings(error, _schema(kind))
    ]
    yield from sorted(found, key=lambda item: (document.line(item[0]) or 0, str(item[0])))


def _refuse(uri: str) -> jsonschema_rs.JSONType:
    raise ValueError(f"`{uri}` is another document, which is never fetched")


@lru_cache(maxsize=len(SCHEMAS))
def _schema(kind: str) -> dict[str, JsonValue]:
    schema: dict[str, JsonValue] = orjson.loads(schema_text(kind))
    return schema


@lru_cache(maxsize=len(SCHEMAS))
def _validator(kind: str) -> jsonschema_rs.Validator:
    return compile_schema(_schema(kind))


def _findings(
    error: jsonschema_rs.ValidationError, schema: Mapping[str, JsonValue]
) -> Iterator[tuple[Path, str]]:
    path: Path = tuple(error.instance_path)
    kind = error.kind
    place = _subschema(schema, tuple(error.schema_path)[:-1])
    if isinstance(kind, _Kind.AdditionalProperties):
        known = place.get("properties", {})
        for name in kind.unexpected:
            hint = nearest(name, known) if isinstance(known, Mapping) else ""
            yield (*path, name), f"unknown field{hint}"
    elif isinstance(kind, _Kind.Required):
        yield path, f"field `{kind.property}` is missing"
    elif isinstance(kind, (_Kind.OneOfNotValid, _Kind.OneOfMultipleValid)):
        yield path, f"needs exactly one of {_alternatives(place)}"
    elif isinstance(kind, _Kind.Enum):
        yield path, f"cannot be {_shown(error.instance)}{_choices(place, error.instance)}"
    else:
        yield path, _words(error, place)


def _words(error: jsonschema_rs.ValidationError, place: Mapping[str, JsonValue]) -> str:
    description, kind = place.get("description"), error.kind
    if isinstance(kind, _Kind.Type) and "pattern" not in place:
        types = place.get("type")
        first = types if isinstance(types, str) else ""
        wanted = f"must be {_TYPES.get(first, first)}"
        return f"{wanted}: {description}" if description else wanted
    if "pattern" in place and description:
        return f"cannot be {_shown(error.instance)}; write {description}"
    shown = f"cannot be {_shown(error.instance)}" if _is_scalar(error.instance) else ""
    limit = _limit(place)
    return "; ".join(part for part in (shown, limit, str(description or "")) if part)


_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
    "minItems": "entries: at least",
    "maxItems": "entries: at most",
    "minProperties": "fields: at least",
    "maxProperties": "fields: at most",
    "minLength": "characters: at least",
}


def _limit(place: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{words} {place[key]}" for key, words in _LIMITS.items() if key in place)


def _choices(place: Mapping[str, JsonValue], instance: object) -> str:
    options = place.get("enum")
    words = [str(option) for option in options] if isinstance(options, list) else []
    return nearest(str(instance), words)


def _alternatives(place: Mapping[str, JsonValue]) -> str:
    branches = place.get("oneOf")
    names = [
        f"`{name}`"
        for branch in (branches if isinstance(branches, list) else [])
        if isinstance(branch, Mapping)
        for name in _required(branch)
    ]
    return " and ".join(names)


def _required(branch: Mapping[str, JsonValue]) -> list[JsonValue]:
    names = branch.get("required")
    return names if isinstance(names, list) else []


def _subschema(
    schema: Mapping[str, JsonValue], path: tuple[str | int, ...]
) -> Mapping[str, JsonValue]:
    """Follows a schema path, through local references, to the schema it ends in."""
    place: JsonValue = schema
    around: Mapping[str, JsonValue] = schema
    for part in path:
        if isinstance(place, Mapping):
            around = place
            place = _local(schema, place["$ref"]) if part == "$ref" else place.get(str(part))
        elif isinstance(place, list) and isinstance(part, int):
            place = place[part]
    return place if isinstance(place, Mapping) else around


def _local(schema: Mapping[str, JsonValue], reference: JsonValue) -> JsonValue:
    name = str(reference).removeprefix("#/$defs/")
    definitions = schema.get("$defs")
    return definitions.get(name) if isinstance(definitions, Mapping) else None


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _shown(value: object) -> str:
    """A value as its author wrote it, cut short; collections only by their kind."""
    if isinstance(value, Mapping):
        return "a set of fields"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool) or value is None:
        return f"`{orjson.dumps(value).decode()}`"
    text = str(value)
    return f"`{text[:60]}…`" if len(text) > 60 else f"`{text}`"
