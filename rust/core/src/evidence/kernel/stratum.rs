//! One stratum seen through a contrast: oriented, validated, with its contributions.
//!
//! A stratum is one arrival tick × allocation epoch × segment. Within it both
//! arms met the same world, so `f_b x_c − r₀ f_c x_b` has mean zero on the
//! boundary whatever the baseline does (Mantel and Haenszel).

use super::cell::{ArmCell, Moments, SLICES};
use super::contrast::{Contrast, Family, Harm, Margin};
use super::error::KernelError;

/// One arm, turned so that larger is worse.
pub(super) struct Arm {
    pub(super) n: [f64; SLICES],
    pub(super) x: [f64; SLICES],
    pub(super) total: Moments,
}

impl Arm {
    pub(super) fn oriented(cell: &ArmCell, contrast: &Contrast) -> Result<Self, KernelError> {
        validate(cell, contrast.family)?;
        let mut total = cell.moments()?;
        let mut sum = cell.sum;
        match (contrast.family, contrast.harm) {
            (Family::Mean, Harm::Up) => {}
            (Family::Mean, Harm::Down) => {
                sum = sum.map(i128::wrapping_neg);
                total.sum = total.sum.checked_neg().ok_or(KernelError::Overflow)?;
            }
            (Family::Rate, Harm::Up) => total.sum_squares = total.sum,
            (Family::Rate, Harm::Down) => {
                for (events, n) in sum.iter_mut().zip(cell.n) {
                    *events = i128::from(n) - *events;
                }
                total.sum = i128::from(total.n) - total.sum;
                total.sum_squares = total.sum;
            }
        }
        if contrast.family == Family::Mean {
            check_squares(cell)?;
        }
        Ok(Self {
            n: cell.n.map(|n| n as f64),
            x: sum.map(|x| x as f64),
            total,
        })
    }

    /// One bit per slice that holds observations.
    pub(super) fn occupied(&self) -> u64 {
        self.n
            .iter()
            .rev()
            .fold(0, |bits, &n| (bits << 1) | u64::from(n > 0.0))
    }
}

fn validate(cell: &ArmCell, family: Family) -> Result<(), KernelError> {
    for slice in 0..SLICES {
        let (n, sum) = (cell.n[slice], cell.sum[slice]);
        if family == Family::Rate && !(0..=i128::from(n)).contains(&sum) {
            return Err(KernelError::NotARate { slice, sum, n });
        }
        if n == 0 && sum != 0 {
            return Err(KernelError::SumWithoutObservations { slice, sum });
        }
    }
    Ok(())
}

/// The squares must reach what the slice means alone imply, up to rounding.
fn check_squares(cell: &ArmCell) -> Result<(), KernelError> {
    let mut least = 0.0;
    for slice in 0..SLICES {
        if cell.n[slice] > 0 {
            let sum = cell.sum[slice] as f64;
            least += sum * (sum / cell.n[slice] as f64);
        }
    }
    if (cell.sum_squares as f64) < least * (1.0 - 1e-9) {
        return Err(KernelError::Squares {
            sum_squares: cell.sum_squares,
        });
    }
    Ok(())
}

/// The variances within one stratum that the floor of the variance is made of.
#[derive(Clone, Copy)]
pub(super) struct Variances {
    pub(super) baseline: f64,
    pub(super) candidate: f64,
}

/// Both arms of one stratum with the shares of the observations that they hold.
pub(super) struct Stratum<'a> {
    pub(super) baseline: &'a Arm,
    pub(super) candidate: &'a Arm,
    pub(super) margin: Margin,
    pub(super) n_b: f64,
    pub(super) n_c: f64,
    pub(super) f_b: f64,
    pub(super) f_c: f64,
    /// The baseline's mean if the candidate lay exactly on the boundary.
    pub(super) null_mean: f64,
}

impl<'a> Stratum<'a> {
    pub(super) fn new(
        baseline: &'a Arm,
        candidate: &'a Arm,
        margin: Margin,
        family: Family,
    ) -> Self {
        let (n_b, n_c) = (baseline.total.n as f64, candidate.total.n as f64);
        let n = n_b + n_c;
        let sum = candidate.total.sum as f64 + baseline.total.sum as f64;
        let mean = (sum - margin.difference * n_c) / (margin.ratio * n_c + n_b);
        let null_mean = if family == Family::Rate {
            mean.clamp(0.0, 1.0)
        } else {
            mean
        };
        Self {
            baseline,
            candidate,
            margin,
            n_b,
            n_c,
            f_b: n_b / n,
            f_c: n_c / n,
            null_mean,
        }
    }

    /// `n_c n_b / N`, the weight of this stratum.
    pub(super) fn weight(&self) -> f64 {
        self.f_c * self.n_b
    }

    /// Adds each slice's deviation from the boundary and its share of the weight.
    pub(super) fn add_slices(&self, deviation: &mut [f64; SLICES], share: &mut [f64; SLICES]) {
        let Margin { ratio, difference } = self.margin;
        let candidate_mean = ratio * self.null_mean + difference;
        let spread = ratio * self.n_c + self.n_b;
        let of_candidate = self.f_b * (self.n_b / spread);
        let of_baseline = ratio * self.f_c * (self.n_c / spread);
        for slice in 0..SLICES {
            let (n_c, n_b) = (self.candidate.n[slice], self.baseline.n[slice]);
            let above = self.f_b * (self.candidate.x[slice] - n_c * candidate_mean);
            let below = ratio * self.f_c * (self.baseline.x[slice] - n_b * self.null_mean);
            deviation[slice] += above - below;
            share[slice] += of_candidate * n_c + of_baseline * n_b;
        }
    }

    /// Adds the baseline's own deviation per slice, weighted as in the contrast.
    ///
    /// Returns the variance it would have if every observation were independent.
    pub(super) fn add_baseline(&self, own: &mut [f64; SLICES], variance: f64) -> f64 {
        let weight = self.margin.ratio * self.f_c;
        let mean = self.baseline.total.mean();
        for (slice, value) in own.iter_mut().enumerate() {
            *value += weight * (self.baseline.x[slice] - self.baseline.n[slice] * mean);
        }
        weight * weight * self.n_b * variance
    }

    /// The variance of the deviation if every observation were independent.
    pub(super) fn floor(&self, variances: Variances) -> f64 {
        let baseline = self.margin.ratio * self.f_c;
        self.f_b * self.f_b * self.n_c * variances.candidate
            + baseline * baseline * self.n_b * variances.baseline
    }

    /// Binomial variances on the boundary.
    pub(super) fn null_variances(&self) -> Variances {
        let candidate = (self.margin.ratio * self.null_mean + self.margin.difference).min(1.0);
        Variances {
            baseline: binomial(self.null_mean),
            candidate: binomial(candidate),
        }
    }

    /// Binomial variances at the arms' own rates.
    pub(super) fn free_variances(&self) -> Variances {
        Variances {
            baseline: binomial(self.baseline.total.mean()),
            candidate: binomial(self.candidate.total.mean()),
        }
    }

    /// The size of the terms that the contrast subtracts from each other.
    pub(super) fn magnitude(&self) -> f64 {
        let candidate =
            (self.candidate.total.sum as f64).abs() + self.n_c * self.margin.difference.abs();
        self.f_b * candidate + self.margin.ratio * self.f_c * (self.baseline.total.sum as f64).abs()
    }
}

fn binomial(rate: f64) -> f64 {
    rate * (1.0 - rate)
}
