"""Folds a sealed bundle into every metric and judges what all of them say.

The walk over metrics and strata is in a fixed order, because floating sums depend
on it. Which numbers a stratum gives is the extension's business, what a verdict
needs that of `statistics`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pitcanary._native import Bundle
from pitcanary.controller.analysis.facts import (
    measurement_error,
    sample_ratio_log_e,
    shares_of,
    stage_units,
    unit_count,
)
from pitcanary.controller.analysis.folded import CANDIDATE, Folded, SealedTick
from pitcanary.errors import EvidenceRefused
from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.assessment import Assessment
from pitcanary.model.rollout import Rollout
from pitcanary.statistics.assess import Observed, Rules, assess
from pitcanary.statistics.forecast import Progress

KEPT_SEALS = 512
"""Seals named in the notes: more than lie between two decisions."""


def absorb(folded: Folded, rollout: Rollout, bundle: Bundle, sealed: SealedTick) -> Folded:
    """Folds the evidence of one seal.

    Raises:
        EvidenceRefused: The evidence does not fit the rollout's metrics.
    """
    for number, folds in enumerate(folded.folds):
        strata = bundle.comparisons(
            rollout=rollout.id,
            generation=rollout.analysis_generation,
            metric=number,
            arm=CANDIDATE,
        )
        for _epoch, _threshold_set, _segment, baseline, candidate in strata:
            folds.absorb(baseline, candidate)
    try:
        lasting = Bundle.merge([folded.lasting, bundle.lasting()])
    except ValueError as error:
        raise EvidenceRefused(f"sealed evidence cannot be merged: {error}") from None
    notes = replace(
        folded.notes,
        shares_actual=shares_of(bundle, rollout),
        sealed=(*folded.notes.sealed, sealed)[-KEPT_SEALS:],
    )
    return replace(folded, lasting=lasting, notes=notes, tick=sealed.tick)


def conclude(folded: Folded, rollout: Rollout, now: datetime) -> Folded:
    """Judges all evidence so far and notes what the gate will ask."""
    units, mixed = stage_units(folded, rollout)
    notes = replace(
        folded.notes,
        assessment=_judge(folded, rollout, now),
        sealed_at=now,
        units=units,
        units_mixed=mixed,
        sample_ratio_log_e=sample_ratio_log_e(folded, rollout),
    )
    return replace(folded, notes=notes)


def _judge(folded: Folded, rollout: Rollout, now: datetime) -> Assessment:
    """What the evidence says, with the running maxima of earlier seals."""
    policies, share = rollout.spec.policies, _share(rollout)
    readings = [folds.read(share) for folds in folded.folds]
    observed = [
        Observed(
            metric=metric,
            reading=reading,
            error=measurement_error(folded, rollout, number, reading),
            muted=metric.name in rollout.muted,
        )
        for number, (metric, reading) in enumerate(zip(rollout.spec.metrics, readings, strict=True))
    ]
    return assess(
        observed,
        Rules(share=share, alpha=policies.alpha, alpha_advance=policies.alpha_advance),
        previous=folded.notes.assessment,
        progress=_progress(folded, rollout, now),
    )


def _share(rollout: Rollout) -> float:
    """The share whose margins hold: that of the stage, without the hold-back."""
    stage = rollout.current_stage
    return stage.owned_slots / SLOT_COUNT if stage else rollout.candidate_share


def _progress(folded: Folded, rollout: Rollout, now: datetime) -> Progress:
    horizon = rollout.spec.policies.horizon
    elapsed = (now - rollout.started_at) / horizon.max_time if rollout.started_at else 0.0
    counted = rollout.outcomes / horizon.max_outcomes
    return Progress(used=min(max(elapsed, counted), 1.0), units=unit_count(folded, rollout))
