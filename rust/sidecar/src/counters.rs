//! What the sidecar counts about itself, as plain numbers for `/metrics`.
//!
//! Hit counters only: nothing here is evidence and nothing is reset. Counts about
//! answers and outcomes live with their services, connections with the transport.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts of the config stream.
#[derive(Debug, Default)]
pub struct LinkCounters {
    /// Streams opened or tried.
    pub connects: AtomicU64,
    /// Messages heard.
    pub messages: AtomicU64,
    /// Snapshots put in force.
    pub accepted: AtomicU64,
    /// Snapshots refused.
    pub refused: AtomicU64,
    /// The stream is up now.
    pub connected: AtomicBool,
}

/// Counts of the upload.
#[derive(Debug, Default)]
pub struct UploadCounters {
    /// Frames made.
    pub frames: AtomicU64,
    /// Frames committed.
    pub committed: AtomicU64,
    /// Tries that failed, for whatever reason.
    pub failures: AtomicU64,
    /// Frames given up for room.
    pub dropped: AtomicU64,
    /// Bytes of all committed frames.
    pub committed_bytes: AtomicU64,
}

/// [`LinkCounters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "as in LinkCounters")]
pub struct LinkCounts {
    pub connects: u64,
    pub messages: u64,
    pub accepted: u64,
    pub refused: u64,
    pub connected: bool,
}

/// [`UploadCounters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "as in UploadCounters")]
pub struct UploadCounts {
    pub frames: u64,
    pub committed: u64,
    pub failures: u64,
    pub dropped: u64,
    pub committed_bytes: u64,
}

impl LinkCounters {
    /// Reads all of them.
    pub fn read(&self) -> LinkCounts {
        LinkCounts {
            connects: self.connects.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }
}

impl UploadCounters {
    /// Reads all of them.
    pub fn read(&self) -> UploadCounts {
        UploadCounts {
            frames: self.frames.load(Ordering::Relaxed),
            committed: self.committed.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            committed_bytes: self.committed_bytes.load(Ordering::Relaxed),
        }
    }
}
