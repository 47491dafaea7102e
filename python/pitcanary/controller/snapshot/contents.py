"""Versions and labels as sidecars get them.

Contents are sent once each, and only those that something points at: a label, or
an arm of a rollout that sidecars still know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pitcanary.model.prompt import PromptContent, Syntax
from pitcanary.store.interface import LabelRow, PromptRow, Reader, RolloutRow, VersionRow
from pitcanary.v1 import control_pb2, sidecar_pb2

_SYNTAX = {
    Syntax.PLAIN: control_pb2.SYNTAX_PLAIN,
    Syntax.JINJA: control_pb2.SYNTAX_JINJA,
}


def prompt_messages(
    prompts: Sequence[PromptRow], labels: Sequence[LabelRow], active: Iterable[RolloutRow]
) -> list[control_pb2.Prompt]:
    """Prompts with where their labels point and which rollout splits them."""
    splits = {(row.prompt, row.label): row.id for row in active}
    targets: dict[int, list[control_pb2.LabelTarget]] = {prompt.id: [] for prompt in prompts}
    for row in labels:
        target = control_pb2.LabelTarget(
            label=row.label, version=row.version, rollout=splits.get((row.prompt, row.label), 0)
        )
        targets[row.prompt].append(target)
    return [control_pb2.Prompt(name=prompt.name, labels=targets[prompt.id]) for prompt in prompts]


def version_messages(
    reader: Reader, environment: int, versions: Iterable[int], names: Mapping[int, str]
) -> list[control_pb2.Version]:
    """Contents of versions, ascending by id; `names` gives the prompts'."""
    wanted = sorted(set(versions))
    rows = reader.versions.many(environment, wanted)
    contents = reader.versions.contents(environment, wanted)
    return [
        _version(rows[version], names[rows[version].prompt], contents[version])
        for version in wanted
    ]


def _version(row: VersionRow, prompt: str, stored: bytes) -> control_pb2.Version:
    content = PromptContent.from_json(stored)
    message = control_pb2.Version(
        id=row.id,
        ref=sidecar_pb2.VersionRef(name=prompt, number=row.number, digest=row.digest),
        syntax=_SYNTAX[content.syntax],
        parameters_json=content.parameters_json,
        output_schema_json=content.output_schema_json,
        model=content.model,
    )
    if content.text is not None:
        message.text = content.text
    else:
        message.messages.messages.extend(
            sidecar_pb2.ChatMessage(role=item.role, content=item.content)
            for item in content.messages
        )
    return message
