//! Distributions of whole numbers in bounded memory: a base-2 exponential histogram.
//!
//! Scale 6, the buckets of OpenTelemetry's exponential histograms: a quantile is
//! within 0.5416 % of the true order statistic, whatever the distribution. Only
//! integers are kept, so merging in any order gives the same bits; there is no
//! resizing of buckets and no floating-point logarithm.

mod bucket;
mod codec;
pub(crate) mod varint;

use thiserror::Error;

pub use bucket::{MAX_BUCKET, MIN_BUCKET, SCALE, ZERO_BUCKET, bucket, lower_bound, upper_bound};

/// A sketch holds at most this many observations, so that its sum fits an `i128`.
pub const MAX_COUNT: u64 = i64::MAX.cast_unsigned();

/// The half-width of a bucket relative to its harmonic midpoint: (γ − 1) / (γ + 1)
/// with γ = 2^(1/64), the bound on the relative error of a quantile.
pub const RELATIVE_ERROR: f64 = 0.005_415_2;

/// Quantiles are exact to nine decimals of `p`.
const NANO: u64 = 1_000_000_000;

/// Why an operation on a sketch was refused; the sketch is left as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SketchError {
    /// The sketch would hold more than [`MAX_COUNT`] observations.
    #[error("the sketch would hold more than {MAX_COUNT} observations")]
    Overflow,
    /// The first byte names an unknown encoding.
    #[error("sketch encoding `{0}` is unknown: the sender is newer than this reader")]
    Version(u8),
    /// The bytes end early or a number in them is longer than it may be.
    #[error("the encoded sketch is cut short or holds a malformed number")]
    Malformed,
    /// A bucket is outside the range of `u64`, holds no integer, or has no count.
    #[error("the encoded sketch names an impossible bucket")]
    Bucket,
    /// The sum cannot come from the counted buckets.
    #[error("the encoded sketch has a sum that its buckets cannot produce")]
    Sum,
    /// Bytes follow the sketch.
    #[error("`{0}` bytes follow the encoded sketch")]
    Trailing(usize),
}

/// Counts of observations by bucket, with their exact number and sum.
///
/// Equal contents are equal values and equal bytes, however they were reached.
///
/// ```
/// use pitcanary_core::sketch::Sketch;
///
/// let mut latency_us = Sketch::new();
/// for value in 1..=1000 {
///     latency_us.insert(value)?;
/// }
/// let p95 = latency_us.quantile(0.95).unwrap_or_default();
/// assert!((p95 / 950.0 - 1.0).abs() < 0.00542);
/// # Ok::<(), pitcanary_core::sketch::SketchError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch {
    zero_count: u64,
    /// The bucket of `counts[0]`; 0 while `counts` is empty.
    first: i32,
    /// Counts of adjacent buckets; the first and the last are not zero.
    counts: Vec<u64>,
    count: u64,
    sum: i128,
}

impl Sketch {
    /// An empty sketch, the identity of [`Sketch::merge`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one observation.
    ///
    /// # Errors
    ///
    /// [`SketchError::Overflow`] past [`MAX_COUNT`] observations.
    pub fn insert(&mut self, value: u64) -> Result<(), SketchError> {
        self.insert_many(value, 1)
    }

    /// Counts `count` observations of one value; none is no change.
    ///
    /// # Errors
    ///
    /// As [`Sketch::insert`].
    pub fn insert_many(&mut self, value: u64, count: u64) -> Result<(), SketchError> {
        self.count = checked_count(self.count, count)?;
        self.sum += i128::from(value) * i128::from(count);
        self.add(bucket(value), count);
        Ok(())
    }

    /// Adds the observations of another sketch: commutative, associative, and equal
    /// to one pass over both.
    ///
    /// # Errors
    ///
    /// As [`Sketch::insert`].
    pub fn merge(&mut self, other: &Self) -> Result<(), SketchError> {
        self.count = checked_count(self.count, other.count)?;
        self.sum += other.sum;
        self.zero_count += other.zero_count;
        let Some(last) = other.counts.len().checked_sub(1) else {
            return Ok(());
        };
        // Both ends first, so the rest needs no more room.
        self.add(other.first, other.counts[0]);
        if last > 0 {
            self.add(other.bucket_at(last), other.counts[last]);
            let start = offset(other.first, self.first) + 1;
            let inner = self.counts.iter_mut().skip(start);
            for (mine, theirs) in inner.zip(&other.counts[1..last]) {
                *mine += theirs;
            }
        }
        Ok(())
    }

    /// The number of observations.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The exact sum of all observations.
    pub const fn sum(&self) -> i128 {
        self.sum
    }

    /// The number of observations of zero, which have a bucket of their own.
    pub const fn zero_count(&self) -> u64 {
        self.zero_count
    }

    /// The buckets above zero that hold observations, in ascending order.
    pub fn buckets(&self) -> impl Iterator<Item = (i32, u64)> {
        let counted = self.counts.iter().enumerate();
        counted
            .filter(|(_, count)| **count > 0)
            .map(|(index, count)| (self.bucket_at(index), *count))
    }

    /// The number of observations in buckets above `bucket`, that is, of values above
    /// [`upper_bound`]`(bucket)`.
    pub fn count_above(&self, bucket: i32) -> u64 {
        if bucket == ZERO_BUCKET {
            return self.count - self.zero_count;
        }
        let skipped = i64::from(bucket) - i64::from(self.first) + 1;
        let skipped = usize::try_from(skipped.max(0)).unwrap_or(usize::MAX);
        self.counts.iter().skip(skipped).sum()
    }

    /// The nearest-rank quantile: the estimate of the ⌈p·n⌉-th smallest observation.
    ///
    /// It is within [`RELATIVE_ERROR`] of that observation, and equal to it where the
    /// bucket holds a single integer (always below 93). `None` when the sketch is
    /// empty or `p` is not between 0 and 1; `p` counts to nine decimals.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let rank = self.rank(p)?;
        let Some(mut left) = rank.checked_sub(self.zero_count).filter(|left| *left > 0) else {
            return Some(0.0);
        };
        self.buckets().find_map(|(bucket, count)| {
            let found = left <= count;
            left = left.saturating_sub(count);
            found.then(|| midpoint(bucket))
        })
    }

    /// ⌈p·n⌉ in whole numbers, at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "p is within 0..=1, so the product is within 0..=NANO"
    )]
    fn rank(&self, p: f64) -> Option<u64> {
        if self.count == 0 || !(0.0..=1.0).contains(&p) {
            return None;
        }
        let nano = (p * NANO as f64).round() as u64;
        let rank = (u128::from(self.count) * u128::from(nano)).div_ceil(u128::from(NANO));
        u64::try_from(rank.max(1)).ok()
    }

    fn bucket_at(&self, index: usize) -> i32 {
        self.first
            .saturating_add(i32::try_from(index).unwrap_or(i32::MAX))
    }

    /// Adds to a bucket; the caller has accounted for count and sum.
    fn add(&mut self, bucket: i32, count: u64) {
        if bucket == ZERO_BUCKET {
            self.zero_count += count;
            return;
        }
        match self.counts.get_mut(offset(bucket, self.first)) {
            Some(known) => *known += count,
            None if count > 0 => self.grow(bucket, count),
            None => {}
        }
    }

    /// Extends the counted range to a bucket outside it.
    #[cold]
    fn grow(&mut self, bucket: i32, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = offset(self.first, bucket);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let index = offset(bucket, self.first);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += count;
    }
}

/// The distance from `first` up to `bucket`; huge when the bucket lies below.
fn offset(bucket: i32, first: i32) -> usize {
    bucket.wrapping_sub(first).cast_unsigned() as usize
}

/// The harmonic midpoint of the integers in a bucket, which halves the relative error.
fn midpoint(bucket: i32) -> f64 {
    let (low, high) = (lower_bound(bucket) as f64, upper_bound(bucket) as f64);
    2.0 * low * (high / (low + high))
}

fn checked_count(left: u64, right: u64) -> Result<u64, SketchError> {
    left.checked_add(right)
        .filter(|count| *count <= MAX_COUNT)
        .ok_or(SketchError::Overflow)
}

#[cfg(test)]
mod tests;
