"""What an author asks for: the specification of a rollout.

Plain data as validated by `manifest`, resolved and with every default filled in, so a
later release with other defaults does not change a running rollout. What became of
it is `model.rollout`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from itertools import pairwise

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import LARGEST_SHARE, SLOT_COUNT
from pitcanary.model.ids import check_name
from pitcanary.model.metric import Metric


class UnitKind(Enum):
    """What traffic is split by."""

    USER = "user"
    CONVERSATION = "conversation"
    TENANT = "tenant"
    REQUEST = "request"


class Strategy(Enum):
    """How a candidate gets its share."""

    CANARY = "canary"
    """Stages of rising shares, each opened by evidence."""


class OnRollback(Enum):
    """What becomes of conversations pinned to a version that is taken back."""

    FINISH_PINNED = "finish_pinned"
    NEXT_TURN = "next_turn"
    IMMEDIATE = "immediate"


class Response(Enum):
    """What the owner wants while evidence does not decide."""

    HOLD = "hold"
    PAUSE = "pause"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """A response now, and another once the deadline has passed without a decision."""

    action: Response = Response.HOLD
    deadline: timedelta = timedelta(hours=24)
    then: Response = Response.PAUSE

    def __post_init__(self) -> None:
        _positive("deadline", self.deadline)


@dataclass(frozen=True, slots=True)
class Horizon:
    """The most that a rollout may take before it counts as not decided."""

    max_time: timedelta = timedelta(days=7)
    max_outcomes: int = 5_000_000

    def __post_init__(self) -> None:
        _positive("max_time", self.max_time)
        if self.max_outcomes < 1:
            raise InvalidValue(f"max_outcomes `{self.max_outcomes}` must be at least 1")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the ramp: a share of all traffic, and what it must last for.

    `share_slots` counts slots of the ring and is what all candidates own together,
    split evenly. A share above 95 % means everything but the hold-back. `min_outcomes`
    counts the candidates' outcomes.
    """

    share_slots: int
    min_time: timedelta = timedelta(minutes=10)
    min_outcomes: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.share_slots <= SLOT_COUNT:
            raise InvalidValue(f"share `{self.share_slots}` slots lies outside 1..{SLOT_COUNT}")
        if self.min_time < timedelta(0) or self.min_outcomes < 0:
            raise InvalidValue("min_time and min_outcomes cannot be negative")

    @property
    def owned_slots(self) -> int:
        """The slots that the candidates own in this stage, without the hold-back."""
        return min(self.share_slots, LARGEST_SHARE)

    @property
    def share(self) -> float:
        """The share asked for, 0 to 1, for people."""
        return self.share_slots / SLOT_COUNT


@dataclass(frozen=True, slots=True)
class Policies:
    """How the rollout behaves where evidence alone does not say.

    `alpha` bounds false rollbacks and `alpha_advance` false advances, each over the
    whole life of the rollout. `tick` is the base interval of seals. `min_coverage` is
    the part of the sidecars that must be reporting before a share rises, and
    `max_mixed_share` the part of units that may have met two arms.
    """

    alpha: float = 0.05
    alpha_advance: float = 0.05
    tick: timedelta = timedelta(seconds=15)
    horizon: Horizon = field(default_factory=Horizon)
    on_inconclusive: DeadlinePolicy = field(default_factory=DeadlinePolicy)
    on_insufficient_data: DeadlinePolicy = field(default_factory=DeadlinePolicy)
    on_no_traffic: DeadlinePolicy = field(default_factory=DeadlinePolicy)
    on_rollback: OnRollback = OnRollback.NEXT_TURN
    max_unattended: timedelta = timedelta(minutes=15)
    min_coverage: float = 0.9
    max_mixed_share: float = 0.02

    def __post_init__(self) -> None:
        _positive("tick", self.tick)
        _positive("max_unattended", self.max_unattended)
        for name in ("alpha", "alpha_advance"):
            if not 0 < getattr(self, name) < 0.5:
                raise InvalidValue(f"{name} `{getattr(self, name)}` must lie between 0 and 0.5")
        for name in ("min_coverage", "max_mixed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidValue(f"{name} `{getattr(self, name)}` must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that asks for traffic, under the name of its arm."""

    version: int
    name: str = "candidate"

    def __post_init__(self) -> None:
        check_name("arm", self.name)
        if self.version < 1:
            raise InvalidValue(f"version `{self.version}` must be at least 1")


@dataclass(frozen=True, slots=True)
class RolloutSpec:
    """A whole specification; `baseline` is empty where the label says what it is."""

    name: str
    prompt: str
    candidates: tuple[Candidate, ...]
    stages: tuple[Stage, ...]
    metrics: tuple[Metric, ...]
    label: str = "production"
    baseline: int | None = None
    unit: UnitKind = UnitKind.USER
    eligible: str = ""
    strata: tuple[str, ...] = ()
    strategy: Strategy = Strategy.CANARY
    policies: Policies = field(default_factory=Policies)

    def __post_init__(self) -> None:
        check_name("rollout", self.name)
        check_name("prompt", self.prompt)
        check_name("label", self.label)
        _distinct("metric", [metric.name for metric in self.metrics])
        _distinct("arm", ["baseline", *(candidate.name for candidate in self.candidates)])
        if not self.candidates or not self.stages or not self.metrics:
            raise InvalidValue("a rollout needs a candidate, a stage and a metric")
        if len({self.baseline, *(c.version for c in self.candidates)}) <= len(self.candidates):
            raise InvalidValue("baseline and candidates must be different versions")
        for earlier, later in pairwise(self.stages):
            if later.share_slots <= earlier.share_slots:
                raise InvalidValue(
                    f"stages must rise: `{later.share:%}` comes after `{earlier.share:%}`"
                )


def _positive(name: str, duration: timedelta) -> None:
    if duration <= timedelta(0):
        raise InvalidValue(f"{name} `{duration}` must be longer than nothing")


def _distinct(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(f"{what} `{name}` is named twice")
