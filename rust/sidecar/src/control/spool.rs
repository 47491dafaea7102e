//! Frames that wait for the controller's commit.
//!
//! A spool keeps bytes in order and gives up the oldest when it is full; it never
//! sends, merges or reads them. What is given up is handed back, so that the loss
//! is counted and no durable promise is made about it.

use std::collections::VecDeque;

use bytes::Bytes;

/// One numbered upload; its bytes are the same at every try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledFrame {
    /// The start of the sidecar that counted it.
    pub boot_id: [u8; 16],
    /// Its number within that start.
    pub seq: u64,
    /// The encoded `Frame`.
    pub bytes: Bytes,
}

/// Holds frames until they are committed, oldest first.
pub trait Spool: Send {
    /// Takes a frame and returns those given up to make room, perhaps the frame itself.
    fn push(&mut self, frame: SpooledFrame) -> Vec<SpooledFrame>;

    /// The frame to send next.
    fn front(&self) -> Option<SpooledFrame>;

    /// Forgets the frames of a start up to and with a number.
    fn acknowledge(&mut self, boot_id: &[u8; 16], through: u64);

    /// How many frames wait.
    fn len(&self) -> usize;

    /// How many bytes wait.
    fn bytes(&self) -> usize;

    /// Tells whether everything is committed.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Holds frames in memory, up to a number of bytes.
#[derive(Debug)]
pub struct MemorySpool {
    frames: VecDeque<SpooledFrame>,
    bytes: usize,
    capacity_bytes: usize,
}

impl MemorySpool {
    /// An empty spool for at most `capacity_bytes`.
    pub const fn new(capacity_bytes: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            capacity_bytes,
        }
    }
}

impl Spool for MemorySpool {
    fn push(&mut self, frame: SpooledFrame) -> Vec<SpooledFrame> {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        let mut dropped = Vec::new();
        while self.bytes > self.capacity_bytes {
            let Some(oldest) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes.len();
            dropped.push(oldest);
        }
        dropped
    }

    fn front(&self) -> Option<SpooledFrame> {
        self.frames.front().cloned()
    }

    fn acknowledge(&mut self, boot_id: &[u8; 16], through: u64) {
        self.frames
            .retain(|frame| frame.boot_id != *boot_id || frame.seq > through);
        self.bytes = self.frames.iter().map(|frame| frame.bytes.len()).sum();
    }

    fn len(&self) -> usize {
        self.frames.len()
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(seq: u64, length: usize) -> SpooledFrame {
        SpooledFrame {
            boot_id: [7; 16],
            seq,
            bytes: vec![0; length].into(),
        }
    }

    proptest! {
        #[test]
        fn kept_and_dropped_frames_are_all_frames_in_order(
            lengths in prop::collection::vec(0..60_usize, 1..30), capacity in 0..200_usize
        ) {
            let mut spool = MemorySpool::new(capacity);
            let mut seen = Vec::new();
            for (seq, length) in (1..).zip(&lengths) {
                seen.extend(spool.push(frame(seq, *length)).iter().map(|dropped| dropped.seq));
                prop_assert!(spool.bytes() <= capacity);
            }
            while let Some(front) = spool.front() {
                seen.push(front.seq);
                spool.acknowledge(&front.boot_id, front.seq);
            }
            prop_assert_eq!(seen, (1..=lengths.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!((spool.len(), spool.bytes()), (0, 0));
        }
    }

    #[test]
    fn another_start_keeps_its_frames() {
        let mut spool = MemorySpool::new(100);
        spool.push(frame(4, 10));
        spool.acknowledge(&[8; 16], 9);
        assert_eq!(spool.front().map(|front| front.seq), Some(4));
    }

    #[test]
    fn a_frame_larger_than_the_spool_is_given_up_itself() {
        let mut spool = MemorySpool::new(100);
        let dropped = spool.push(frame(1, 101));
        assert_eq!(dropped, [frame(1, 101)]);
        assert!(spool.is_empty());
    }
}
