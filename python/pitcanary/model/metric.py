"""A metric: what is observed, which direction harms, and what harm leads to.

JsonValue data, frozen per analysis generation. Margins and their defaults are chosen by
`statistics`; the counting happens in the sidecar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pitcanary.model.ids import check_name


class MetricKind(Enum):
    """How observations become numbers."""

    RATE = "rate"
    """0 or 1 per outcome."""
    SCORE = "score"
    """A bounded number per outcome."""
    MEAN = "mean"
    """A capped number per outcome, compared relative to the baseline."""
    QUANTILE = "quantile"
    """Exceedance of the baseline's quantile."""
    RATIO = "ratio"
    """One sum over another."""


class MetricSource(Enum):
    """Where an observation comes from; the names are those of the proto."""

    ERROR = "error"
    SCHEMA_FAILURE = "schema_failure"
    LATENCY = "latency"
    TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    COST = "cost"
    FLAG = "flag"
    SCORE = "score"


class Direction(Enum):
    """Which change harms."""

    UP = "up"
    DOWN = "down"


class Role(Enum):
    """What harm leads to."""

    GUARDRAIL = "guardrail"
    """The candidate is taken back."""
    SIGNAL = "signal"
    """The rollout pauses and resumes on recovery."""
    REPORT = "report"
    """Nothing; the verdict is shown."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a rollout."""

    name: str
    kind: MetricKind
    source: MetricSource
    direction: Direction = Direction.UP
    role: Role = Role.GUARDRAIL
    gating: bool = True
    """Whether its PASS is needed to raise the share; a guard that is not gating only rolls back."""
    key: str = ""
    """For flags and scores: the name that apps report; empty: the metric's own."""
    quantile: float | None = None
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        check_name("metric", self.name)
