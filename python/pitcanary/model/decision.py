"""The record of one decision: what was known, which rule applied, what changed.

Written in the transaction of the change, appended and never edited; each holds the
hash of the one before. The same record replays to the same action, bit for bit. The
bytes that are hashed are `canonical_bytes(to_plain(decision))`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pitcanary.model.action import Action, Reason
from pitcanary.model.allocation import Allocation
from pitcanary.model.assessment import Assessment
from pitcanary.model.health import Health
from pitcanary.model.rollout import RolloutState
from pitcanary.model.scope import Scope


@dataclass(frozen=True, slots=True, order=True)
class ConfigVersion:
    """Orders configurations; a sidecar refuses a lower one."""

    store_incarnation: int
    revision: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the rollout stands before or after a decision."""

    state: RolloutState
    stage: int
    """From 1; 0 before the start."""
    allocation: Allocation
    allocation_epoch: int
    revision: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay needs beside the record: versions and digests of its inputs.

    Digests are `sha256:` and hex; the blobs they name are stored by content. `evidence`
    names the sealed ticks folded since the decision before, oldest first.
    """

    engine_version: str
    specification: str
    prior_state: str
    state: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    `actor` is `controller` or a person, `note` what that person gave as reason, and
    `override` says that a person decided against or without evidence. `shares_actual`
    holds one share per arm as observed since the decision before, none without
    traffic. `acknowledged` and `behind` say who served the configuration in force when
    it was decided.
    """

    id: str
    previous_hash: str
    scope: Scope
    rollout: str
    rollout_id: int
    prompt: str
    decided_at: datetime
    tick: int
    action: Action
    reason: Reason
    rule: str
    actor: str
    before: Standing
    after: Standing
    analysis_generation: int
    shares_set: tuple[float, ...]
    shares_actual: tuple[float | None, ...]
    metrics: tuple[str, ...] = ()
    """The metrics that the rule names."""
    assessment: Assessment | None = None
    health: Health | None = None
    config_version: ConfigVersion | None = None
    acknowledged: int = 0
    behind: tuple[str, ...] = ()
    override: bool = False
    note: str = ""
    label_from: int | None = None
    label_to: int | None = None
    """Version numbers when the decision moved the label."""
    replay: Replay | None = None
