//! What happened to connections, counted for `/metrics`.
//!
//! Only numbers that no service can know. They are read at scrape, so plain
//! relaxed atomics suffice; nothing decides by them.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of connections since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) accepted: Counter,
    pub(super) open: Counter,
    pub(super) refused: Counter,
    pub(super) accept_errors: Counter,
    pub(super) handshake_timeouts: Counter,
    pub(super) aborted: Counter,
}

/// The counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionCounts {
    /// Connections that were let in.
    pub accepted: u64,
    /// Connections that are open now.
    pub open: u64,
    /// Connections closed at once because too many were open.
    pub refused: u64,
    /// Failures to accept, such as too many open files.
    pub accept_errors: u64,
    /// Connections closed because they did not start to speak HTTP/2 in time.
    pub handshake_timeouts: u64,
    /// Connections cut because they outlived the deadline of a drain.
    pub aborted: u64,
}

impl Counters {
    /// Reads all counts.
    pub fn read(&self) -> ConnectionCounts {
        ConnectionCounts {
            accepted: self.accepted.get(),
            open: self.open.get(),
            refused: self.refused.get(),
            accept_errors: self.accept_errors.get(),
            handshake_timeouts: self.handshake_timeouts.get(),
            aborted: self.aborted.get(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
