//! How long answers take, in buckets that double from one microsecond on.
//!
//! Lock-free and without a shared cache line between threads: it is touched by
//! every request. For reading at a scrape only; the rollouts' own distributions
//! are evidence and live in the core.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bounds from 1 µs to 2²⁰ µs, about a second.
const BOUNDS: usize = 21;

/// More than the worker threads of any sensible sidecar.
const SHARDS: usize = 8;

/// Counts of durations, one shard per thread.
#[derive(Debug, Default)]
pub struct Latency {
    shards: [Shard; SHARDS],
}

/// Two cache lines apart, for processors that fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    /// The last one counts what is above every bound.
    counts: [AtomicU64; BOUNDS + 1],
    sum_ns: AtomicU64,
}

/// A [`Latency`] at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LatencyCounts {
    /// Upper bound of each bucket in seconds and how many were at most that and
    /// above the bound before.
    pub buckets: Vec<(f64, u64)>,
    /// How many were above every bound.
    pub above: u64,
    /// Sum of all durations in seconds.
    pub sum_s: f64,
}

impl Latency {
    /// Counts one duration.
    pub fn record(&self, duration_ns: u64) {
        let shard = &self.shards[THREAD.with(Cell::get) % SHARDS];
        shard.counts[bucket(duration_ns)].fetch_add(1, Ordering::Relaxed);
        shard.sum_ns.fetch_add(duration_ns, Ordering::Relaxed);
    }

    /// Sums over all threads.
    pub fn read(&self) -> LatencyCounts {
        let count = |index: usize| {
            let counts = self.shards.iter().map(|shard| &shard.counts[index]);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        let sums = self
            .shards
            .iter()
            .map(|shard| shard.sum_ns.load(Ordering::Relaxed));
        LatencyCounts {
            buckets: (0..BOUNDS)
                .map(|index| (bound_s(index), count(index)))
                .collect(),
            above: count(BOUNDS),
            sum_s: sums.sum::<u64>() as f64 / 1e9,
        }
    }
}

static NEXT_THREAD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<usize> = Cell::new(NEXT_THREAD.fetch_add(1, Ordering::Relaxed));
}

/// The first bucket whose bound is not below the duration.
fn bucket(duration_ns: u64) -> usize {
    let doublings = u64::BITS - (duration_ns.saturating_sub(1) / 1000).leading_zeros();
    (doublings as usize).min(BOUNDS)
}

fn bound_s(index: usize) -> f64 {
    (1_u64 << index) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_lies_between_its_bounds(duration_ns in 0..4_000_000_000_u64) {
            let index = bucket(duration_ns);
            let duration_s = duration_ns as f64 / 1e9;
            prop_assert!(index == BOUNDS || duration_s <= bound_s(index));
            prop_assert!(index == 0 || duration_s > bound_s(index - 1));
        }
    }

    #[test]
    fn threads_are_summed() {
        let latency = Latency::default();
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| (0..100).for_each(|_| latency.record(1_500)));
            }
        });
        latency.record(u64::MAX / 2);
        let counts = latency.read();
        assert_eq!(counts.buckets[1], (2e-6, 1200));
        assert_eq!(
            (
                counts.above,
                counts.buckets.iter().map(|(_, n)| n).sum::<u64>()
            ),
            (1, 1200)
        );
    }
}
