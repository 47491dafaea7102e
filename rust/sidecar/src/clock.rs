//! The only reader of the machine's clock in the sidecar.
//!
//! Two times, never mixed: the wall clock labels (tokens, outcomes), the steady
//! clock measures how long ago something was. A step of the wall clock therefore
//! changes labels and nothing else. A replay clock stands still until it is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time; clones tell the same time.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { origin: Instant },
    Replay(Arc<ReplayTime>),
}

/// Microseconds on both clocks of a replay.
#[derive(Debug, Default)]
struct ReplayTime {
    wall_us: AtomicU64,
    steady_us: AtomicU64,
}

/// A clock that runs by itself was asked to jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock runs by itself: start the process with `--replay` to set it by hand")]
pub struct NotAReplayClock;

impl Clock {
    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that reads the clock"
    )]
    pub fn system() -> Self {
        Self(Source::System {
            origin: Instant::now(),
        })
    }

    /// A clock that stands still at the Unix epoch until it is set.
    pub fn replay() -> Self {
        Self(Source::Replay(Arc::default()))
    }

    /// Tells whether the clock is set by hand.
    pub fn is_replay(&self) -> bool {
        matches!(self.0, Source::Replay(_))
    }

    /// Microseconds since the Unix epoch, for labels only.
    ///
    /// A machine whose clock is before 1970 reads as 0.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that reads the clock"
    )]
    pub fn wall_us(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
                micros(since_epoch.unwrap_or_default())
            }
            Source::Replay(time) => time.wall_us.load(Ordering::Acquire),
        }
    }

    /// Seconds since the Unix epoch, for labels only.
    pub fn wall_s(&self) -> u64 {
        self.wall_us() / 1_000_000
    }

    /// Microseconds since some fixed moment; never goes back.
    pub fn steady_us(&self) -> u64 {
        match &self.0 {
            Source::System { origin } => micros(origin.elapsed()),
            Source::Replay(time) => time.steady_us.load(Ordering::Acquire),
        }
    }

    /// Sets a replay clock to a wall time and returns how far the steady clock moved.
    ///
    /// The steady clock follows forward steps; a step back leaves it where it is.
    ///
    /// # Errors
    ///
    /// When the clock runs by itself.
    pub fn set(&self, wall_us: u64) -> Result<u64, NotAReplayClock> {
        let Source::Replay(time) = &self.0 else {
            return Err(NotAReplayClock);
        };
        let before = time.wall_us.swap(wall_us, Ordering::AcqRel);
        let step = wall_us.saturating_sub(before);
        time.steady_us.fetch_add(step, Ordering::AcqRel);
        Ok(step)
    }
}

/// Starts a stopwatch for the duration of one request, in nanoseconds.
///
/// Latency of the sidecar itself is real even in a replay, so this reads the
/// machine's steady clock always.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the module that reads the clock"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn elapsed_ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_steady_clock_never_goes_back(times in prop::collection::vec(0..u64::MAX / 64, 1..20)) {
            let clock = Clock::replay();
            let mut steady = clock.steady_us();
            for wall_us in times {
                let step = clock.set(wall_us).unwrap();
                prop_assert_eq!(clock.wall_us(), wall_us);
                prop_assert_eq!(clock.steady_us(), steady + step);
                steady = clock.steady_us();
            }
        }
    }

    #[test]
    fn clones_of_a_replay_clock_tell_the_same_time() {
        let clock = Clock::replay();
        let clone = clock.clone();
        clock.set(7_000_000).unwrap();
        assert_eq!((clone.wall_s(), clone.steady_us()), (7, 7_000_000));
    }

    #[test]
    fn a_system_clock_is_not_set() {
        let clock = Clock::system();
        assert_eq!(clock.set(0), Err(NotAReplayClock));
        assert!(clock.wall_us() > 1_700_000_000_000_000);
    }
}
