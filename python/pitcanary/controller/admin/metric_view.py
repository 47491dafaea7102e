"""One row per metric: both arms, their difference, the limit, the verdict, in words.

A quantile is tested as the part above the baseline's quantile, but people want the
quantile itself: it is read from the distributions, within the width of a bucket.
"""

from __future__ import annotations

from pitcanary.controller.analysis.folded import CANDIDATE, Folded
from pitcanary.model.assessment import MetricAssessment
from pitcanary.model.metric import Metric, MetricKind
from pitcanary.model.rollout import Rollout
from pitcanary.rollout.thresholds import quantile_bucket
from pitcanary.statistics.words import (
    difference_sentence,
    evidence_sentence,
    forecast_sentence,
    margin_words,
    weight_sentence,
)

BUCKETS_PER_DOUBLING = 64
"""Of the histograms' scale 6."""


def metric_rows(folded: Folded, rollout: Rollout) -> list[dict[str, object]]:
    """The rows in the order of the specification; bare ones before the first seal."""
    assessment = folded.notes.assessment
    assessed = {item.metric.name: item for item in assessment.metrics} if assessment else {}
    rows: list[dict[str, object]] = []
    for number, metric in enumerate(rollout.spec.metrics):
        row = _definition(metric, rollout)
        row["quantiles"] = _quantiles(folded, rollout, number, metric)
        if metric.name in assessed:
            row |= _findings(assessed[metric.name])
        rows.append(row)
    return rows


def _definition(metric: Metric, rollout: Rollout) -> dict[str, object]:
    stage = rollout.current_stage
    margin = metric.margin_at(stage.share if stage else 1.0)
    return {
        "name": metric.name,
        "kind": metric.kind,
        "source": metric.source,
        "role": metric.role,
        "direction": metric.direction,
        "gating": metric.gating,
        "limit": margin_words(metric, margin),
        "rollback_limit": margin_words(metric, metric.rollback),
        "verdict": "insufficient_data",
    }


def _findings(assessed: MetricAssessment) -> dict[str, object]:
    return {
        "verdict": assessed.verdict,
        "reason": assessed.reason,
        "baseline": assessed.baseline,
        "candidate": assessed.candidate,
        "difference": assessed.difference,
        "relative": assessed.relative,
        "log_e_worse": assessed.log_e_worse,
        "log_e_better": assessed.log_e_better,
        "weight": assessed.weight,
        "contribution": assessed.contribution,
        "confirmed": assessed.confirmed,
        "design_effect": assessed.design_effect,
        "sentences": {
            "difference": difference_sentence(assessed),
            "evidence": evidence_sentence(assessed),
            "weight": weight_sentence(assessed),
            "forecast": forecast_sentence(assessed.forecast) if assessed.forecast else None,
        },
    }


def _quantiles(
    folded: Folded, rollout: Rollout, number: int, metric: Metric
) -> dict[str, float | None] | None:
    """The quantile of each arm in counted units; None for other kinds."""
    if metric.kind is not MetricKind.QUANTILE or metric.quantile is None:
        return None
    return {
        arm.name: _quantile(folded, rollout, number, arm.index, metric.quantile)
        for arm in rollout.arms[: CANDIDATE + 1]
    }


def _quantile(
    folded: Folded, rollout: Rollout, number: int, arm: int, quantile: float
) -> float | None:
    counts = folded.lasting.distribution(rollout.id, rollout.analysis_generation, number, arm)
    bucket = quantile_bucket(counts, quantile)
    if bucket is None:
        return None
    return float(2.0 ** ((bucket + 0.5) / BUCKETS_PER_DOUBLING))
