//! The state of one contrast: sealed strata fold into it, evidence comes out.
//!
//! A fold never forgets and never resets: the same processes run for the whole
//! life of a rollout. Strata must be absorbed in key order, since floating sums
//! depend on it. Tuning is frozen by the first data that allow it, because a
//! mixture that is re-tuned by later data is no longer a mixture.

use super::cell::{ArmCell, Moments, SLICES};
use super::contrast::{Contrast, Family, Margin, TUNING_MINIMUM};
use super::engine_r::{Events, GRID, Side, add_events, engine_grid};
use super::error::KernelError;
use super::stratum::{Arm, Stratum, Variances};

/// Running sums over strata.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Deviation from the boundary.
    pub(super) deviation: f64,
    /// Weight `n_c n_b / N`.
    pub(super) weight: f64,
    /// Variance under independence, on the boundary.
    pub(super) floor: f64,
    /// Variance under independence, at the arms' own means.
    pub(super) free: f64,
    /// Weighted candidate and baseline values; over `weight` they are means.
    pub(super) candidate: f64,
    pub(super) baseline: f64,
    /// `f_b² n_c`: how much the candidate's variance counts.
    pub(super) candidate_share: f64,
    /// Variance under independence of the baseline's own deviation.
    pub(super) baseline_floor: f64,
    /// Size of the terms that were subtracted.
    pub(super) magnitude: f64,
}

/// Scales of the mixtures, each fixed once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tuning {
    /// Spread of Engine R's grid on the better side.
    pub(super) better_spread: Option<f64>,
    /// Engine T's τ on the worse and on the better side; the former serves the interval.
    pub(super) taus: Option<(f64, f64)>,
}

/// Accumulated state of one (metric, pair of arms, margin).
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    pub(super) contrast: Contrast,
    pub(super) deviation: [f64; SLICES],
    pub(super) share: [f64; SLICES],
    pub(super) baseline_own: [f64; SLICES],
    pub(super) sums: Sums,
    pub(super) worse: [f64; GRID],
    pub(super) better: [f64; GRID],
    pub(super) past_baseline: Moments,
    pub(super) past_candidate: Moments,
    pub(super) baseline_n: u64,
    pub(super) candidate_n: u64,
    pub(super) candidate_slices: u64,
    pub(super) strata: u64,
    pub(super) one_armed: u64,
    pub(super) waiting: u64,
    pub(super) tuning: Tuning,
}

impl Fold {
    /// An empty fold.
    pub fn new(contrast: Contrast) -> Self {
        Self {
            contrast,
            deviation: [0.0; SLICES],
            share: [0.0; SLICES],
            baseline_own: [0.0; SLICES],
            sums: Sums::default(),
            worse: [0.0; GRID],
            better: [0.0; GRID],
            past_baseline: Moments::default(),
            past_candidate: Moments::default(),
            baseline_n: 0,
            candidate_n: 0,
            candidate_slices: 0,
            strata: 0,
            one_armed: 0,
            waiting: 0,
            tuning: Tuning::default(),
        }
    }

    /// The contrast being folded.
    pub fn contrast(&self) -> &Contrast {
        &self.contrast
    }

    /// Folds one sealed stratum; on an error the fold is unchanged.
    ///
    /// A stratum in which one arm is empty compares nothing and is only counted,
    /// and so is one whose margin depends on a baseline rate not known yet.
    ///
    /// # Errors
    ///
    /// [`KernelError`] for cells that cannot be, or sums that overflow.
    pub fn absorb(&mut self, baseline: &ArmCell, candidate: &ArmCell) -> Result<(), KernelError> {
        let baseline = Arm::oriented(baseline, &self.contrast)?;
        let candidate = Arm::oriented(candidate, &self.contrast)?;
        let past_baseline = self.past_baseline.plus(baseline.total)?;
        let past_candidate = self.past_candidate.plus(candidate.total)?;
        let scale = past_baseline.variance()?;
        let within = self.variances(&baseline, &candidate)?;
        if baseline.total.n == 0 || candidate.total.n == 0 {
            self.one_armed += 1;
        } else if let Some(margin) = self.contrast.margin_after(self.past_baseline) {
            let stratum = Stratum::new(&baseline, &candidate, margin, self.contrast.family);
            self.add(&stratum, within);
        } else {
            self.waiting += 1;
        }
        self.past_baseline = past_baseline;
        self.past_candidate = past_candidate;
        self.freeze_taus(scale);
        Ok(())
    }

    fn add(&mut self, stratum: &Stratum<'_>, within: Variances) {
        let (n_b, n_c) = (stratum.baseline.total.n, stratum.candidate.total.n);
        let (x_b, x_c) = (
            stratum.baseline.total.sum as f64,
            stratum.candidate.total.sum as f64,
        );
        let Margin { ratio, difference } = stratum.margin;
        let weight = stratum.weight();
        stratum.add_slices(&mut self.deviation, &mut self.share);
        let (null, free) = match self.contrast.family {
            Family::Rate => (stratum.null_variances(), stratum.free_variances()),
            Family::Mean => (within, within),
        };
        let baseline_floor = stratum.add_baseline(&mut self.baseline_own, free.baseline);
        let sums = &mut self.sums;
        sums.baseline_floor += baseline_floor;
        sums.deviation += stratum.f_b * x_c - ratio * stratum.f_c * x_b - difference * weight;
        sums.weight += weight;
        sums.floor += stratum.floor(null);
        sums.free += stratum.floor(free);
        sums.candidate += stratum.f_b * x_c;
        sums.baseline += stratum.f_c * x_b;
        sums.candidate_share += stratum.f_b * stratum.f_b * stratum.n_c;
        sums.magnitude += stratum.magnitude();
        self.baseline_n += n_b;
        self.candidate_n += n_c;
        self.candidate_slices |= stratum.candidate.occupied();
        self.strata += 1;
        if self.contrast.family == Family::Rate {
            let share = stratum.f_c;
            self.add_events(Events {
                candidate: x_c,
                baseline: x_b,
                share,
                ratio,
            });
        }
    }

    fn add_events(&mut self, events: Events) {
        // Narrow mixtures near a margin of 1, wider ones for wide margins.
        let spread = *self
            .tuning
            .better_spread
            .get_or_insert_with(|| libm::log(events.ratio).max(0.2));
        let grid = engine_grid();
        add_events(
            &mut self.worse,
            grid,
            std::f64::consts::LN_2,
            Side::Worse,
            events,
        );
        add_events(&mut self.better, grid, spread, Side::Better, events);
    }

    /// Variances within the new stratum, from its past where it has one observation.
    fn variances(&self, baseline: &Arm, candidate: &Arm) -> Result<Variances, KernelError> {
        if self.contrast.family == Family::Rate {
            return Ok(Variances {
                baseline: 0.0,
                candidate: 0.0,
            });
        }
        let known = |now: Option<f64>, past: Option<f64>| now.or(past);
        let of_baseline = known(baseline.total.variance()?, self.past_baseline.variance()?);
        let of_candidate = known(candidate.total.variance()?, self.past_candidate.variance()?);
        Ok(Variances {
            baseline: of_baseline.or(of_candidate).unwrap_or(0.0),
            candidate: of_candidate.or(of_baseline).unwrap_or(0.0),
        })
    }

    fn freeze_taus(&mut self, variance: Option<f64>) {
        if self.tuning.taus.is_some() || self.past_baseline.n < TUNING_MINIMUM {
            return;
        }
        self.tuning.taus = match self.contrast.family {
            Family::Rate => Some(rate_taus(self.past_baseline)),
            Family::Mean => {
                let mean = self.past_baseline.mean();
                mean_taus(
                    libm::sqrt(variance.unwrap_or(0.0)),
                    self.contrast.margin_size(mean),
                    mean,
                )
            }
        };
    }
}

/// A rate's interval looks for a doubling, or for a fifth of a standard deviation if that is less.
fn rate_taus(past: Moments) -> (f64, f64) {
    let rate = (past.sum as f64 + 0.5) / (past.n as f64 + 1.0);
    let tau = (rate * std::f64::consts::LN_2).min(0.2 * libm::sqrt(rate * (1.0 - rate)));
    (tau, tau)
}

/// A fifth of a standard deviation upwards, the margin downwards; without spread, what there is.
fn mean_taus(deviation: f64, margin: f64, mean: f64) -> Option<(f64, f64)> {
    let fallback = [0.2 * deviation, margin, 1e-3 * mean.abs()]
        .into_iter()
        .find(|&tau| tau > 0.0)?;
    Some((fallback, if margin > 0.0 { margin } else { fallback }))
}
