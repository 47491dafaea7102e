//! Random numbers for nonces, boot ids and the jitter of retries.
//!
//! Fast and unique, not secret: a token is protected by its key, never by its
//! nonce. A replay draws from one seeded sequence, so that the same calls in the
//! same order get the same answers.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Odd constant of `SplitMix64`: Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", OOPSLA 2014, section 3.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Draws random numbers; clones draw from the same source.
#[derive(Debug, Clone)]
pub struct Random(Source);

#[derive(Debug, Clone)]
enum Source {
    /// One generator per thread, seeded by the system.
    Threads,
    Sequence(Arc<AtomicU64>),
}

impl Random {
    /// Draws from generators seeded by the system, one per thread.
    pub const fn from_system() -> Self {
        Self(Source::Threads)
    }

    /// Draws one fixed sequence over all threads.
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Sequence(Arc::new(AtomicU64::new(seed))))
    }

    /// The next number, uniform over all 64 bits.
    pub fn next_u64(&self) -> u64 {
        match &self.0 {
            Source::Threads => THREAD_STATE.with(|state| {
                state.set(state.get().wrapping_add(GAMMA));
                mix(state.get())
            }),
            Source::Sequence(state) => mix(state.fetch_add(GAMMA, Ordering::Relaxed)),
        }
    }

    /// Eight random bytes for a token.
    pub fn nonce(&self) -> [u8; 8] {
        self.next_u64().to_le_bytes()
    }
}

thread_local! {
    static THREAD_STATE: Cell<u64> = Cell::new(thread_seed());
}

/// Tells threads apart where the system has no randomness to give.
static NEXT_THREAD: AtomicU64 = AtomicU64::new(0);

fn thread_seed() -> u64 {
    let thread = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
    // A sidecar does not start without system randomness (its boot id needs it),
    // so the fallback only has to keep its threads apart.
    getrandom::u64().unwrap_or_else(|_| mix(thread ^ u64::from(std::process::id()) << 32))
}

/// The output function of `SplitMix64`.
const fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        // The reference generator adds GAMMA before it mixes.
        let random = Random::from_seed(1_234_567_u64.wrapping_add(GAMMA));
        let drawn: [u64; 3] = std::array::from_fn(|_| random.next_u64());
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn threads_do_not_share_nonces() {
        let draw = || {
            (0..10_000)
                .map(|_| Random::from_system().nonce())
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let drawn = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        assert_eq!(drawn.collect::<HashSet<_>>().len(), 40_000);
    }
}
