//! What is counted, between the requests that bring it and the frames that take it.
//!
//! Spreads one recorder per shard over the threads and merges them into frames. What
//! is counted where is `pitcanary_core::report`'s; how frames travel is
//! `control::upload`'s.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use pitcanary_core::assign::{SLICE_COUNT, Slice};
use pitcanary_core::evidence::Bundle;
use pitcanary_core::report::{Limits, Recorder};
use pitcanary_core::resolve::Served;
use pitcanary_core::snapshot::Snapshot;
use pitcanary_core::v1;
use prost::Message;

use crate::clock::Clock;
use crate::control::installer::Identity;
use crate::control::upload::Counts;
use crate::service::streams::{Mark, Streams};

/// Far below what a controller takes in one message.
const FRAME_BYTES: usize = 1024 * 1024;

/// With a frame waiting for its commit, the next one folds only this often: an outage
/// of the controller makes few frames, and none of them large.
const FOLD_WHILE_WAITING_US: u64 = 60_000_000;

/// Report streams that a sidecar follows at one time.
const MAX_STREAMS: usize = 4096;

/// Reports that all shards together recognise when they come again.
const WINDOW: usize = 1 << 18;

/// The counts of one sidecar.
#[derive(Debug)]
pub struct Recording {
    identity: Identity,
    clock: Clock,
    shards: Box<[Shard]>,
    streams: Streams,
    folded_us: AtomicU64,
}

/// Two cache lines apart, so that threads do not slow each other down.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Recorder>);

impl Recording {
    /// Counts on so many shards, at most one per slice.
    pub fn new(identity: Identity, clock: Clock, shards: usize) -> Self {
        let count = shards.clamp(1, usize::from(SLICE_COUNT));
        let limits = Limits {
            window: WINDOW / count,
            ..Limits::default()
        };
        let shard = || Shard(Mutex::new(Recorder::new(limits)));
        Self {
            identity,
            folded_us: AtomicU64::new(clock.steady_us()),
            clock,
            shards: std::iter::repeat_with(shard).take(count).collect(),
            streams: Streams::new(MAX_STREAMS),
        }
    }

    /// The recorder of a slice: everything about one token goes to the same one.
    pub fn of_slice(&self, slice: Slice) -> MutexGuard<'_, Recorder> {
        self.shards[slice.index() % self.shards.len()].0.lock()
    }

    /// The recorder for what belongs to no token.
    pub fn of_process(&self) -> MutexGuard<'_, Recorder> {
        self.shards[0].0.lock()
    }

    /// Counts an answer.
    pub fn served(&self, served: &Served) {
        self.of_slice(served.token.slice).record_served(served);
    }

    /// The report streams whose numbers travel with the counts.
    pub const fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Forgets what a new configuration no longer needs.
    pub fn follow(&self, snapshot: &Snapshot) {
        for shard in &self.shards {
            shard.0.lock().forget_ended(snapshot);
        }
    }

    fn drain(&self) -> Vec<Bundle> {
        self.shards
            .iter()
            .map(|shard| shard.0.lock().drain())
            .collect()
    }

    /// The bundles as the evidence of frames, each small enough for a message.
    fn merge(&self, bundles: Vec<Bundle>) -> Vec<v1::Evidence> {
        let merged = bundles
            .into_iter()
            .try_fold(Bundle::default(), Bundle::merge);
        let Ok(bundle) = merged else {
            // Cells of one key with two shapes: a configuration that changed a metric
            // within its generation. The counts are gone and counted as such.
            self.of_process().record_dropped_frames(1);
            return Vec::new();
        };
        if bundle.is_empty() {
            return Vec::new();
        }
        let whole = bundle.to_message();
        if whole.encoded_len() <= FRAME_BYTES {
            return vec![whole];
        }
        // Both arms of a rollout stay together: they must arrive in one tick.
        bundle.split().values().map(Bundle::to_message).collect()
    }

    fn frame(&self, seq: u64, evidence: v1::Evidence, marks: &[Mark]) -> Bytes {
        let Identity {
            sidecar_id,
            boot_id,
            place,
        } = &self.identity;
        let stream_marks = marks.iter().map(|mark| v1::StreamMark {
            client_stream_id: mark.stream.client_stream_id().to_owned(),
            through: mark.through,
        });
        let frame = v1::Frame {
            sidecar_id: sidecar_id.clone(),
            boot_id: Bytes::copy_from_slice(boot_id),
            seq,
            namespace: place.namespace.clone(),
            environment: place.environment.clone(),
            evidence: Some(evidence),
            stream_marks: stream_marks.collect(),
        };
        frame.encode_to_vec().into()
    }
}

impl Counts for Recording {
    fn fold(&self, first: u64) -> Vec<Bytes> {
        self.folded_us
            .store(self.clock.steady_us(), Ordering::Relaxed);
        let (bundles, marks) = self.streams.fold(|| self.drain());
        let mut parts = self.merge(bundles);
        if parts.is_empty() && !marks.is_empty() {
            // Nothing to count, but a client waits to hear that its reports are safe.
            parts.push(v1::Evidence::default());
        }
        let Some(seqs) = numbers(first, parts.len()) else {
            return Vec::new();
        };
        let last = *seqs.end();
        let frames = seqs.clone().zip(parts).map(|(seq, evidence)| {
            // A mark claims everything in the frames up to its own.
            let claimed = if seq == last { marks.as_slice() } else { &[] };
            self.frame(seq, evidence, claimed)
        });
        let frames = frames.collect();
        self.streams.pend(seqs, marks);
        frames
    }

    fn is_full(&self) -> bool {
        let folded_us = self.folded_us.load(Ordering::Relaxed);
        self.clock.steady_us().saturating_sub(folded_us) >= FOLD_WHILE_WAITING_US
    }

    fn committed(&self, seq: u64) {
        self.streams.committed(seq);
    }

    fn dropped(&self, seq: u64) {
        self.of_process().record_dropped_frames(1);
        self.streams.dropped(seq);
    }
}

fn numbers(first: u64, count: usize) -> Option<RangeInclusive<u64>> {
    let after = first.checked_add(u64::try_from(count).ok()?)?;
    (count > 0).then(|| first..=after - 1)
}
