"""Which sidecars have taken the candidate of a rollout back by themselves.

Kept in the store per allocation epoch, so every replica counts the same and a
restart forgets none. What two trips lead to is `rollout.gate`'s rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson

from pitcanary.controller.stored import rollout_of, update_of
from pitcanary.model.rollout import Rollout
from pitcanary.store.interface import (
    Reader,
    SidecarHello,
    StateKey,
    StateKind,
    StateRow,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Trip:
    """A sidecar took the candidate of a rollout back by itself."""

    sidecar: SidecarHello
    rollout: int
    allocation_epoch: int
    candidate_failures: int
    candidate_requests: int
    baseline_failures: int
    baseline_requests: int


def record_trip(transaction: Transaction, trip: Trip, at: datetime) -> bool:
    """Stores a trip and has somebody look at the rollout.

    Returns:
        False when the trip is known, or of an epoch that is over.
    """
    environment, sidecar = trip.sidecar.environment, trip.sidecar.sidecar_id
    transaction.environments.lock(environment)
    row = transaction.rollouts.lock(environment, trip.rollout)
    rollout = rollout_of(row)
    if rollout.state.terminal or rollout.allocation_epoch != trip.allocation_epoch:
        return False
    known = tripped(transaction, environment, rollout)
    if sidecar in known:
        return False
    names = sorted({*known, sidecar})
    transaction.states.put(StateRow(_key(environment, rollout), len(names), orjson.dumps(names)))
    transaction.rollouts.update(update_of(row, rollout, at))
    return True


def tripped(reader: Reader, environment: int, rollout: Rollout) -> tuple[str, ...]:
    """The sidecars that tripped in the current allocation epoch, ascending."""
    row = reader.states.get(_key(environment, rollout))
    return tuple(orjson.loads(row.state)) if row else ()


def _key(environment: int, rollout: Rollout) -> StateKey:
    return StateKey(
        environment,
        rollout.id,
        rollout.analysis_generation,
        StateKind.TRIPS,
        rollout.allocation_epoch,
    )
