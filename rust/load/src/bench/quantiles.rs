//! Latencies, counted in buckets that are at most 0.8 % wide.
//!
//! Kept apart from the sketch of `pitcanary_core`: the instrument shares no
//! code with what it measures.

/// Buckets per power of two.
const BUCKETS: u64 = 128;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();
/// Powers of two above the linear part.
const OCTAVES: u64 = 64 - BUCKET_BITS as u64;

/// Counts of values, exact below 128 and within 0.8 % above.
#[derive(Debug, Clone)]
pub struct Quantiles {
    counts: Vec<u64>,
    total: u64,
    largest: u64,
}

impl Default for Quantiles {
    fn default() -> Self {
        let buckets = usize::try_from((OCTAVES + 1) * BUCKETS).unwrap_or(usize::MAX);
        Self {
            counts: vec![0; buckets],
            total: 0,
            largest: 0,
        }
    }
}

impl Quantiles {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        self.counts[index(value)] += 1;
        self.total += 1;
        self.largest = self.largest.max(value);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The largest value, exactly.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// The value below or at which `share` of all values lie; 0 if there are none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank lies between 0 and the total"
    )]
    pub fn quantile(&self, share: f64) -> u64 {
        let rank = (share.clamp(0.0, 1.0) * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return upper_bound(index as u64).min(self.largest);
            }
        }
        0
    }
}

fn index(value: u64) -> usize {
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(BUCKET_BITS + 1);
    // The leading bit stays, so each octave but the first fills one row of 128.
    usize::try_from(u64::from(octave) * BUCKETS + (value >> octave)).unwrap_or(usize::MAX)
}

fn upper_bound(index: u64) -> u64 {
    if index < 2 * BUCKETS {
        return index;
    }
    let octave = index / BUCKETS - 1;
    let mantissa = u128::from(index % BUCKETS + BUCKETS + 1);
    u64::try_from((mantissa << octave) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value: u64) {
            let bound = upper_bound(index(value) as u64);
            prop_assert!(bound >= value);
            prop_assert!(bound - value <= value / BUCKETS);
        }

        #[test]
        fn quantiles_stay_within_their_width_of_the_sorted_values(
            mut values in prop::collection::vec(0..10_000_000_u64, 1..200),
            place: prop::sample::Index,
        ) {
            let mut quantiles = Quantiles::default();
            for &value in &values {
                quantiles.add(value);
            }
            values.sort_unstable();
            let index = place.index(values.len());
            let found = quantiles.quantile((index as f64 + 0.5) / values.len() as f64);
            let exact = values[index];
            prop_assert!(found >= exact && found - exact <= exact / BUCKETS);
            prop_assert_eq!(quantiles.largest(), values[values.len() - 1]);
        }
    }

    #[test]
    fn no_value_gives_zero() {
        assert_eq!(Quantiles::default().quantile(0.5), 0);
    }
}
