"""What the evidence says at one tick: per metric and for the rollout as a whole.

Plain data, written into the decision record. Numbers are in the metric's own unit and
direction; `log_e_…` are natural logarithms of e-values. Made by `statistics.assess`,
put into words by `statistics.words`, acted on by `rollout.gate`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitcanary.model.margin import Margin
from pitcanary.model.metric import Metric
from pitcanary.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm's compared observations and their stratified mean.

    The mean of a rate lies in 0..1, and so does that of a quantile: it is the part
    above the baseline's quantile.
    """

    n: int
    value: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """Candidate minus baseline with its 95 % bounds, valid at every look.

    A bound is infinite while the data do not limit it.
    """

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a metric that is open today will have told by the horizon.

    `growth_needed` is how many times today's information the stage's margin needs,
    and `growth_expected` what the horizon brings if traffic goes on. `units_needed`
    and `share_needed` are two ways out; no share may be enough.
    """

    growth_needed: float
    growth_expected: float
    units_needed: int | None = None
    share_needed: float | None = None

    @property
    def decidable(self) -> bool:
        """Whether the horizon brings enough."""
        return self.growth_expected >= self.growth_needed


@dataclass(frozen=True, slots=True)
class MetricAssessment:
    """One metric of one candidate.

    `log_e_worse` speaks against "not worse than the rollback margin", `log_e_better`
    against "at or beyond the stage's margin"; only the latter allows an advance.
    `weight` is the metric's part in the average that decides on a rollback and
    `contribution` its part of that average's evidence. `confirmed` culprits reach the
    threshold alone. `design_effect` says how many observations count like one.
    """

    metric: Metric
    verdict: Verdict
    reason: str
    baseline: ArmFigures
    candidate: ArmFigures
    stage_margin: Margin
    log_e_worse: float
    log_e_worse_peak: float
    log_e_better: float
    weight: float = 0.0
    contribution: float = 0.0
    confirmed: bool = False
    difference: Bounds | None = None
    relative: Bounds | None = None
    design_effect: float = 1.0
    candidate_slices: int = 0
    forecast: Forecast | None = None

    @property
    def effective_candidate_n(self) -> float:
        """Independent observations that the candidate's are worth."""
        return self.candidate.n / self.design_effect


@dataclass(frozen=True, slots=True)
class Assessment:
    """All metrics of one candidate against the baseline.

    `harmed` asks for a rollback and `may_advance` allows the share to rise; both false
    is the normal state of waiting. `log_e_peak` is the running maximum that makes the
    rollback rule hold at every look. `blocking` names gating metrics without a PASS,
    `signals_harmed` those that only pause.
    """

    share: float
    alpha: float
    alpha_advance: float
    metrics: tuple[MetricAssessment, ...]
    log_e: float
    log_e_peak: float
    harmed: bool
    may_advance: bool
    culprits: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    signals_harmed: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    undecidable: tuple[str, ...] = ()

    def metric(self, name: str) -> MetricAssessment:
        """The assessment of one metric.

        Raises:
            KeyError: When there is none of that name.
        """
        for assessed in self.metrics:
            if assessed.metric.name == name:
                return assessed
        raise KeyError(name)
