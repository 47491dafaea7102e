"""Everything the gate looks at, and the questions it asks of it.

Facts and arithmetic only; which answer leads to which action is `rollout.gate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pitcanary.model.allocation import SLOT_COUNT
from pitcanary.model.assessment import Assessment, MetricAssessment
from pitcanary.model.health import Health
from pitcanary.model.metric import Metric, Role
from pitcanary.model.rollout import Rollout, StageProgress
from pitcanary.model.spec import Policies, Stage
from pitcanary.model.verdict import Verdict
from pitcanary.rollout.schedule import MOST_SEALS, SealSchedule

SAMPLE_RATIO_LOG_E = 6.907755278982137
"""ln 1000: split otherwise than decided, at α = 0.001 over the whole stage."""

UNITS_FOR_EXPOSURE = 100
"""Units below which a mixed share says nothing."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One rollout at one moment; `assessment` is None before the first sealed tick."""

    rollout: Rollout
    assessment: Assessment | None
    health: Health
    now: datetime

    @property
    def policies(self) -> Policies:
        """What the owner wants."""
        return self.rollout.spec.policies

    @property
    def stage(self) -> Stage:
        """The current stage as specified."""
        return self.rollout.spec.stages[self.progress.index]

    @property
    def progress(self) -> StageProgress:
        """What happened in the current stage; a rollout before its start has no stage."""
        if self.rollout.stage is None:
            raise ValueError("the rollout has not started")
        return self.rollout.stage

    @property
    def metrics(self) -> tuple[MetricAssessment, ...]:
        """What the evidence says per metric; empty before the first sealed tick."""
        return self.assessment.metrics if self.assessment else ()

    def culprits(self) -> tuple[str, ...] | None:
        """The metrics that ask for a rollback; None when nothing does.

        Empty when the average over all guardrails asks for it and no metric stands out.
        Harm that a person knew of when promoting does not count again.
        """
        found = self.assessment
        regressed = self._regressed(Role.GUARDRAIL)
        if found is None or not (found.harmed or regressed):
            return None
        blamed = dict.fromkeys((*found.culprits, *found.suspects, *regressed))
        others = tuple(name for name in blamed if name not in self.rollout.muted)
        return None if not others and self._known_harm(found) else others

    def signals_harmed(self) -> tuple[str, ...]:
        """The signals that show harm now and that no person has muted."""
        found = self.assessment
        if found is None:
            return ()
        named = dict.fromkeys((*found.signals_harmed, *self._regressed(Role.SIGNAL)))
        return tuple(name for name in named if name not in self.rollout.muted)

    def _regressed(self, role: Role) -> tuple[str, ...]:
        return tuple(
            m.metric.name
            for m in self.metrics
            if m.verdict is Verdict.REGRESSED and m.metric.role is role
        )

    def _known_harm(self, found: Assessment) -> bool:
        """Whether the harm is that of muted guardrails alone.

        The running maximum keeps their evidence; the average of today leaves them out.
        """
        muted = {m.metric.name for m in self.metrics if m.metric.role is Role.GUARDRAIL}
        return bool(muted & set(self.rollout.muted)) and found.log_e < -math.log(found.alpha)

    def signals_recovered(self) -> bool:
        """Whether every signal is measured and none shows harm."""
        if self.assessment is None or self.signals_harmed():
            return False
        unmeasured = (Verdict.MEASUREMENT_ERROR, Verdict.INSUFFICIENT_DATA)
        return not any(
            m.metric.role is Role.SIGNAL and m.verdict in unmeasured for m in self.metrics
        )

    def gating(self, *verdicts: Verdict) -> tuple[str, ...]:
        """The gating metrics whose verdict is one of these."""
        return tuple(
            m.metric.name for m in self.metrics if _gates(m.metric) and m.verdict in verdicts
        )

    def unobserved(self) -> tuple[str, ...]:
        """The gating metrics with too few observations, or none at all."""
        assessed = {m.metric.name for m in self.metrics}
        absent = (m.name for m in self.rollout.spec.metrics if _gates(m) and m.name not in assessed)
        return (*self.gating(Verdict.INSUFFICIENT_DATA), *absent)

    def unmeasured(self) -> tuple[str, ...]:
        """The metrics that could not be measured, those that gate nothing included.

        A guard that sees nothing is no guard, so the ramp waits for it.
        """
        return tuple(
            m.metric.name
            for m in self.metrics
            if m.verdict is Verdict.MEASUREMENT_ERROR and m.metric.role is not Role.REPORT
        )

    def all_pass(self) -> bool:
        """Whether every gating metric of the specification has a PASS for this stage.

        Asked of the specification, so a metric that is missing from the assessment
        blocks; an assessment made for a smaller share, with wider margins, is none.
        """
        found = self.assessment
        if found is None or not found.may_advance:
            return False
        named = {verdict: self._named(verdict) for verdict in (Verdict.PASS, Verdict.MUTED)}
        needed = {m.name for m in self.rollout.spec.metrics if _gates(m)} - named[Verdict.MUTED]
        own_share = self.stage.owned_slots / SLOT_COUNT
        return bool(needed) and needed <= named[Verdict.PASS] and found.share >= own_share - 1e-9

    def _named(self, verdict: Verdict) -> set[str]:
        return {m.metric.name for m in self.metrics if m.verdict is verdict}

    def waited_from(self) -> datetime:
        """When the stage may end at the earliest; deadlines of policies count from here."""
        return self.progress.since + self.stage.min_time

    def horizon_at(self) -> datetime | None:
        """When the horizon was reached; None while it lies ahead."""
        reached = self.rollout.horizon_at()
        progress = self.progress
        if progress.seals >= MOST_SEALS and progress.sealed_at is not None:
            reached = min(reached, progress.sealed_at) if reached else progress.sealed_at
        return reached if reached is not None and self.now >= reached else None

    def stale_after(self) -> timedelta:
        """The age at which the newest counts are too old to decide on."""
        schedule = SealSchedule(self.policies.tick, self.policies.horizon.max_time)
        between = schedule.interval(max(self.progress.seals - 1, 0)) or self.policies.tick
        return 2 * max(between, self.health.flush_interval)


def _gates(metric: Metric) -> bool:
    return metric.gating and metric.role is not Role.REPORT
