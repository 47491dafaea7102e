"""How fast a configuration reaches the fleet, and who is late.

Counts from the moment a configuration was published here to each sidecar's
acknowledgement, which a sidecar sends when the configuration is on its disk and
in force. Knows no sockets: the hub says what happened and when.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pitcanary.store.interface import ConfigVersion


@dataclass(frozen=True, slots=True)
class PropagationReport:
    """What became of one published configuration.

    Seconds are None while nobody has acknowledged. `stragglers` names who was
    connected and has not acknowledged, ascending.
    """

    version: ConfigVersion
    rollouts: frozenset[int]
    expected: int
    acknowledged: int
    p50_seconds: float | None
    p99_seconds: float | None
    stragglers: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Everybody who was connected serves it."""
        return not self.stragglers


@dataclass(slots=True)
class Propagation:
    """One publication on its way; `started` is monotonic seconds."""

    version: ConfigVersion
    rollouts: frozenset[int]
    started: float
    waiting: set[str]
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def start(
        cls, version: ConfigVersion, rollouts: frozenset[int], now: float, sidecars: Iterable[str]
    ) -> Propagation:
        """Begins to measure; `rollouts` are those whose arms it takes back."""
        return cls(version, rollouts, now, set(sidecars))

    def acknowledged(self, sidecar: str, version: ConfigVersion, now: float) -> None:
        """Counts a sidecar that serves this or a later configuration."""
        if version >= self.version and sidecar in self.waiting:
            self.waiting.remove(sidecar)
            self.seconds.append(now - self.started)

    def report(self) -> PropagationReport:
        """Tells how far it is."""
        ordered = sorted(self.seconds)
        return PropagationReport(
            version=self.version,
            rollouts=self.rollouts,
            expected=len(ordered) + len(self.waiting),
            acknowledged=len(ordered),
            p50_seconds=nearest_rank(ordered, 0.50),
            p99_seconds=nearest_rank(ordered, 0.99),
            stragglers=tuple(sorted(self.waiting)),
        )


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed.

    Examples:
        >>> nearest_rank([1.0, 2.0, 3.0, 4.0], 0.5)
        2.0
    """
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
