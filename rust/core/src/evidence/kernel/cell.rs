//! What one arm contributes to one stratum: counts and sums per slice.
//!
//! Integers only, so cells of different sidecars merge to the same bits in any
//! order. A cell says nothing about what its values mean; `contrast` does.

use super::error::KernelError;

/// The number of hash groups that carry the variance between units.
pub const SLICES: usize = 64;

/// Counts, sums and squares of one arm in one stratum of one metric.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArmCell {
    /// Observations per slice.
    pub n: [u64; SLICES],
    /// Sum of the observations per slice, in their scaled unit; events for a rate.
    pub sum: [i128; SLICES],
    /// Sum of squared observations over all slices; events for a rate.
    pub sum_squares: i128,
}

impl Default for ArmCell {
    fn default() -> Self {
        Self {
            n: [0; SLICES],
            sum: [0; SLICES],
            sum_squares: 0,
        }
    }
}

impl ArmCell {
    /// Adds another sidecar's share of the same cell; on overflow nothing changes.
    ///
    /// # Errors
    ///
    /// [`KernelError::Overflow`] when a sum leaves its integer.
    pub fn merge(&mut self, other: &Self) -> Result<(), KernelError> {
        let mut merged = self.clone();
        for slice in 0..SLICES {
            merged.n[slice] = add_count(self.n[slice], other.n[slice])?;
            merged.sum[slice] = add(self.sum[slice], other.sum[slice])?;
        }
        merged.sum_squares = add(self.sum_squares, other.sum_squares)?;
        *self = merged;
        Ok(())
    }

    /// The cell without its slices.
    pub(super) fn moments(&self) -> Result<Moments, KernelError> {
        let mut total = Moments {
            sum_squares: self.sum_squares,
            ..Moments::default()
        };
        for slice in 0..SLICES {
            total.n = add_count(total.n, self.n[slice])?;
            total.sum = add(total.sum, self.sum[slice])?;
        }
        Ok(total)
    }
}

/// Count, sum and sum of squares of one arm.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Moments {
    pub(super) n: u64,
    pub(super) sum: i128,
    pub(super) sum_squares: i128,
}

impl Moments {
    pub(super) fn plus(self, other: Self) -> Result<Self, KernelError> {
        Ok(Self {
            n: add_count(self.n, other.n)?,
            sum: add(self.sum, other.sum)?,
            sum_squares: add(self.sum_squares, other.sum_squares)?,
        })
    }

    /// The mean, or 0 without observations.
    pub(super) fn mean(self) -> f64 {
        if self.n == 0 {
            0.0
        } else {
            self.sum as f64 / self.n as f64
        }
    }

    /// Sum of squared deviations from the mean; negative for impossible squares.
    ///
    /// Squares are taken about an integer next to the mean, exactly, so that a
    /// small variance of large values survives.
    pub(super) fn scatter(self) -> Result<f64, KernelError> {
        if self.n == 0 {
            return Ok(self.sum_squares as f64);
        }
        let n = i128::from(self.n);
        let pivot = self.sum.div_euclid(n);
        let cross = multiply(multiply(2, pivot)?, self.sum)?;
        let square = multiply(multiply(pivot, pivot)?, n)?;
        let about_pivot = add(
            self.sum_squares
                .checked_sub(cross)
                .ok_or(KernelError::Overflow)?,
            square,
        )?;
        let rest = self.sum.rem_euclid(n) as f64;
        Ok(about_pivot as f64 - rest * (rest / self.n as f64))
    }

    /// The sample variance, or `None` below two observations.
    pub(super) fn variance(self) -> Result<Option<f64>, KernelError> {
        if self.n < 2 {
            return Ok(None);
        }
        Ok(Some((self.scatter()? / (self.n - 1) as f64).max(0.0)))
    }
}

fn add(left: i128, right: i128) -> Result<i128, KernelError> {
    left.checked_add(right).ok_or(KernelError::Overflow)
}

fn add_count(left: u64, right: u64) -> Result<u64, KernelError> {
    left.checked_add(right).ok_or(KernelError::Overflow)
}

fn multiply(left: i128, right: i128) -> Result<i128, KernelError> {
    left.checked_mul(right).ok_or(KernelError::Overflow)
}
