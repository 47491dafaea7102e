"""What is configured: environments, prompts, versions and labels.

Rows name each other by integers that are unique within an environment; the
content of a version is opaque bytes whose meaning belongs to `pitcanary.model`.
Rollouts over these versions live in `interface.rollouts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pitcanary.model.decision import ConfigVersion
from pitcanary.model.scope import Scope


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed something, why and when."""

    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """An environment; `id` is what every other row names it by."""

    id: int
    scope: Scope
    namespace_salt: str
    revision: int


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt; `versions` is how many it has, which is the newest number."""

    environment: int
    id: int
    name: str
    versions: int
    created: Change


@dataclass(frozen=True, slots=True)
class VersionRow:
    """An immutable version without its content.

    `id` is unique in the environment and travels in tokens; `number` counts
    within the prompt.
    """

    environment: int
    id: int
    prompt: int
    number: int
    digest: str
    created: Change


@dataclass(frozen=True, slots=True)
class LabelRow:
    """Where a label points: `version` is the id of a `VersionRow`."""

    environment: int
    prompt: int
    label: str
    version: int


@dataclass(frozen=True, slots=True)
class LabelMoveRow:
    """One entry of a label's history.

    `from_version` is None at the first move; `decision` names the decision that
    moved the label, empty when a person did.
    """

    environment: int
    prompt: int
    label: str
    from_version: int | None
    to_version: int
    change: Change
    decision: str = ""


class EnvironmentsReader(Protocol):
    """Reads environments and the order of their configurations."""

    def store_incarnation(self) -> int:
        """Tell the incarnation of the store; 1 until it is raised."""
        ...

    def find(self, scope: Scope) -> EnvironmentRow | None:
        """Find an environment by its names."""
        ...

    def get(self, environment: int) -> EnvironmentRow:
        """Read an environment; `NotFound` when there is none."""
        ...

    def list(self) -> Sequence[EnvironmentRow]:
        """Read all environments, ascending by id."""
        ...

    def config_version(self, environment: int) -> ConfigVersion:
        """Tell the version of the current configuration; `NotFound`."""
        ...


class Environments(EnvironmentsReader, Protocol):
    """Changes environments."""

    def ensure(self, scope: Scope, namespace_salt: str) -> EnvironmentRow:
        """Find or create an environment.

        The salt is used only when the namespace is new: a namespace keeps its
        first salt for ever.
        """
        ...

    def lock(self, environment: int) -> EnvironmentRow:
        """Keep other transactions from changing this environment's configuration."""
        ...

    def raise_revision(self, environment: int) -> ConfigVersion:
        """Raise the revision by one and wake whoever watches the configuration.

        To be called once in every transaction that changes what sidecars see.
        """
        ...

    def raise_incarnation(self) -> int:
        """Raise the incarnation, after a backup was restored."""
        ...


class PromptsReader(Protocol):
    """Reads prompts."""

    def find(self, environment: int, name: str) -> PromptRow | None:
        """Find a prompt by its name."""
        ...

    def get(self, environment: int, prompt: int) -> PromptRow:
        """Read a prompt by its id; `NotFound`."""
        ...

    def list(self, environment: int) -> Sequence[PromptRow]:
        """Read all prompts, ascending by name."""
        ...


class Prompts(PromptsReader, Protocol):
    """Creates prompts."""

    def ensure(self, environment: int, name: str, change: Change) -> PromptRow:
        """Find or create a prompt."""
        ...


class VersionsReader(Protocol):
    """Reads versions."""

    def get(self, environment: int, version: int) -> VersionRow:
        """Read a version by its id; `NotFound`."""
        ...

    def by_number(self, environment: int, prompt: int, number: int) -> VersionRow | None:
        """Find a version by its number within the prompt."""
        ...

    def by_digest(self, environment: int, prompt: int, digest: str) -> VersionRow | None:
        """Find a version by its identity."""
        ...

    def list(self, environment: int, prompt: int) -> Sequence[VersionRow]:
        """Read all versions of a prompt, newest first."""
        ...

    def many(self, environment: int, versions: Iterable[int]) -> Mapping[int, VersionRow]:
        """Read versions by id; unknown ids are left out."""
        ...

    def contents(self, environment: int, versions: Iterable[int]) -> Mapping[int, bytes]:
        """Read contents by version id; unknown ids are left out."""
        ...


class Versions(VersionsReader, Protocol):
    """Adds versions; nothing changes or removes one."""

    def push(
        self, environment: int, prompt: int, digest: str, content: bytes, change: Change
    ) -> tuple[VersionRow, bool]:
        """Store a version; the same digest gives the version that is there.

        Returns:
            The version, and whether it is new.
        """
        ...


class LabelsReader(Protocol):
    """Reads labels."""

    def find(self, environment: int, prompt: int, label: str) -> LabelRow | None:
        """Tell where a label points."""
        ...

    def list(self, environment: int, prompt: int | None = None) -> Sequence[LabelRow]:
        """Read the labels of one prompt or of all, ascending by prompt and name."""
        ...

    def history(
        self, environment: int, prompt: int, label: str | None = None, limit: int = 100
    ) -> Sequence[LabelMoveRow]:
        """Read moves, newest first."""
        ...


class Labels(LabelsReader, Protocol):
    """Moves labels."""

    def move(
        self,
        environment: int,
        prompt: int,
        label: str,
        version: int,
        change: Change,
        *,
        decision: str = "",
    ) -> LabelMoveRow:
        """Point a label at a version of its prompt and record the move.

        `NotFound` when the prompt has no such version. Whether a rollout holds
        the label is the caller's question (`Rollouts.holding`).
        """
        ...
