"""What an edit changes, one sentence each, in the words of the manifest.

Compares two specifications by their plain forms, so that no field can be forgotten.
Which edits are allowed is `admin.apply`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from pitcanary.model.json_types import JsonValue
from pitcanary.model.plain import to_plain
from pitcanary.model.quantity import format_duration, format_share
from pitcanary.model.spec import RolloutSpec


def creation_sentences(spec: RolloutSpec) -> list[str]:
    """What a new rollout will do."""
    (candidate,) = spec.candidates
    shares = " → ".join(format_share(stage.share_slots) for stage in spec.stages)
    metrics = ", ".join(f"`{metric.name}` ({metric.role.value})" for metric in spec.metrics)
    split = (
        f"split label `{spec.label}` of prompt `{spec.prompt}` by {spec.unit.value}: "
        f"version {spec.baseline} stays, version {candidate.version} is tried"
    )
    return [
        f"create rollout `{spec.name}`",
        split,
        f"stages {shares}",
        f"metrics {metrics}",
    ]


def edit_sentences(before: RolloutSpec, after: RolloutSpec) -> list[str]:
    """What differs between two specifications; empty when nothing does."""
    old, new = _flat(to_plain(before)), _flat(to_plain(after))
    return [
        f"{_name(path)}: {_value(path, old.get(path))} → {_value(path, new.get(path))}"
        for path in dict.fromkeys((*old, *new))
        if old.get(path) != new.get(path)
    ]


def _flat(value: JsonValue) -> dict[str, JsonValue]:
    return dict(_leaves("", value))


def _leaves(path: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            label = item.get("name") if isinstance(item, Mapping) else None
            yield from _leaves(f"{path}[{label or index + 1}]", item)
    else:
        yield path, value


def _name(path: str) -> str:
    return f"`{path.removesuffix('_us').removesuffix('_slots')}`"


def _value(path: str, value: JsonValue) -> str:
    if value is None:
        return "nothing"
    if path.endswith("_us") and isinstance(value, int):
        return format_duration(timedelta(microseconds=value))
    if path.endswith("_slots") and isinstance(value, int):
        return format_share(value)
    return str(value)
