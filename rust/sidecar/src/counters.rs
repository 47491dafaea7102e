//! What the sidecar counts about itself, as plain numbers for `/metrics`.
//!
//! Hit counters only: nothing here is evidence and nothing is reset. Counts about
//! answers and outcomes live with their services, connections with the transport.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::configuration::Freshness;
use crate::service::latency::LatencyCounts;
use crate::service::tally::ResolveCount;
use crate::transport::counters::ConnectionCounts;

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

/// Everything that a sidecar counts about itself, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SidecarCounts {
    /// Answers by prompt, arm and reason.
    pub resolves: Vec<ResolveCount>,
    /// How long they took.
    pub resolve_latency: LatencyCounts,
    /// Resolves refused, by gRPC status.
    pub resolves_refused: Vec<(&'static str, u64)>,
    /// Reports by what became of them.
    pub reports: Vec<(&'static str, u64)>,
    /// Reports not counted, by reject code.
    pub rejects: Vec<(&'static str, u64)>,
    /// Revision in force; `None` before there is one.
    pub config_revision: Option<u64>,
    /// How current it is.
    pub freshness: Freshness,
    /// Rollouts that the local breaker took back and no newer epoch released.
    pub tripped_rollouts: usize,
    /// The config stream.
    pub link: LinkCounts,
    /// The upload.
    pub upload: UploadCounts,
    /// Frames not committed.
    pub frames_waiting: usize,
    /// Bytes of the frames not committed.
    pub frame_bytes_waiting: usize,
    /// Connections of applications.
    pub connections: ConnectionCounts,
}
