//! The local breaker: tells when this sidecar's own candidate traffic fails so much more
//! than its own baseline that waiting for the controller would be wrong.
//!
//! Compares the last outcomes of the candidate with what the baseline did in the very
//! same span, so an outage of the provider, which meets both, trips nothing. It knows no
//! clock and takes nothing back itself: `resolve` serves by what the caller latches.

use std::collections::{BTreeMap, VecDeque};

use crate::snapshot::{BreakerPolicy, Snapshot};
use crate::token::TokenFields;

/// How far back a comparison may reach, in multiples of the outcomes it needs: with a
/// candidate on nearly all traffic, the baseline's outcomes are rare.
const REACH: usize = 32;

/// More outcomes than a comparison ever needs.
const MAX_REQUESTS: usize = 1000;

/// Failures among requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failures {
    /// How many failed.
    pub failures: u64,
    /// Of how many.
    pub requests: u64,
}

/// A candidate to take back here, with what it was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// The rollout.
    pub rollout: u32,
    /// The epoch in which it happened; a newer one releases the breaker.
    pub epoch: u32,
    /// The candidate's outcomes in the span.
    pub candidate: Failures,
    /// The baseline's outcomes in the same span.
    pub baseline: Failures,
}

/// Watches the outcomes of every rollout, one by one.
#[derive(Debug, Default)]
pub struct Breaker(BTreeMap<u32, Watch>);

impl Breaker {
    /// Takes in one outcome, and says once per epoch that a candidate must go.
    ///
    /// Outcomes of answers that were served in an earlier epoch say nothing about this
    /// one; traffic without a rollout is not watched.
    pub fn observe(
        &mut self,
        policy: BreakerPolicy,
        token: &TokenFields,
        failed: bool,
    ) -> Option<Trip> {
        if token.rollout == 0 {
            return None;
        }
        let watch = self.0.entry(token.rollout).or_default();
        if token.serve_epoch > watch.epoch {
            *watch = Watch {
                epoch: token.serve_epoch,
                ..Watch::default()
            };
        }
        if watch.tripped || token.serve_epoch < watch.epoch {
            return None;
        }
        let (baseline, candidate) = watch.observe(policy, token.arm, failed)?;
        watch.tripped = true;
        Some(Trip {
            rollout: token.rollout,
            epoch: watch.epoch,
            candidate,
            baseline,
        })
    }

    /// Forgets rollouts that a new configuration no longer has.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        self.0
            .retain(|rollout, _| snapshot.rollouts().any(|(known, _)| known == *rollout));
    }
}

/// The outcomes of one rollout in one epoch.
#[derive(Debug, Default)]
struct Watch {
    epoch: u32,
    tripped: bool,
    baseline: Failures,
    arms: BTreeMap<u8, Arm>,
}

/// A candidate's outcomes, and how both arms stood before each of the last ones.
#[derive(Debug, Default)]
struct Arm {
    total: Failures,
    before: VecDeque<Standing>,
}

#[derive(Debug, Clone, Copy)]
struct Standing {
    baseline: Failures,
    candidate: Failures,
}

impl Watch {
    /// Counts an outcome; both arms' counts where the candidate fails too much.
    fn observe(
        &mut self,
        policy: BreakerPolicy,
        arm: u8,
        failed: bool,
    ) -> Option<(Failures, Failures)> {
        if arm == 0 {
            self.baseline.add(failed);
            return None;
        }
        let needed = usize::try_from(policy.min_requests)
            .map_or(MAX_REQUESTS, |requests| requests.clamp(1, MAX_REQUESTS));
        let candidate = self.arms.entry(arm).or_default();
        candidate.add(self.baseline, failed, needed * REACH);
        let (baseline, candidate) = candidate.since_enough(self.baseline, needed as u64)?;
        let excess = candidate.rate() - baseline.rate();
        (excess >= policy.excess_rate).then_some((baseline, candidate))
    }
}

impl Arm {
    fn add(&mut self, baseline: Failures, failed: bool, reach: usize) {
        if self.before.len() >= reach {
            self.before.pop_front();
        }
        let candidate = self.total;
        self.before.push_back(Standing {
            baseline,
            candidate,
        });
        self.total.add(failed);
    }

    /// Both arms' counts over the shortest span in which each has enough outcomes.
    fn since_enough(&self, baseline: Failures, needed: u64) -> Option<(Failures, Failures)> {
        let is_enough = |start: &Standing| {
            baseline.requests - start.baseline.requests >= needed
                && self.total.requests - start.candidate.requests >= needed
        };
        // Earlier starts have more of both.
        let after = self.before.partition_point(is_enough);
        let start = self.before.get(after.checked_sub(1)?)?;
        Some((
            baseline.since(start.baseline),
            self.total.since(start.candidate),
        ))
    }
}

impl Failures {
    fn add(&mut self, failed: bool) {
        self.requests += 1;
        self.failures += u64::from(failed);
    }

    const fn since(self, earlier: Self) -> Self {
        Self {
            failures: self.failures - earlier.failures,
            requests: self.requests - earlier.requests,
        }
    }

    fn rate(self) -> f64 {
        self.failures as f64 / self.requests.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::assign::Slice;
    use crate::token::Flags;

    const POLICY: BreakerPolicy = BreakerPolicy {
        min_requests: 50,
        excess_rate: 0.5,
    };

    fn token(epoch: u32, arm: u8) -> TokenFields {
        TokenFields {
            rollout: 7,
            version: 1,
            origin_epoch: 1,
            serve_epoch: epoch,
            arm,
            flags: Flags::ANALYSABLE,
            slice: Slice::default(),
            segment_mask: 0,
            issued_s: 0,
            unit_tag: 0,
            nonce: [0; 8],
        }
    }

    /// Feeds outcomes of (arm, failed) in epoch 1 and returns the first trip.
    fn first_trip(outcomes: impl IntoIterator<Item = (u8, bool)>) -> Option<(usize, Trip)> {
        let mut breaker = Breaker::default();
        let mut trips = outcomes
            .into_iter()
            .enumerate()
            .filter_map(|(at, (arm, failed))| {
                Some((at, breaker.observe(POLICY, &token(1, arm), failed)?))
            });
        trips.next()
    }

    /// The candidate gets one of every `one_in` outcomes.
    fn arm(at: usize, one_in: usize) -> u8 {
        u8::from(at.is_multiple_of(one_in))
    }

    #[test]
    fn a_candidate_that_fails_always_trips_after_the_outcomes_it_takes() {
        let (at, trip) = first_trip((0..10_000).map(|at| (arm(at, 20), arm(at, 20) == 1))).unwrap();
        assert_eq!(at, 20 * 49, "with its fiftieth outcome");
        assert_eq!(
            trip.candidate,
            Failures {
                failures: 50,
                requests: 50
            }
        );
        assert_eq!(trip.baseline.failures, 0);
        assert!(trip.baseline.requests >= 50);
    }

    #[test]
    fn a_sudden_failure_is_seen_however_long_all_was_well() {
        let healthy = 100_000;
        let outcomes = (0..200_000).map(|at| (arm(at, 10), at >= healthy && arm(at, 10) == 1));
        let (at, _) = first_trip(outcomes).unwrap();
        assert!(at - healthy <= 10 * 26, "after `{}` outcomes", at - healthy);
    }

    #[test]
    fn an_outage_of_the_provider_trips_nothing() {
        for one_in in [2, 3, 10, 100] {
            let outage = |at: usize| at % 5_000 > 2_000;
            assert_eq!(
                first_trip((0..50_000).map(|at| (arm(at, one_in), outage(at)))),
                None
            );
        }
    }

    #[test]
    fn equal_failure_rates_trip_nothing() {
        // splitmix64, so that the outcomes are the same on every run.
        let mut state = 1_u64;
        let mut draw = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 32
        };
        for one_in in [2, 10, 20] {
            let failing = (0..300_000).map(|at| (arm(at, one_in), draw() % 10 < 3));
            assert_eq!(first_trip(failing), None);
        }
    }

    #[test]
    fn it_trips_once_per_epoch_and_a_newer_one_releases_it() {
        let mut breaker = Breaker::default();
        let mut trips = |epoch: u32| {
            let outcomes = (0..1_000).map(|at| token(epoch, arm(at, 2)));
            let failing = |token: TokenFields| breaker.observe(POLICY, &token, token.arm == 1);
            outcomes
                .filter_map(failing)
                .map(|trip| trip.epoch)
                .collect::<Vec<_>>()
        };
        assert_eq!(trips(3), [3]);
        assert!(trips(3).is_empty());
        assert_eq!(trips(4), [4]);
        assert!(
            trips(3).is_empty(),
            "late outcomes of an epoch that is over"
        );
    }

    #[test]
    fn without_a_rollout_nothing_is_watched() {
        let mut breaker = Breaker::default();
        let outside = TokenFields {
            rollout: 0,
            ..token(1, 1)
        };
        assert!((0..1_000).all(|_| breaker.observe(POLICY, &outside, true).is_none()));
        assert!(breaker.0.is_empty());
    }

    proptest! {
        #[test]
        fn fewer_outcomes_than_asked_never_trip(outcomes in prop::collection::vec((0..2_u8, any::<bool>()), 0..200)) {
            let trip = first_trip(outcomes.iter().copied());
            let candidate = outcomes.iter().filter(|(arm, _)| *arm == 1).count();
            prop_assert!(trip.is_none() || candidate >= 50);
        }

        #[test]
        fn what_trips_exceeds_the_baseline_of_its_own_span(
            outcomes in prop::collection::vec((0..3_u8, any::<bool>()), 200..800), bad in 0..400_usize,
        ) {
            let outcomes = outcomes.into_iter().enumerate().map(|(at, (arm, failed))| {
                (arm, if at >= bad { arm == 1 } else { failed })
            });
            if let Some((_, trip)) = first_trip(outcomes) {
                prop_assert!(trip.candidate.rate() - trip.baseline.rate() >= POLICY.excess_rate);
                prop_assert!(trip.candidate.requests.min(trip.baseline.requests) >= 50);
            }
        }
    }
}
