"""What is known of a rollout beside its state: evidence, fleet, health.

Gathered alike for the loop, for a person's action and for a view, so that all of
them speak of the same facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pitcanary.controller.analysis.facts import Fleet, health, is_connected
from pitcanary.controller.analysis.folded import Notes
from pitcanary.controller.limits import Intervals, flush_interval
from pitcanary.controller.trips import tripped
from pitcanary.model.health import Health
from pitcanary.model.rollout import Rollout
from pitcanary.store.interface import Reader


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The facts at one moment."""

    notes: Notes
    fleet: Fleet
    health: Health
    acknowledged: int
    """Connected sidecars that serve the current configuration."""


def gather(
    reader: Reader,
    environment: int,
    rollout: Rollout,
    notes: Notes,
    *,
    intervals: Intervals,
    now: datetime,
) -> Knowledge:
    """Gathers the facts; `notes` are those of the last seal."""
    sidecars = reader.sidecars.list(environment)
    fleet = Fleet(
        sidecars=sidecars,
        current=reader.environments.config_version(environment),
        tripped=len(tripped(reader, environment, rollout)),
        flush_interval=flush_interval(intervals, len(sidecars)),
    )
    waiting = any(
        count.rollout == rollout.id and count.environment == environment
        for count in reader.evidence.waiting()
    )
    facts = health(notes, fleet, now, waiting=waiting)
    connected = sum(is_connected(row, now) for row in sidecars)
    return Knowledge(notes, fleet, facts, connected - len(facts.sidecars_behind))
