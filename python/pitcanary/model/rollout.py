"""A rollout as it runs: its specification and everything that changed since.

An immutable value; every change makes a new one with a higher revision. The rules of
change are `rollout.machine`, the slots `rollout.allocation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from pitcanary.model.action import Reason
from pitcanary.model.allocation import Allocation
from pitcanary.model.scope import Scope
from pitcanary.model.spec import RolloutSpec, Stage


class RolloutState(Enum):
    """Where a rollout stands."""

    PENDING = "pending"
    """Applied; no unit sees the candidate."""
    PROGRESSING = "progressing"
    """The ramp is active."""
    PAUSED = "paused"
    """The share stays; guards stay active."""
    PROMOTING = "promoting"
    """The candidate has everything; the fleet is taking it over."""
    PROMOTED = "promoted"
    """Ended: the label points at the candidate."""
    ROLLED_BACK = "rolled_back"
    """Ended: evidence took the candidate back."""
    ABORTED = "aborted"
    """Ended: a person took the candidate back."""

    @property
    def terminal(self) -> bool:
        """Whether nothing can happen any more."""
        return self in _TERMINAL


_TERMINAL = frozenset({RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.ABORTED})


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the compared versions; index 0 is the baseline."""

    index: int
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Who stopped the ramp, when and why; only an automatic one ends by itself."""

    reason: Reason
    actor: str
    automatic: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class StageProgress:
    """What happened in the current stage.

    `index` counts from 0. `since` is when the stage was opened or, later, resumed: the
    deadlines of policies count from there. `outcomes` counts per arm.
    """

    index: int
    entered_at: datetime
    since: datetime
    first_epoch: int
    seals: int = 0
    sealed_at: datetime | None = None
    outcomes: tuple[int, ...] = ()

    def counted(self, outcomes: tuple[int, ...], now: datetime) -> StageProgress:
        """The stage after one more seal."""
        before = self.outcomes or (0,) * len(outcomes)
        added = tuple(a + b for a, b in zip(before, outcomes, strict=True))
        return replace(self, seals=self.seals + 1, sealed_at=now, outcomes=added)


@dataclass(frozen=True, slots=True)
class Rollout:
    """The whole state of a rollout.

    `id` is the environment-wide number that tokens carry. `tick` numbers its seals.
    `revision` rises with every change. `state_since` is when the state was entered, and
    `spent_at` when the outcomes reached the horizon. `muted` names metrics whose known
    harm a person overrode by promoting or resuming.
    """

    id: int
    scope: Scope
    spec: RolloutSpec
    arms: tuple[Arm, ...]
    salt: str
    created_at: datetime
    state: RolloutState = RolloutState.PENDING
    allocation: Allocation = field(default_factory=Allocation)
    allocation_epoch: int = 1
    analysis_generation: int = 1
    revision: int = 1
    tick: int = 0
    outcomes: int = 0
    stage: StageProgress | None = None
    started_at: datetime | None = None
    state_since: datetime | None = None
    spent_at: datetime | None = None
    ended_at: datetime | None = None
    pause: Pause | None = None
    muted: tuple[str, ...] = ()
    reason: Reason | None = None
    message: str = ""

    @classmethod
    def of(
        cls,
        spec: RolloutSpec,
        scope: Scope,
        *,
        number: int,
        baseline: int,
        salt: str,
        now: datetime,
    ) -> Rollout:
        """A rollout just applied: pending, everything with the baseline.

        Args:
            spec: What is asked for.
            scope: Where.
            number: Its environment-wide number, `id`.
            baseline: Number of the version that the label points at.
            salt: Unique to the rollout; decides which units go first.
            now: The time.
        """
        candidates = [Arm(i, c.name, c.version) for i, c in enumerate(spec.candidates, start=1)]
        return cls(
            id=number,
            scope=scope,
            spec=replace(spec, baseline=baseline),
            arms=(Arm(0, "baseline", baseline), *candidates),
            salt=salt,
            created_at=now,
            state_since=now,
            allocation=Allocation(tuple(() for _ in candidates)),
        )

    @property
    def current_stage(self) -> Stage | None:
        """The stage as specified, none before the start."""
        return self.spec.stages[self.stage.index] if self.stage else None

    @property
    def at_last_stage(self) -> bool:
        """Whether the next PASS promotes."""
        return self.stage is not None and self.stage.index == len(self.spec.stages) - 1

    @property
    def candidate_share(self) -> float:
        """What all candidates own together, 0 to 1, as decided."""
        return 1.0 - self.allocation.share(0)

    def horizon_at(self) -> datetime | None:
        """When the horizon is or was reached; None before the start."""
        if self.started_at is None:
            return None
        by_time = self.started_at + self.spec.policies.horizon.max_time
        return min(by_time, self.spent_at) if self.spent_at else by_time

    def counted(self, outcomes: tuple[int, ...], now: datetime) -> Rollout:
        """The rollout after one more seal that held these outcomes per arm."""
        total = self.outcomes + sum(outcomes)
        spent = total >= self.spec.policies.horizon.max_outcomes
        return replace(
            self,
            tick=self.tick + 1,
            outcomes=total,
            spent_at=self.spent_at or (now if spent else None),
            stage=self.stage.counted(outcomes, now) if self.stage else None,
        )
