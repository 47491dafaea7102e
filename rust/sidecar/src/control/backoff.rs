//! How long to wait before the next try.
//!
//! Doubles up to a cap and takes a random half off, so that a fleet that lost its
//! controller at one moment does not come back at one moment. Neither sleeps nor
//! draws random numbers itself.

use std::time::Duration;

/// Waiting times that grow with every failure in a row.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and never waits longer than `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            failures: 0,
        }
    }

    /// How long to wait after one more failure: between half and all of the step.
    pub fn next(&mut self, random: u64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let step = doubled.min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let fraction = random as f64 / u64::MAX as f64;
        step.div_f64(2.0).mul_f64(1.0 + fraction)
    }

    /// Forgets the failures after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(10);

    proptest! {
        #[test]
        fn waits_stay_within_half_and_all_of_the_step(draws in prop::collection::vec(any::<u64>(), 1..80)) {
            let mut backoff = Backoff::new(FIRST, CAP);
            let mut step = FIRST;
            for random in draws {
                let wait = backoff.next(random);
                prop_assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
                step = (step * 2).min(CAP);
            }
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(FIRST, CAP);
        let last = (0..50).map(|_| backoff.next(0)).last();
        assert_eq!(last, Some(CAP / 2));
        assert_eq!(backoff.next(u64::MAX), CAP);
        backoff.reset();
        assert_eq!(backoff.next(u64::MAX), FIRST);
    }
}
