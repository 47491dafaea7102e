//! Quantile metrics as rates: how often a value lies above a bucket.
//!
//! The baseline is counted above its own quantile bucket `b`, the candidate
//! above `b + j`, where `j` buckets are the margin. If the candidate is slower
//! by exactly the margin both rates agree, so Engine R tests ratio 1. The
//! bucket must come from ticks sealed before the counts, or the test is void.

use super::cell::{ArmCell, SLICES};

/// The factor that `buckets` buckets of a base-2 exponential histogram span at `scale`.
///
/// 10 buckets at scale 6 are a factor of 1.114.
pub fn bucket_ratio(buckets: i32, scale: i32) -> f64 {
    libm::exp2(f64::from(buckets) / libm::exp2(f64::from(scale)))
}

/// The bucket that holds the `quantile` of a histogram, or `None` if it is empty.
///
/// `counts` are consecutive buckets from `offset` on. The result is the first
/// bucket up to which at least the fraction `quantile` lies.
pub fn quantile_bucket(counts: &[u64], offset: i32, quantile: f64) -> Option<i32> {
    let total: u128 = counts.iter().map(|&count| u128::from(count)).sum();
    if total == 0 {
        return None;
    }
    let wanted = quantile.clamp(0.0, 1.0) * total as f64;
    let mut seen: u128 = 0;
    let mut bucket = offset;
    for &count in counts {
        seen += u128::from(count);
        if count > 0 && seen as f64 >= wanted {
            return Some(bucket);
        }
        bucket = bucket.saturating_add(1);
    }
    None
}

/// The cell of an exceedance rate from observations and counts above a bucket, per slice.
pub fn exceedance_cell(n: [u64; SLICES], above: [u64; SLICES]) -> ArmCell {
    let sum = above.map(i128::from);
    ArmCell {
        n,
        sum,
        sum_squares: sum.iter().sum(),
    }
}
