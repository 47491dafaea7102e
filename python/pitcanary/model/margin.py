"""How much harm is accepted: margins, and which holds at which share.

Plain data. Which part of a margin a kind of metric uses is checked here; what a margin
does to a test is `statistics.metrics`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pitcanary.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Margin:
    """The largest harm that is accepted.

    Rates and means use `ratio` (1.25 is a quarter more; below 1 where smaller is
    worse, for a mean). A rate may have a `floor`: the margin is then at least
    `baseline + floor`. Scores use `difference`, quantiles whole `buckets` of scale 6
    (16 are a factor of 1.19).
    """

    ratio: float = 1.0
    difference: float = 0.0
    floor: float = 0.0
    buckets: int = 0

    def check(self, where: str, kind: str, direction: str) -> None:
        """Refuses parts that a kind of metric has no use for.

        Raises:
            InvalidValue: Naming the place, the value and the rule.
        """
        used = _USED[kind]
        for name, neutral in _NEUTRAL.items():
            value = getattr(self, name)
            if name not in used and value != neutral:
                raise InvalidValue(f"{where} has {name} `{value}`; a {kind} uses {used[0]}")
            if not math.isfinite(value) or value < 0:
                raise InvalidValue(f"{where} has {name} `{value}`; use a number from 0 on")
        low, high = _ratio_range(kind, direction)
        if not low <= self.ratio <= high:
            raise InvalidValue(f"{where} has ratio `{self.ratio}`; use {low:g} to {high:g}")
        if self.floor > 1 or self.buckets > _LARGEST_SHIFT:
            raise InvalidValue(f"{where} is larger than any harm: `{self}`")


@dataclass(frozen=True, slots=True)
class StageMargin:
    """The margin to exclude before a stage of at most this share may end."""

    share: float
    margin: Margin

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InvalidValue(f"share `{self.share}` of a margin lies outside 0..1")


UNSET = Margin(ratio=0.0)
"""Stands for "the default of the kind" until the metric is made; no test uses it."""

_NEUTRAL = {"ratio": 1.0, "difference": 0.0, "floor": 0.0, "buckets": 0}
_USED = {
    "rate": ("ratio", "floor"),
    "mean": ("ratio",),
    "score": ("difference",),
    "quantile": ("buckets",),
}
_LARGEST_SHIFT = 640
"""Ten doublings."""


def _ratio_range(kind: str, direction: str) -> tuple[float, float]:
    return (0.01, 1.0) if (kind, direction) == ("mean", "down") else (1.0, 100.0)
