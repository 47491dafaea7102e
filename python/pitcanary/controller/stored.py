"""Rollouts between the store's bytes and the model.

The store keeps bytes and a revision; the model knows what they mean. The row's
revision is the one that counts, so a state never disagrees with its row.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import orjson

from pitcanary.model.plain import canonical_bytes, from_plain, to_plain
from pitcanary.model.rollout import Rollout
from pitcanary.model.spec import RolloutSpec
from pitcanary.store.interface import RolloutRow, RolloutUpdate


def rollout_of(row: RolloutRow) -> Rollout:
    """Reads a stored rollout.

    Raises:
        InvalidValue: The stored state is not one that this release understands.
    """
    return replace(from_plain(Rollout, orjson.loads(row.state)), id=row.id, revision=row.revision)


def state_bytes(rollout: Rollout) -> bytes:
    """The canonical bytes of a rollout's state."""
    return canonical_bytes(to_plain(rollout))


def spec_bytes(spec: RolloutSpec) -> bytes:
    """The canonical bytes of a specification, every default filled in."""
    return canonical_bytes(to_plain(spec))


def update_of(row: RolloutRow, rollout: Rollout, at: datetime) -> RolloutUpdate:
    """The compare-and-set that puts a rollout in the place of a row."""
    return RolloutUpdate(
        environment=row.environment,
        rollout=row.id,
        expected_revision=row.revision,
        state=state_bytes(rollout),
        active=not rollout.state.terminal,
        at=at,
    )
