"""Where everything lives: a namespace and an environment.

Names, ids, keys and evidence of one scope never meet those of another.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitcanary.model.ids import check_name


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """A namespace and one of its environments."""

    namespace: str = "default"
    environment: str = "production"

    def __post_init__(self) -> None:
        check_name("namespace", self.namespace)
        check_name("environment", self.environment)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.environment}"
