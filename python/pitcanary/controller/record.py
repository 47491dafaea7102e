"""What a decision record says: everything the decision was made from.

The id is taken from the record's own content, so a replay of the same evidence
gives the same id, and two records never share one. Digests name the inputs; the
chain itself is kept by the store.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from pitcanary.controller.knowledge import Knowledge
from pitcanary.controller.stored import spec_bytes, state_bytes
from pitcanary.model.action import Event, Reason
from pitcanary.model.decision import Decision, Replay, Standing
from pitcanary.model.plain import canonical_bytes, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.rollout.machine import Change
from pitcanary.store.interface import Reader, RolloutRow

ENGINE = "1"
"""Version of what turns evidence into decisions; raised when the same evidence could
give another decision."""

ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Act:
    """What is decided, by whom and when.

    `metrics` are those the rule names, `note` what a person gave as reason.
    """

    event: Event
    actor: str
    at: datetime
    metrics: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a record is made from beside the change itself.

    `prior_state` is the digest of the stored state, `evidence` those of the seals since
    the rollout's last record.
    """

    act: Act
    known: Knowledge
    prior_state: str
    evidence: tuple[str, ...]


def basis_of(reader: Reader, row: RolloutRow, act: Act, known: Knowledge) -> Basis:
    """Puts together what the record of an act on a stored rollout needs."""
    last = reader.decisions.list(row.environment, row.id, limit=1)
    recorded = int(orjson.loads(last[0].record)["tick"]) if last else 0
    evidence = tuple(seal.digest for seal in known.notes.sealed if seal.tick > recorded)
    return Basis(act, known, digest(row.state), evidence)


def record_bytes(change: Change, basis: Basis, previous_hash: str) -> bytes:
    """The canonical bytes of the record that follows the one of `previous_hash`."""
    unnamed = _decision(change, basis, previous_hash)
    name = hashlib.sha256(canonical_bytes(to_plain(unnamed))).hexdigest()[:ID_DIGITS]
    return canonical_bytes(to_plain(replace(unnamed, id=name)))


def standing(rollout: Rollout) -> Standing:
    """Where a rollout stands."""
    return Standing(
        state=rollout.state,
        stage=rollout.stage.index + 1 if rollout.stage else 0,
        allocation=rollout.allocation,
        allocation_epoch=rollout.allocation_epoch,
        revision=rollout.revision,
    )


def digest(data: bytes) -> str:
    """The name of some bytes: `sha256:` and the hex digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _decision(change: Change, basis: Basis, previous_hash: str) -> Decision:
    before, after = change.before, change.after
    act, known, notes = basis.act, basis.known, basis.known.notes
    moved = change.label_to is not None
    return Decision(
        id="",
        previous_hash=previous_hash,
        scope=after.scope,
        rollout=after.spec.name,
        rollout_id=after.id,
        prompt=after.spec.prompt,
        decided_at=act.at,
        tick=after.tick,
        action=act.event.action,
        reason=after.reason or Reason.NOTHING_RUNNING,
        rule=after.message,
        actor=act.actor,
        before=standing(before),
        after=standing(after),
        analysis_generation=after.analysis_generation,
        shares_set=tuple(after.allocation.share(arm.index) for arm in after.arms),
        shares_actual=notes.shares_actual or tuple(None for _ in after.arms),
        metrics=act.metrics,
        assessment=notes.assessment,
        health=known.health,
        config_version=known.fleet.current,
        acknowledged=known.acknowledged,
        behind=known.health.sidecars_behind,
        override=act.event is Event.OPERATOR_PROMOTE,
        note=act.note,
        label_from=_label_from(change) if moved else None,
        label_to=change.label_to,
        replay=_replay(change, basis),
    )


def _label_from(change: Change) -> int:
    """Where the label pointed: at the other of the two versions."""
    baseline, candidate = change.before.arms[0].version, change.before.arms[1].version
    return candidate if change.label_to == baseline else baseline


def _replay(change: Change, basis: Basis) -> Replay:
    return Replay(
        engine_version=ENGINE,
        specification=digest(spec_bytes(change.after.spec)),
        prior_state=basis.prior_state,
        state=digest(state_bytes(change.after)),
        evidence=basis.evidence,
    )
