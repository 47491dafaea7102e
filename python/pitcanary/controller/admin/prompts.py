"""Prompts, versions and labels: pushing, pointing, reading.

A version is stored by the digest of its canonical content, so pushing the same
content twice is one version. A label that exists is never moved by a push, and
never moved at all while a rollout holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.scope import existing
from pitcanary.controller.connection import version_message
from pitcanary.errors import NotFound, TransitionRefused, nearest
from pitcanary.model.ids import check_name
from pitcanary.model.prompt import PromptContent
from pitcanary.store.interface import Change, PromptRow, Reader, Transaction, VersionRow
from pitcanary.v1 import admin_pb2


def push_version(
    transaction: Transaction,
    environment: int,
    request: admin_pb2.PushVersionRequest,
    moment: Moment,
) -> admin_pb2.PushVersionResponse:
    """Stores a version and points at it those of the labels that do not exist yet.

    Raises:
        InvalidValue: The version, or a name, is not one.
    """
    content = PromptContent.from_json(request.version_json)
    change = Change(request.actor, request.reason, moment.at)
    name = check_name("prompt", request.prompt)
    labels = [check_name("label", label) for label in request.labels]
    prompt = transaction.prompts.ensure(environment, name, change)
    row, created = transaction.versions.push(
        environment, prompt.id, content.digest(), content.canonical(), change
    )
    known = {label.label for label in transaction.labels.list(environment, prompt.id)}
    new = [label for label in dict.fromkeys(labels) if label not in known]
    for label in new:
        transaction.labels.move(environment, prompt.id, label, row.id, change)
    if new:
        transaction.environments.raise_revision(environment)
    version = _version_info(prompt, row, _labels_of(transaction, environment, prompt.id))
    return admin_pb2.PushVersionResponse(version=version, created=created)


def move_label(
    transaction: Transaction,
    environment: int,
    request: admin_pb2.MoveLabelRequest,
    moment: Moment,
) -> admin_pb2.MoveLabelResponse:
    """Points a label at a version.

    Raises:
        NotFound: There is no such prompt or version.
        TransitionRefused: A rollout holds the label.
    """
    transaction.environments.lock(environment)
    prompt = find_prompt(transaction, environment, request.prompt)
    label = check_name("label", request.label)
    holder = transaction.rollouts.holding(environment, prompt.id, label)
    if holder is not None:
        raise TransitionRefused(
            f"label `{label}` of prompt `{prompt.name}` is held by rollout `{holder.name}`; "
            "abort or promote the rollout first"
        )
    version = find_number(transaction, environment, prompt, request.number)
    before = transaction.labels.find(environment, prompt.id, label)
    previous = transaction.versions.get(environment, before.version).number if before else 0
    if before is not None and before.version == version.id:
        current = transaction.environments.config_version(environment)
    else:
        change = Change(request.actor, request.reason, moment.at)
        transaction.labels.move(environment, prompt.id, label, version.id, change)
        current = transaction.environments.raise_revision(environment)
    return admin_pb2.MoveLabelResponse(
        previous_number=previous, config_version=version_message(current)
    )


def list_prompts(
    reader: Reader, request: admin_pb2.ListPromptsRequest, _moment: Moment
) -> admin_pb2.ListPromptsResponse:
    """Reads prompts by name with where their labels point."""
    environment = existing(reader, request.scope).id
    return admin_pb2.ListPromptsResponse(
        prompts=[
            _prompt_info(reader, environment, prompt) for prompt in reader.prompts.list(environment)
        ]
    )


def list_versions(
    reader: Reader, request: admin_pb2.ListVersionsRequest, _moment: Moment
) -> admin_pb2.ListVersionsResponse:
    """Reads the versions of a prompt, newest first."""
    environment = existing(reader, request.scope).id
    prompt = find_prompt(reader, environment, request.prompt)
    labels = _labels_of(reader, environment, prompt.id)
    rows = reader.versions.list(environment, prompt.id)
    return admin_pb2.ListVersionsResponse(
        versions=[_version_info(prompt, row, labels) for row in rows]
    )


def get_version(
    reader: Reader, request: admin_pb2.GetVersionRequest, _moment: Moment
) -> admin_pb2.GetVersionResponse:
    """Reads one version by number, digest or label; without any of them, the newest."""
    environment = existing(reader, request.scope).id
    prompt = find_prompt(reader, environment, request.prompt)
    row = _which(reader, environment, prompt, request)
    labels = _labels_of(reader, environment, prompt.id)
    content = reader.versions.contents(environment, [row.id])[row.id]
    return admin_pb2.GetVersionResponse(
        version=_version_info(prompt, row, labels), version_json=content.decode()
    )


def find_prompt(reader: Reader, environment: int, name: str) -> PromptRow:
    """Finds a prompt; `NotFound` names the nearest one."""
    row = reader.prompts.find(environment, name)
    if row is None:
        known = nearest(name, [prompt.name for prompt in reader.prompts.list(environment)])
        raise NotFound(f"prompt `{name}` does not exist{known}")
    return row


def find_number(reader: Reader, environment: int, prompt: PromptRow, number: int) -> VersionRow:
    """Finds a version by its number; `NotFound` tells how many there are."""
    row = reader.versions.by_number(environment, prompt.id, number)
    if row is None:
        raise NotFound(
            f"prompt `{prompt.name}` has no version `{number}`; its newest is `{prompt.versions}`"
        )
    return row


def _which(
    reader: Reader, environment: int, prompt: PromptRow, request: admin_pb2.GetVersionRequest
) -> VersionRow:
    which = request.WhichOneof("which")
    if which == "label":
        label = reader.labels.find(environment, prompt.id, request.label)
        if label is None:
            raise NotFound(f"prompt `{prompt.name}` has no label `{request.label}`")
        return reader.versions.get(environment, label.version)
    if which == "digest":
        row = reader.versions.by_digest(environment, prompt.id, request.digest)
        if row is None:
            raise NotFound(f"prompt `{prompt.name}` has no version `{request.digest}`")
        return row
    number = request.number if which == "number" else prompt.versions
    return find_number(reader, environment, prompt, number)


def _labels_of(reader: Reader, environment: int, prompt: int) -> dict[int, list[str]]:
    labels: dict[int, list[str]] = {}
    for row in reader.labels.list(environment, prompt):
        labels.setdefault(row.version, []).append(row.label)
    return labels


def _prompt_info(reader: Reader, environment: int, prompt: PromptRow) -> admin_pb2.PromptInfo:
    rows = reader.labels.list(environment, prompt.id)
    versions = reader.versions.many(environment, [row.version for row in rows])
    holders = [reader.rollouts.holding(environment, prompt.id, row.label) for row in rows]
    labels: Iterable[admin_pb2.LabelInfo] = (
        admin_pb2.LabelInfo(
            label=row.label,
            number=versions[row.version].number,
            rollout=holder.name if holder else "",
        )
        for row, holder in zip(rows, holders, strict=True)
    )
    return admin_pb2.PromptInfo(name=prompt.name, versions=prompt.versions, labels=labels)


def _version_info(
    prompt: PromptRow, row: VersionRow, labels: Mapping[int, list[str]]
) -> admin_pb2.VersionInfo:
    return admin_pb2.VersionInfo(
        prompt=prompt.name,
        number=row.number,
        digest=row.digest,
        created_at=timestamp(row.created.at),
        actor=row.created.actor,
        labels=sorted(labels.get(row.id, [])),
    )


def timestamp(at: datetime) -> Timestamp:
    """The wire form of an instant."""
    message = Timestamp()
    message.FromDatetime(at)
    return message
