//! Brings counts to the controller, each exactly once.
//!
//! Counts become numbered frames whose bytes never change; one frame is in flight
//! and is sent again until the controller says it is committed. Meanwhile new
//! counts gather where they are counted and fold into the next frame. What is
//! counted, and what a commit means to it, is the business of [`Counts`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pitcanary_core::v1;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::backoff::Backoff;
use super::spool::{Spool, SpooledFrame};
use crate::counters::UploadCounters;
use crate::random::Random;
use crate::v1::control_service_client::ControlServiceClient;

/// The first and the longest wait between two tries of one frame.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// A commit takes milliseconds; past this the answer is taken as lost.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Where counts come from.
pub trait Counts: Send + Sync + 'static {
    /// Takes everything counted so far as frames, numbered from `first` on.
    ///
    /// None when there is nothing to tell, one as a rule, several when one would be
    /// too large for a message.
    fn fold(&self, first: u64) -> Vec<Bytes>;

    /// So much waits that it should fold although an older frame is not committed.
    fn is_full(&self) -> bool;

    /// Every frame of this start up to `seq` is committed.
    fn committed(&self, seq: u64);

    /// The frame was given up; what it held is lost.
    fn dropped(&self, seq: u64);
}

/// Who uploads.
#[derive(Debug, Clone)]
pub struct Uploader {
    /// Stable over restarts.
    pub sidecar_id: String,
    /// Of this start.
    pub boot_id: [u8; 16],
}

/// The frames of one sidecar on their way to the controller.
pub struct Upload {
    who: Uploader,
    counts: Arc<dyn Counts>,
    ledger: Mutex<Ledger>,
    folded: Notify,
    committed: watch::Sender<u64>,
    random: Random,
    counters: Arc<UploadCounters>,
}

/// Frames and their numbers, changed together.
struct Ledger {
    spool: Box<dyn Spool>,
    last_seq: u64,
}

impl Upload {
    /// Prepares the upload; nothing moves before [`Self::send`] is polled.
    pub fn new(
        who: Uploader,
        counts: Arc<dyn Counts>,
        spool: Box<dyn Spool>,
        random: Random,
        counters: Arc<UploadCounters>,
    ) -> Self {
        Self {
            who,
            counts,
            ledger: Mutex::new(Ledger { spool, last_seq: 0 }),
            folded: Notify::new(),
            committed: watch::Sender::new(0),
            random,
            counters,
        }
    }

    /// Folds when the last frame is committed, or when too much waits.
    ///
    /// Merges and encodes everything counted, so it belongs off the request threads.
    pub fn fold_if_idle(&self) {
        let mut ledger = self.ledger.lock();
        if ledger.spool.is_empty() || self.counts.is_full() {
            self.fold(&mut ledger);
        }
    }

    /// Folds everything counted so far and waits until it is committed.
    ///
    /// Returns the number of the last frame, 0 when there never was one. Waits as
    /// long as the controller is away: the caller sets the limit.
    pub async fn flush(&self) -> u64 {
        let seq = self.fold_all();
        let mut committed = self.committed.subscribe();
        // The sender lives as long as `self`, so this cannot fail.
        let _ = committed.wait_for(|through| *through >= seq).await;
        seq
    }

    fn fold_all(&self) -> u64 {
        let mut ledger = self.ledger.lock();
        self.fold(&mut ledger);
        ledger.last_seq
    }

    /// Frames and bytes that are not committed.
    pub fn waiting(&self) -> (usize, usize) {
        let ledger = self.ledger.lock();
        (ledger.spool.len(), ledger.spool.bytes())
    }

    /// Sends what is folded for as long as it is polled.
    pub async fn send(&self, channel: Channel) {
        let mut client = ControlServiceClient::new(channel);
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let Some(frame) = self.front() else {
                self.folded.notified().await;
                continue;
            };
            match self.send_frame(&mut client, &frame).await {
                Ok(through) => {
                    backoff.reset();
                    self.acknowledge(&frame, through);
                }
                Err(status) => {
                    self.counters.failures.fetch_add(1, Ordering::Relaxed);
                    self.give_up_if_malformed(&frame, &status);
                    sleep(backoff.next(self.random.next_u64())).await;
                }
            }
        }
    }

    fn fold(&self, ledger: &mut Ledger) {
        for bytes in self.counts.fold(ledger.last_seq + 1) {
            ledger.last_seq += 1;
            self.counters.frames.fetch_add(1, Ordering::Relaxed);
            let dropped = ledger.spool.push(SpooledFrame {
                boot_id: self.who.boot_id,
                seq: ledger.last_seq,
                bytes,
            });
            for frame in &dropped {
                self.count_dropped(frame);
            }
            self.folded.notify_one();
        }
    }

    /// A frame that the controller cannot read would be sent for ever and hold up all others.
    fn give_up_if_malformed(&self, frame: &SpooledFrame, status: &Status) {
        if status.code() == Code::InvalidArgument {
            self.ledger
                .lock()
                .spool
                .acknowledge(&frame.boot_id, frame.seq);
            self.count_dropped(frame);
        }
    }

    fn count_dropped(&self, frame: &SpooledFrame) {
        self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        if frame.boot_id == self.who.boot_id {
            self.counts.dropped(frame.seq);
        }
    }

    fn front(&self) -> Option<SpooledFrame> {
        self.ledger.lock().spool.front()
    }

    async fn send_frame(
        &self,
        client: &mut ControlServiceClient<Channel>,
        frame: &SpooledFrame,
    ) -> Result<u64, Status> {
        let request = v1::UploadFrameRequest {
            sidecar_id: self.who.sidecar_id.clone(),
            boot_id: Bytes::copy_from_slice(&frame.boot_id),
            seq: frame.seq,
            frame: frame.bytes.clone(),
        };
        let answer = timeout(UPLOAD_TIMEOUT, client.upload_frame(request)).await;
        let answer = answer.map_err(|_| Status::deadline_exceeded("no answer"))??;
        match answer.into_inner().committed_through {
            through if through >= frame.seq => Ok(through),
            _ => Err(Status::internal("acknowledged without a commit")),
        }
    }

    fn acknowledge(&self, frame: &SpooledFrame, through: u64) {
        let mut ledger = self.ledger.lock();
        // A controller that speaks of frames it was never sent is not believed.
        let through = through.min(frame.seq);
        ledger.spool.acknowledge(&frame.boot_id, through);
        self.counters.committed.fetch_add(1, Ordering::Relaxed);
        self.counters
            .committed_bytes
            .fetch_add(frame.bytes.len() as u64, Ordering::Relaxed);
        if frame.boot_id == self.who.boot_id {
            self.counts.committed(through);
            self.committed.send_replace(through);
        }
    }
}
