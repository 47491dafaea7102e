"""Creating and changing rollouts from specifications; refused whole or applied whole.

A running rollout may change what it does next, never what it has done: stages that
were opened, the versions and the way traffic is split stay as they are. Other metrics
or margins start a new analysis generation, and their evidence starts anew.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from pitcanary.controller.admin.calls import Moment
from pitcanary.controller.admin.changes import creation_sentences, edit_sentences
from pitcanary.controller.admin.prompts import find_number, find_prompt
from pitcanary.controller.admin.view import rollout_info
from pitcanary.controller.stored import rollout_of, spec_bytes, state_bytes, update_of
from pitcanary.errors import ManifestRefused, NotFound, TransitionRefused
from pitcanary.manifest.load import rollout_from_plain
from pitcanary.model import scope as model
from pitcanary.model.plain import canonical_bytes, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.model.spec import RolloutSpec
from pitcanary.store.interface import (
    Change,
    GenerationRow,
    NewRollout,
    PromptRow,
    RolloutRow,
    Transaction,
)
from pitcanary.v1 import admin_pb2

SALT_BYTES = 16
FIRST_GENERATION = 1


def apply_rollout(
    transaction: Transaction,
    environment: int,
    request: admin_pb2.ApplyRolloutRequest,
    moment: Moment,
) -> admin_pb2.ApplyRolloutResponse:
    """Creates a rollout, or changes the one of that name.

    Raises:
        ManifestRefused: The specification is wrong; names every problem.
        NotFound: It names a prompt, version or label that does not exist.
        TransitionRefused: The change would alter what has happened already.
        Conflict: Another rollout holds the label.
    """
    transaction.environments.lock(environment)
    spec = _read_spec(request.spec_json)
    prompt = find_prompt(transaction, environment, spec.prompt)
    existing = transaction.rollouts.find(environment, spec.name)
    spec = _resolved(transaction, environment, prompt, spec, existing)
    change = Change(request.actor, request.reason, moment.at)
    if existing is not None:
        return _edit(transaction, existing, spec, moment, dry_run=request.dry_run)
    rollout = _new(transaction, environment, spec, moment)
    if request.dry_run:
        info = admin_pb2.RolloutInfo(name=spec.name, prompt=spec.prompt, state=rollout.state.value)
        return admin_pb2.ApplyRolloutResponse(rollout=info, changes=creation_sentences(spec))
    row = _create(transaction, environment, prompt, rollout, change)
    return admin_pb2.ApplyRolloutResponse(
        rollout=rollout_info(transaction, row, moment), changes=creation_sentences(spec)
    )


def _read_spec(spec_json: str) -> RolloutSpec:
    try:
        plain = orjson.loads(spec_json)
    except orjson.JSONDecodeError as error:
        raise ManifestRefused(f"the specification is not JSON: {error}") from None
    return rollout_from_plain(plain)


def _resolved(
    transaction: Transaction,
    environment: int,
    prompt: PromptRow,
    spec: RolloutSpec,
    existing: RolloutRow | None,
) -> RolloutSpec:
    """The specification with its baseline, all versions known to exist."""
    for segment in (spec.eligible, *spec.strata):
        if segment:
            raise NotFound(f"segment `{segment}` is not defined in this environment")
    for candidate in spec.candidates:
        find_number(transaction, environment, prompt, candidate.version)
    if existing is not None:
        return replace(spec, baseline=rollout_of(existing).arms[0].version)
    label = transaction.labels.find(environment, prompt.id, spec.label)
    if label is None:
        raise NotFound(
            f"label `{spec.label}` of prompt `{prompt.name}` points nowhere; "
            "point it at the version that users get now"
        )
    current = transaction.versions.get(environment, label.version).number
    if spec.baseline not in (None, current):
        raise TransitionRefused(
            f"label `{spec.label}` points at version `{current}`, not at the baseline "
            f"`{spec.baseline}`; move the label or leave `baseline` out"
        )
    return replace(spec, baseline=current)


def _new(transaction: Transaction, environment: int, spec: RolloutSpec, moment: Moment) -> Rollout:
    scope = transaction.environments.get(environment).scope
    return Rollout.of(
        spec,
        model.Scope(scope.namespace, scope.environment),
        number=0,
        baseline=spec.baseline or 0,
        salt=moment.tools.random_bytes(SALT_BYTES).hex(),
        now=moment.at,
    )


def _create(
    transaction: Transaction,
    environment: int,
    prompt: PromptRow,
    rollout: Rollout,
    change: Change,
) -> RolloutRow:
    spec = rollout.spec
    row = transaction.rollouts.create(
        NewRollout(
            environment=environment,
            name=spec.name,
            prompt=prompt.id,
            label=spec.label,
            salt=rollout.salt,
            spec=spec_bytes(spec),
            state=state_bytes(rollout),
            created=change,
        )
    )
    _freeze(transaction, row, spec, FIRST_GENERATION)
    transaction.environments.raise_revision(environment)
    return row


def _edit(
    transaction: Transaction,
    existing: RolloutRow,
    spec: RolloutSpec,
    moment: Moment,
    *,
    dry_run: bool,
) -> admin_pb2.ApplyRolloutResponse:
    row = transaction.rollouts.lock(existing.environment, existing.id)
    before = rollout_of(row)
    changes = edit_sentences(before.spec, spec)
    if changes:
        _refuse_rewriting(before, spec)
    if changes and not dry_run:
        row = _write_edit(transaction, row, before, spec, moment)
    return admin_pb2.ApplyRolloutResponse(
        rollout=rollout_info(transaction, row, moment), changes=changes
    )


def _refuse_rewriting(before: Rollout, spec: RolloutSpec) -> None:
    what = f"rollout `{spec.name}`"
    if before.state.terminal:
        raise TransitionRefused(
            f"{what} has ended ({before.state.value}); apply the change under another name"
        )
    fixed = ("prompt", "label", "candidates", "unit", "strategy", "eligible", "strata")
    for name in fixed:
        if getattr(before.spec, name) != getattr(spec, name):
            raise TransitionRefused(
                f"{what} is running and cannot change its `{name}`; abort it and apply another"
            )
    opened = before.stage.index + 1 if before.stage else 0
    if before.spec.stages[:opened] != spec.stages[:opened]:
        raise TransitionRefused(
            f"{what} has opened `{opened}` of its stages, which cannot change any more"
        )


def _write_edit(
    transaction: Transaction,
    row: RolloutRow,
    before: Rollout,
    spec: RolloutSpec,
    moment: Moment,
) -> RolloutRow:
    after = replace(before, spec=spec)
    if spec.metrics != before.spec.metrics:
        after = replace(after, analysis_generation=before.analysis_generation + 1)
        _freeze(transaction, row, spec, after.analysis_generation)
    update = replace(update_of(row, after, moment.at), spec=spec_bytes(spec))
    changed = transaction.rollouts.update(update)
    transaction.environments.raise_revision(row.environment)
    return changed


def _freeze(transaction: Transaction, row: RolloutRow, spec: RolloutSpec, generation: int) -> None:
    plan = canonical_bytes(to_plain(spec.metrics))
    at = row.updated_at
    transaction.generations.add(GenerationRow(row.environment, row.id, generation, plan, at))
