"""What is being rolled out: rollouts, their frozen analyses and thresholds.

Specification, state and plan are JSON bytes that the store keeps exactly as
given; their meaning belongs to `pitcanary.model`. A change of a rollout goes
with a decision record: `interface.decisions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pitcanary.store.interface.catalog import Change


@dataclass(frozen=True, slots=True)
class NewRollout:
    """A rollout to create; it holds `label` of `prompt` while it is active."""

    environment: int
    name: str
    prompt: int
    label: str
    salt: str
    spec: bytes
    state: bytes
    created: Change


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A rollout; `id` is unique in the environment and travels in tokens.

    `revision` is 1 at creation and raised by every change. An inactive rollout
    has ended and holds nothing.
    """

    environment: int
    id: int
    name: str
    prompt: int
    label: str
    salt: str
    spec: bytes
    state: bytes
    revision: int
    active: bool
    created: Change
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RolloutUpdate:
    """A compare-and-set: applies only while the revision is the expected one.

    `spec` None leaves the specification as it is.
    """

    environment: int
    rollout: int
    expected_revision: int
    state: bytes
    active: bool
    at: datetime
    spec: bytes | None = None


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A frozen set of metrics, margins, caps and prices of one rollout."""

    environment: int
    rollout: int
    generation: int
    plan: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewThresholdSet:
    """Buckets above which an exceedance metric counts, and where they came from."""

    environment: int
    rollout: int
    generation: int
    metric: int
    segment: int
    buckets: tuple[int, ...]
    from_tick: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ThresholdSetRow:
    """A threshold set with its environment-wide number, from 1; it never changes."""

    id: int
    thresholds: NewThresholdSet


class RolloutsReader(Protocol):
    """Reads rollouts."""

    def find(self, environment: int, name: str) -> RolloutRow | None:
        """Find a rollout by its name."""
        ...

    def get(self, environment: int, rollout: int) -> RolloutRow:
        """Read a rollout by its id; `NotFound`."""
        ...

    def list(self, environment: int, prompt: int | None = None) -> Sequence[RolloutRow]:
        """Read rollouts of one prompt or of all, newest first."""
        ...

    def active(self, environment: int) -> Sequence[RolloutRow]:
        """Read the rollouts that have not ended, ascending by id."""
        ...

    def holding(self, environment: int, prompt: int, label: str) -> RolloutRow | None:
        """Find the active rollout that holds a label."""
        ...


class Rollouts(RolloutsReader, Protocol):
    """Changes rollouts."""

    def create(self, rollout: NewRollout) -> RolloutRow:
        """Create a rollout.

        Raises:
            AlreadyExists: The name is taken.
            Conflict: Another active rollout holds the label.
        """
        ...

    def lock(self, environment: int, rollout: int) -> RolloutRow:
        """Read a rollout and keep other transactions from changing it; `NotFound`.

        A person's action reads the revision through this, so it cannot lose
        against a decision that is being written at the same moment.
        """
        ...

    def update(self, update: RolloutUpdate) -> RolloutRow:
        """Change a rollout without a decision, for example its specification.

        Raises:
            Conflict: The revision is another, or the rollout would become
                active while another one holds its label.
            NotFound: There is no such rollout.
        """
        ...


class GenerationsReader(Protocol):
    """Reads analysis generations."""

    def get(self, environment: int, rollout: int, generation: int) -> GenerationRow:
        """Read a generation; `NotFound`."""
        ...

    def list(self, environment: int, rollout: int) -> Sequence[GenerationRow]:
        """Read all generations of a rollout, ascending."""
        ...


class Generations(GenerationsReader, Protocol):
    """Adds analysis generations; nothing changes one."""

    def add(self, generation: GenerationRow) -> None:
        """Freeze a generation; `AlreadyExists` when its number is taken."""
        ...


class ThresholdSetsReader(Protocol):
    """Reads threshold sets."""

    def list(self, environment: int, rollout: int | None = None) -> Sequence[ThresholdSetRow]:
        """Read the threshold sets of one rollout or of all, ascending by id."""
        ...


class ThresholdSets(ThresholdSetsReader, Protocol):
    """Adds threshold sets; nothing changes one."""

    def add(self, thresholds: NewThresholdSet) -> ThresholdSetRow:
        """Store a threshold set under the next number of its environment."""
        ...
