//! Evidence read from a fold: variances, both e-processes, the interval.
//!
//! Pure functions of the state in `fold`. Two variances are kept apart on
//! purpose: harm is judged about the estimated effect, safety about the
//! boundary, because an effect-centred variance of few events is near zero and
//! would call any candidate safe.

use super::cell::SLICES;
use super::contrast::Family;
use super::engine_t::log_one_sided;
use super::error::KernelError;
use super::fold::Fold;
use super::interval::Interval;
use super::special::log_mean_exp;

/// Candidate observations before Engine T speaks.
pub const CANDIDATE_MINIMUM: u64 = 30;
/// Differences below this part of what is subtracted are rounding, not effects.
const ROUNDING: f64 = 1.0 / (1_u64 << 30) as f64;
/// Worst values that could have been missed with 95 % certainty: `ln 20` of them, about.
const UNSEEN_WORST: f64 = 3.0;
const SLICE_COUNT: f64 = SLICES as f64;
/// Degrees of freedom of a variance estimated from the slices.
const DEGREES: f64 = SLICE_COUNT - 1.0;

/// What the data say about one contrast at this moment. Larger values are worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Log e-value against "not worse than the margin".
    pub log_worse: f64,
    /// Log e-value against "at or beyond the margin"; high values allow an advance.
    pub log_better: f64,
    /// Estimate of `E_c − ratio × E_b − difference`.
    pub estimate: f64,
    /// Inverse variance of the estimate.
    pub information: f64,
    /// Variance of the summed deviation about the estimated effect.
    pub variance_worse: f64,
    /// Variance of the summed deviation about the boundary.
    pub variance_better: f64,
    /// How many times an independent request one request counts less.
    pub design_effect: f64,
    /// Stratified means of the arms, in the metric's own direction.
    pub baseline_value: f64,
    /// The candidate's.
    pub candidate_value: f64,
    /// Compared observations of the baseline.
    pub baseline_n: u64,
    /// Compared observations of the candidate.
    pub candidate_n: u64,
    /// Slices in which the candidate has observations, of 64.
    pub candidate_slices: u32,
    /// Strata compared.
    pub strata: u64,
    /// Strata left out because one arm was empty.
    pub one_armed: u64,
    /// Strata left out because the margin was not known yet.
    pub waiting: u64,
    /// Whether the engine may speak; until then both logarithms are 0.
    pub started: bool,
}

impl Fold {
    /// Evidence of everything absorbed so far.
    pub fn evidence(&self) -> Evidence {
        let sums = &self.sums;
        let estimate = self.estimate();
        let noise = (ROUNDING * sums.magnitude) * (ROUNDING * sums.magnitude);
        let spread = self.spread_about(estimate);
        let variance_worse = sums.floor.max(spread).max(noise);
        let variance_better = self.variance_better(noise);
        let (log_worse, log_better) = match self.contrast.family {
            Family::Rate => self.engine_r(spread, variance_better),
            Family::Mean => self.engine_t(variance_worse, variance_better),
        };
        let (baseline_value, candidate_value) = self.values();
        Evidence {
            log_worse,
            log_better,
            estimate,
            information: information(sums.weight, variance_worse),
            variance_worse,
            variance_better,
            design_effect: self.design_effect(spread),
            baseline_value,
            candidate_value,
            baseline_n: self.baseline_n,
            candidate_n: self.candidate_n,
            candidate_slices: self.candidate_slices.count_ones(),
            strata: self.strata,
            one_armed: self.one_armed,
            waiting: self.waiting,
            started: self.started(),
        }
    }

    /// The anytime-valid two-sided interval of candidate minus baseline.
    ///
    /// # Errors
    ///
    /// [`KernelError::NotADifference`] if the contrast has a margin.
    pub fn interval(&self, alpha: f64) -> Result<Interval, KernelError> {
        if !self.contrast.is_difference() {
            return Err(KernelError::NotADifference);
        }
        let evidence = self.evidence();
        let Some((tau, _)) = self.tuning.taus else {
            return Ok(Interval::UNKNOWN);
        };
        let (estimate, known) = (evidence.estimate, evidence.information);
        Ok(Interval::around(
            estimate,
            known,
            1.0 / (tau * tau),
            DEGREES,
            alpha,
        ))
    }

    fn started(&self) -> bool {
        match self.contrast.family {
            Family::Rate => self.strata > 0,
            Family::Mean => self.candidate_n >= CANDIDATE_MINIMUM && self.tuning.taus.is_some(),
        }
    }

    fn estimate(&self) -> f64 {
        if self.sums.weight > 0.0 {
            self.sums.deviation / self.sums.weight
        } else {
            0.0
        }
    }

    /// Variance of the summed deviation from the slices, about the estimated effect.
    fn spread_about(&self, estimate: f64) -> f64 {
        let mut residual = self.deviation;
        let mut total = 0.0;
        for (value, share) in residual.iter_mut().zip(self.share) {
            *value -= estimate * share;
            total += *value;
        }
        let mean = total / SLICE_COUNT;
        let mut squares = 0.0;
        for value in residual {
            squares += (value - mean) * (value - mean);
        }
        squares * SLICE_COUNT / DEGREES
    }

    /// The same about the boundary: an effect away from it must not shrink the variance.
    fn null_spread(&self) -> f64 {
        let mut squares = 0.0;
        for value in self.deviation {
            squares += value * value;
        }
        squares
    }

    /// The variance that judges safety: what was seen, and what should have been.
    ///
    /// A candidate of few users has met none of those who err most often, so its own
    /// slices look calm. The baseline's many users tell how much users repeat themselves.
    fn variance_better(&self, noise: f64) -> f64 {
        let repeated = self.sums.floor * self.baseline_effect();
        (repeated + self.unseen_harm())
            .max(self.null_spread())
            .max(noise)
    }

    /// The design effect in the baseline alone.
    fn baseline_effect(&self) -> f64 {
        let mut squares = 0.0;
        for value in self.baseline_own {
            squares += value * value;
        }
        over(squares * SLICE_COUNT / DEGREES, self.sums.baseline_floor)
    }

    /// Variance that the worst values not seen yet could add (the rule of three).
    fn unseen_harm(&self) -> f64 {
        let Some(worst) = self.contrast.worst else {
            return 0.0;
        };
        if self.candidate_n == 0 {
            return 0.0;
        }
        let (_, candidate) = self.values();
        let distance = worst - candidate;
        let unseen = UNSEEN_WORST / self.candidate_n as f64;
        self.sums.candidate_share * unseen * distance * distance
    }

    /// Rao and Scott's tempering of both directions.
    fn engine_r(&self, spread: f64, variance_better: f64) -> (f64, f64) {
        let worse = over(spread, self.sums.free);
        let better = over(variance_better, self.sums.floor);
        (
            log_mean_exp(&self.worse, worse),
            log_mean_exp(&self.better, better),
        )
    }

    fn engine_t(&self, variance_worse: f64, variance_better: f64) -> (f64, f64) {
        let Some((tau_worse, tau_better)) = self.tuning.taus else {
            return (0.0, 0.0);
        };
        if self.candidate_n < CANDIDATE_MINIMUM || variance_worse <= 0.0 || variance_better <= 0.0 {
            return (0.0, 0.0);
        }
        let one_side = |sign: f64, variance: f64, tau: f64| {
            let t = sign * self.sums.deviation / libm::sqrt(variance);
            log_one_sided(
                t,
                information(self.sums.weight, variance),
                1.0 / (tau * tau),
                DEGREES,
            )
        };
        (
            one_side(1.0, variance_worse, tau_worse),
            one_side(-1.0, variance_better, tau_better),
        )
    }

    fn design_effect(&self, spread: f64) -> f64 {
        match self.contrast.family {
            Family::Rate => over(spread, self.sums.free),
            Family::Mean => over(spread, self.sums.floor),
        }
    }

    /// The arms' stratified means, turned back into the metric's own direction.
    fn values(&self) -> (f64, f64) {
        let sums = &self.sums;
        if sums.weight <= 0.0 {
            return (0.0, 0.0);
        }
        let turn = |value: f64| self.contrast.own_direction(value);
        (
            turn(sums.baseline / sums.weight),
            turn(sums.candidate / sums.weight),
        )
    }
}

/// A design effect: never below 1, and 1 while there is no variance to compare.
fn over(variance: f64, independent: f64) -> f64 {
    if independent > 0.0 {
        (variance / independent).max(1.0)
    } else {
        1.0
    }
}

fn information(weight: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        weight * weight / variance
    } else {
        0.0
    }
}
