"""A metric as the kernel sees it: which contrasts are folded, in which unit.

Every metric is folded once per margin: the rollback margin, each margin of the ladder,
and no margin at all for the interval that people read. Thresholds of evidence are not
here but in `assess`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pitcanary._native import ArmCell, Evidence, Fold
from pitcanary.errors import EvidenceRefused
from pitcanary.model.margin import Margin
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource

SCORE_SCALE = 1_000_000
"""Scores are counted in millionths."""
NANOS = 1_000_000_000
"""Costs are counted in billionths of the currency."""


def scale(metric: Metric) -> int:
    """How many counted units make one of the metric's own."""
    if metric.kind is MetricKind.SCORE:
        return SCORE_SCALE
    return NANOS if metric.source is MetricSource.COST else 1


def empty_fold(metric: Metric, margin: Margin) -> Fold:
    """The fold of one margin before any data."""
    harm = "up" if metric.direction is Direction.UP else "down"
    if metric.kind is MetricKind.QUANTILE:
        # The margin is in the bucket that the candidate is counted above.
        return Fold("rate", "up", 1.0, 0.0)
    if metric.kind is MetricKind.RATE:
        floor = margin.floor if margin.floor > 0 else None
        return Fold("rate", harm, margin.ratio, 0.0, floor=floor)
    difference = margin.difference * scale(metric)
    return Fold("mean", harm, margin.ratio, difference, worst=worst_value(metric))


def worst_value(metric: Metric) -> float | None:
    """The most harmful value an observation can take, in counted units, if there is one."""
    if metric.kind is MetricKind.MEAN:
        if metric.direction is Direction.DOWN:
            return 0.0
        return None if metric.cap is None else metric.cap * scale(metric)
    bound = metric.maximum if metric.direction is Direction.UP else metric.minimum
    return None if bound is None else bound * scale(metric)


def _margins(metric: Metric) -> tuple[Margin, ...]:
    """All margins in a fixed order: none, rollback, ladder; the order of stored folds."""
    ladder = [step.margin for step in metric.advance]
    return tuple(dict.fromkeys((Margin(), metric.rollback, *ladder)))


@dataclass(frozen=True, slots=True)
class Reading:
    """What the folds of one metric say at one share."""

    rollback: Evidence
    stage: Evidence
    difference: tuple[float, float, float]
    """Estimate, low and high in counted units; larger is worse."""


class MetricFolds:
    """The folded state of one metric of one candidate.

    Cells come as one per bucket of the metric's threshold set, rising as in
    `Metric.bucket_shifts`; other kinds have exactly one.
    """

    def __init__(self, metric: Metric, folds: Sequence[Fold] | None = None) -> None:
        self.metric = metric
        self._margins = _margins(metric)
        self._folds = (
            [empty_fold(metric, m) for m in self._margins] if folds is None else list(folds)
        )

    def absorb(self, baseline: Sequence[ArmCell], candidate: Sequence[ArmCell]) -> None:
        """Folds one sealed stratum into every margin; on an error nothing changes.

        Raises:
            EvidenceRefused: When the cells cannot be, or are not one per bucket.
        """
        shifts = self.metric.bucket_shifts or (0,)
        if not len(baseline) == len(candidate) == len(shifts):
            raise EvidenceRefused(
                f"metric `{self.metric.name}` needs `{len(shifts)}` cells per arm, "
                f"not `{len(baseline)}` and `{len(candidate)}`"
            )
        folds = [fold.copy() for fold in self._folds]
        try:
            for margin, fold in zip(self._margins, folds, strict=True):
                fold.absorb(baseline[0], candidate[shifts.index(margin.buckets)])
        except ValueError as error:
            raise EvidenceRefused(f"metric `{self.metric.name}`: {error}") from None
        self._folds = folds

    def read(self, share: float, *, alpha: float = 0.05) -> Reading:
        """The evidence for a stage of this share, with an interval at `alpha`."""
        by_margin = dict(zip(self._margins, self._folds, strict=True))
        return Reading(
            rollback=by_margin[self.metric.rollback].evidence(),
            stage=by_margin[self.metric.margin_at(share)].evidence(),
            difference=by_margin[Margin()].interval(alpha),
        )

    def to_bytes(self) -> bytes:
        """The whole state, bit for bit."""
        parts = [fold.to_bytes() for fold in self._folds]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)

    @classmethod
    def from_bytes(cls, metric: Metric, data: bytes) -> MetricFolds:
        """Reads what `to_bytes` of the same metric wrote.

        Raises:
            EvidenceRefused: For anything else.
        """
        folds = []
        try:
            while data:
                (length,) = struct.unpack_from("<I", data)
                folds.append(Fold.from_bytes(data[4 : 4 + length]))
                data = data[4 + length :]
        except (struct.error, ValueError) as error:
            raise EvidenceRefused(f"metric `{metric.name}`: {error}") from None
        expected = [empty_fold(metric, margin) for margin in _margins(metric)]
        if [fold.contrast for fold in folds] != [fold.contrast for fold in expected]:
            raise EvidenceRefused(
                f"metric `{metric.name}`: stored folds are of other margins; "
                "fold the sealed cells again"
            )
        return cls(metric, folds)
