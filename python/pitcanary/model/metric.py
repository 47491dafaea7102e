"""A metric: what is observed, which direction harms, and what harm leads to.

Plain data, frozen per analysis generation: defaults are filled in when a metric is
made, so a later release with other defaults changes no running rollout. What the
numbers mean to the tests is `statistics.metrics`; the counting happens in the sidecar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from pitcanary.errors import InvalidValue
from pitcanary.model.ids import check_name
from pitcanary.model.margin import UNSET, Margin, StageMargin
from pitcanary.model.margin_defaults import default_advance, default_rollback


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
    """One metric of a rollout.

    Margins that are not given become those of the kind. `rollback` is the harm that is
    tolerated before the candidate is taken back, `advance` the harm that must be
    excluded before a share rises, by share. `cap` bounds the values of a mean, in its
    unit; without it, nothing says what the worst unseen value could be.
    """

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
    cap: float | None = None
    rollback: Margin = UNSET
    advance: tuple[StageMargin, ...] = ()

    def __post_init__(self) -> None:
        check_name("metric", self.name)
        _check_source(self)
        _check_quantile(self)
        _check_bounds(self)
        kind, direction = self.kind.value, self.direction.value
        if self.rollback == UNSET:
            object.__setattr__(self, "rollback", default_rollback(kind, direction, self._range))
        if not self.advance:
            object.__setattr__(self, "advance", default_advance(kind, direction, self._range))
        _check_margins(self)

    def margin_at(self, share: float) -> Margin:
        """The margin for a stage: that of the next larger listed share, else of the last."""
        for step in self.advance:
            if share <= step.share + 1e-9:
                return step.margin
        return self.advance[-1].margin

    @property
    def bucket_shifts(self) -> tuple[int, ...]:
        """For a quantile: buckets above the baseline's quantile that must be counted, rising.

        The first is 0, the quantile's own bucket; empty for other kinds.
        """
        if self.kind is not MetricKind.QUANTILE:
            return ()
        margins = (self.rollback, *(step.margin for step in self.advance))
        return tuple(sorted({0, *(margin.buckets for margin in margins)}))

    @property
    def _range(self) -> float:
        """The width of a score's scale; 1 for everything else."""
        if self.minimum is None or self.maximum is None:
            return 1.0
        return self.maximum - self.minimum


_SOURCES: dict[MetricKind, frozenset[MetricSource]] = {
    MetricKind.RATE: frozenset(
        {MetricSource.ERROR, MetricSource.SCHEMA_FAILURE, MetricSource.FLAG}
    ),
    MetricKind.SCORE: frozenset({MetricSource.SCORE}),
    MetricKind.QUANTILE: frozenset({MetricSource.LATENCY, MetricSource.TIME_TO_FIRST_TOKEN}),
    MetricKind.MEAN: frozenset(
        {MetricSource.COST, MetricSource.INPUT_TOKENS, MetricSource.OUTPUT_TOKENS}
    ),
    MetricKind.RATIO: frozenset(),
}


def _check_source(metric: Metric) -> None:
    allowed = sorted(source.value for source in _SOURCES[metric.kind])
    if not allowed:
        raise InvalidValue(_wrong(metric, "kind", metric.kind.value, "it cannot be tested yet"))
    if metric.source.value not in allowed:
        rule = f"a {metric.kind.value} reads one of {', '.join(allowed)}"
        raise InvalidValue(_wrong(metric, "source", metric.source.value, rule))


def _check_quantile(metric: Metric) -> None:
    if metric.kind is not MetricKind.QUANTILE:
        if metric.quantile is not None:
            rule = "only a quantile has one"
            raise InvalidValue(_wrong(metric, "quantile", metric.quantile, rule))
        return
    if metric.quantile is None or not 0 < metric.quantile < 1:
        raise InvalidValue(_wrong(metric, "quantile", metric.quantile, "use 0.95 for a p95"))
    if metric.direction is Direction.DOWN:
        rule = "a quantile harms upwards"
        raise InvalidValue(_wrong(metric, "direction", metric.direction.value, rule))


def _check_bounds(metric: Metric) -> None:
    bounds = (metric.minimum, metric.maximum)
    if metric.kind is MetricKind.SCORE:
        if None in bounds or not -math.inf < metric.minimum < metric.maximum < math.inf:  # type: ignore[operator]
            rule = "a score needs `minimum` below `maximum`"
            raise InvalidValue(_wrong(metric, "minimum", metric.minimum, rule))
    elif bounds != (None, None):
        rule = "only a score has bounds"
        raise InvalidValue(_wrong(metric, "minimum", metric.minimum, rule))
    if metric.cap is not None and (metric.kind is not MetricKind.MEAN or not 0 < metric.cap < 1e15):
        raise InvalidValue(_wrong(metric, "cap", metric.cap, "only a mean has one, above 0"))


def _check_margins(metric: Metric) -> None:
    kind, direction = metric.kind.value, metric.direction.value
    metric.rollback.check(f"metric `{metric.name}`: `rollback`", kind, direction)
    for step in metric.advance:
        step.margin.check(f"metric `{metric.name}`: `advance`", kind, direction)
    for earlier, later in pairwise(metric.advance):
        if later.share <= earlier.share:
            raise InvalidValue(_wrong(metric, "advance", later.share, "shares must rise"))


def _wrong(metric: Metric, field: str, value: object, rule: str) -> str:
    return f"metric `{metric.name}`: `{field}` is `{value}`; {rule}"
