"""Figures of rollouts for `/metrics`, replaced whole after every look.

A rollout that ended is forgotten with the next list of rollouts, so that series do
not pile up. Only the process that decides has figures; at most 200 rollouts get series
of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pitcanary.controller.agenda import Key
from pitcanary.model.assessment import Assessment, MetricAssessment
from pitcanary.model.rollout import Rollout

MOST_ROLLOUTS = 200
PLACE = ("namespace", "environment", "prompt", "rollout")


@dataclass(frozen=True, slots=True)
class Figures:
    """One rollout at its last look."""

    rollout: Rollout
    assessment: Assessment | None
    shares_actual: tuple[float, ...]
    sample_ratio_log_e: float | None
    at: datetime

    @property
    def place(self) -> tuple[str, str, str, str]:
        """Values of the labels that every series has."""
        rollout = self.rollout
        scope, spec = rollout.scope, rollout.spec
        return scope.namespace, scope.environment, spec.prompt, spec.name


class RolloutCollector(Collector):
    """Hands the figures of all rollouts to the scraper; safe between threads."""

    def __init__(self) -> None:
        self._figures: dict[Key, Figures] = {}

    def put(self, key: Key, figures: Figures) -> None:
        """Replaces the figures of a rollout."""
        self._figures = {**self._figures, key: figures}

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Forgets rollouts that are not among these."""
        known = set(keys)
        self._figures = {key: item for key, item in self._figures.items() if key in known}

    def collect(self) -> Iterator[Metric]:
        """See `Collector.collect`."""
        figures = [item for _, item in sorted(self._figures.items())][:MOST_ROLLOUTS]
        yield _info(figures)
        yield _weights(figures)
        yield _family(
            "rollout_step", "Current stage, from 1",
            [(item.place, _stage(item.rollout)) for item in figures],
        )  # fmt: skip
        yield _family(
            "rollout_duration_seconds", "Since the rollout started",
            [(item.place, _duration(item)) for item in figures],
        )  # fmt: skip
        yield _family(
            "rollout_manual_pause_duration_seconds", "Since a person paused the rollout",
            [(item.place, _paused(item)) for item in figures],
        )  # fmt: skip
        yield _family(
            "srm_pvalue", "Bound on the chance of a split as uneven as observed",
            [
                (item.place, min(1.0, math.exp(-item.sample_ratio_log_e)))
                for item in figures
                if item.sample_ratio_log_e is not None
            ],
        )  # fmt: skip
        yield from _metrics(figures)


def _metrics(figures: Sequence[Figures]) -> Iterator[Metric]:
    rows = [
        (item.place, assessed)
        for item in figures
        if item.assessment is not None
        for assessed in item.assessment.metrics
    ]
    yield _family(
        "metric_delta", "Candidate minus baseline, in the metric's unit",
        [
            ((*place, assessed.metric.name), assessed.difference.estimate)
            for place, assessed in rows
            if assessed.difference is not None
        ],
        "metric",
    )  # fmt: skip
    yield _family(
        "metric_delta_ci", "Bounds of the difference, valid at every look",
        [series for place, assessed in rows for series in _bounds(place, assessed)],
        "metric", "bound",
    )  # fmt: skip
    yield _family(
        "metric_samples", "Compared observations",
        [
            ((*place, assessed.metric.name, arm), float(count))
            for place, assessed in rows
            for arm, count in (
                ("baseline", assessed.baseline.n), ("candidate", assessed.candidate.n)
            )
        ],
        "metric", "arm",
    )  # fmt: skip
    yield _family(
        "metric_verdict", "1 for the current verdict",
        [((*place, item.metric.name, item.verdict.value), 1.0) for place, item in rows],
        "metric", "verdict",
    )  # fmt: skip


def _family(
    name: str, text: str, series: Iterable[tuple[tuple[str, ...], float]], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pitcanary_{name}", text, labels=(*PLACE, *labels))
    for values, value in series:
        family.add_metric(values, value)
    return family


def _info(figures: Sequence[Figures]) -> GaugeMetricFamily:
    return _family(
        "rollout_info", "What is being rolled out",
        [
            (
                (
                    *item.place,
                    item.rollout.state.value,
                    item.rollout.spec.strategy.value,
                    str(item.rollout.arms[0].version),
                    str(item.rollout.arms[1].version),
                ),
                1.0,
            )
            for item in figures
        ],
        "phase", "strategy", "baseline_version", "candidate_version",
    )  # fmt: skip


def _weights(figures: Sequence[Figures]) -> GaugeMetricFamily:
    series: list[tuple[tuple[str, ...], float]] = []
    for item in figures:
        for arm in item.rollout.arms:
            share = item.rollout.allocation.share(arm.index)
            series.append(((*item.place, arm.name, "set"), share))
            if item.shares_actual:
                actual = item.shares_actual[arm.index]
                series.append(((*item.place, arm.name, "actual"), actual))
    return _family("rollout_weight_ratio", "Share of an arm", series, "arm", "kind")


def _bounds(
    place: tuple[str, ...], assessed: MetricAssessment
) -> Iterator[tuple[tuple[str, ...], float]]:
    if assessed.difference is not None:
        yield (*place, assessed.metric.name, "low"), assessed.difference.low
        yield (*place, assessed.metric.name, "high"), assessed.difference.high


def _stage(rollout: Rollout) -> float:
    return float(rollout.stage.index + 1) if rollout.stage else 0.0


def _duration(item: Figures) -> float:
    started = item.rollout.started_at
    return ((item.rollout.ended_at or item.at) - started).total_seconds() if started else 0.0


def _paused(item: Figures) -> float:
    pause = item.rollout.pause
    if pause is None or pause.automatic:
        return 0.0
    return (item.at - pause.since).total_seconds()
