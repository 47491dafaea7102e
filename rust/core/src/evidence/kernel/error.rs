//! What the kernel refuses.

use thiserror::Error;

/// Why a cell, a contrast or stored bytes were refused.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum KernelError {
    /// Sums left the range of their integer; the cell is refused whole.
    #[error("the sums of a cell overflow; clamp observations before counting them")]
    Overflow,
    /// A rate counts events among observations, so `0 ≤ events ≤ n` in every slice.
    #[error(
        "slice `{slice}` has `{sum}` events in `{n}` observations; a rate needs 0 ≤ events ≤ n"
    )]
    NotARate {
        /// The slice at fault.
        slice: usize,
        /// Its events.
        sum: i128,
        /// Its observations.
        n: u64,
    },
    /// A slice without observations carries a sum, or squares cannot belong to the sums.
    #[error("slice `{slice}` has the sum `{sum}` without any observation")]
    SumWithoutObservations {
        /// The slice at fault.
        slice: usize,
        /// Its sum.
        sum: i128,
    },
    /// The sum of squares is smaller than any values with these sums allow.
    #[error("the sum of squares `{sum_squares}` is too small for the sums of its slices")]
    Squares {
        /// The sum of squares that was given.
        sum_squares: i128,
    },
    /// A margin, floor or bound that no test can be made of.
    #[error("`{field}` is `{value}`; {rule}")]
    Contrast {
        /// Which part of the contrast.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What is accepted.
        rule: &'static str,
    },
    /// Stored state that this version did not write, or that was damaged.
    #[error("the stored fold is not usable: {0}; fold the sealed cells again")]
    Bytes(&'static str),
    /// An interval is defined for the plain difference only.
    #[error("an interval needs a contrast with ratio 1, difference 0 and no floor")]
    NotADifference,
}
