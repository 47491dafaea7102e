"""Rows that the contract's tests start from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import orjson

from pitcanary.model.plain import canonical_bytes, instant_text
from pitcanary.store import Transaction
from pitcanary.store.interface import (
    ChainHead,
    Change,
    DecisionRow,
    Lease,
    NewRollout,
    RolloutRow,
    RolloutUpdate,
    Scope,
    Source,
)

SCOPE = Scope("default", "production")
NAMESPACE_SALT = "a salt"
NOW = datetime(2026, 11, 23, 12, 0, 0, 123_457, tzinfo=timezone.utc)
CHANGE = Change(actor="ada", reason="first try", at=NOW)


@dataclass(frozen=True, slots=True)
class Sample:
    """Ids of what `make_sample` made."""

    environment: int
    prompt: int
    baseline: int
    candidate: int
    rollout: int


def make_sample(tx: Transaction, scope: Scope = SCOPE) -> Sample:
    """Makes a prompt, two versions, a label and a rollout that holds it."""
    environment = tx.environments.ensure(scope, NAMESPACE_SALT).id
    prompt = tx.prompts.ensure(environment, "support-reply", CHANGE).id
    baseline, _ = tx.versions.push(environment, prompt, "sha256:1", b"one", CHANGE)
    candidate, _ = tx.versions.push(environment, prompt, "sha256:2", b"two", CHANGE)
    tx.labels.move(environment, prompt, "production", baseline.id, CHANGE)
    rollout = tx.rollouts.create(new_rollout(environment, prompt))
    return Sample(environment, prompt, baseline.id, candidate.id, rollout.id)


def new_rollout(
    environment: int, prompt: int, name: str = "support-reply-v2", label: str = "production"
) -> NewRollout:
    """A rollout to create."""
    return NewRollout(
        environment=environment,
        name=name,
        prompt=prompt,
        label=label,
        salt=f"salt of {name}",
        spec=b'{"name":"' + name.encode() + b'"}',
        state=b'{"state":"pending"}',
        created=CHANGE,
    )


def source(environment: int, sidecar: str = "pod-0", boot: int = 0) -> Source:
    """A start of a sidecar."""
    return Source(environment, sidecar, boot.to_bytes(16, "big"))


def update_of(
    rollout: RolloutRow, *, state: bytes = b'{"state":"progressing"}', active: bool = True
) -> RolloutUpdate:
    """The next change of a rollout."""
    return RolloutUpdate(
        environment=rollout.environment,
        rollout=rollout.id,
        expected_revision=rollout.revision,
        state=state,
        active=active,
        at=rollout.updated_at + timedelta(seconds=15),
    )


def record_of(update: RolloutUpdate, head: ChainHead, *, note: str = "") -> bytes:
    """A record with the facts that the store reads, as the controller writes it."""
    revision = update.expected_revision + 1
    return canonical_bytes(
        {
            "id": f"{update.rollout}-{revision}",
            "previous_hash": head.hash,
            "rollout_id": update.rollout,
            "after": {"revision": revision},
            "decided_at": instant_text(update.at),
            "action": "advance",
            "rule": "every guardrail passes",
            "actor": "controller",
            "note": note,
            "shares_set": [0.1, 0.05],
        }
    )


def decide(
    tx: Transaction, rollout: RolloutRow, lease: Lease | None = None, *, note: str = ""
) -> tuple[DecisionRow, RolloutRow]:
    """Decides something about a rollout as it is in `rollout`."""
    update = update_of(rollout)
    record = record_of(update, tx.decisions.head(rollout.environment), note=note)
    return tx.decisions.decide(record, update, lease)


def note_of(decision: DecisionRow) -> str:
    """Reads back what `record_of` noted."""
    return str(orjson.loads(decision.record)["note"])
