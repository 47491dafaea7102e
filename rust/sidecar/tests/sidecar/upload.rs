//! Counts reach a real controller exactly once, whatever happens on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pitcanary_sidecar::control::endpoint::channel;
use pitcanary_sidecar::control::spool::MemorySpool;
use pitcanary_sidecar::control::upload::{Counts, Upload, Uploader};
use pitcanary_sidecar::counters::UploadCounters;
use pitcanary_sidecar::random::Random;
use tokio::time::timeout;
use tonic::Code;

use crate::controller::{Controller, Fault};

/// Outcomes are numbers here; a frame is the list of those it holds.
#[derive(Default)]
struct Numbers {
    open: Mutex<Vec<u8>>,
    full_at: Option<usize>,
    committed: Mutex<Vec<u64>>,
    dropped: Mutex<Vec<u64>>,
}

impl Counts for Numbers {
    fn fold(&self, _first: u64) -> Vec<Bytes> {
        let open = std::mem::take(&mut *self.open.lock());
        open.chunks(FRAME_NUMBERS)
            .map(Bytes::copy_from_slice)
            .collect()
    }

    fn is_full(&self) -> bool {
        self.full_at
            .is_some_and(|limit| self.open.lock().len() >= limit)
    }

    fn committed(&self, seq: u64) {
        self.committed.lock().push(seq);
    }

    fn dropped(&self, seq: u64) {
        self.dropped.lock().push(seq);
    }
}

struct Fixture {
    _folder: tempfile::TempDir,
    controller: Controller,
    numbers: Arc<Numbers>,
    upload: Arc<Upload>,
    counters: Arc<UploadCounters>,
}

/// More numbers than this are two frames.
const FRAME_NUMBERS: usize = 64;

const BOOT: [u8; 16] = [5; 16];
const SOON: Duration = Duration::from_secs(20);

fn fixture(numbers: Numbers, spool_bytes: usize) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let controller = Controller::new(folder.path());
    let numbers = Arc::new(numbers);
    let counters = Arc::<UploadCounters>::default();
    let upload = Upload::new(
        Uploader {
            sidecar_id: "here".to_owned(),
            boot_id: BOOT,
        },
        Arc::clone(&numbers) as Arc<dyn Counts>,
        Box::new(MemorySpool::new(spool_bytes)),
        Random::from_seed(1),
        Arc::clone(&counters),
    );
    Fixture {
        _folder: folder,
        controller,
        numbers,
        upload: Arc::new(upload),
        counters,
    }
}

impl Fixture {
    fn count(&self, number: u8) {
        self.numbers.open.lock().push(number);
    }

    /// Sends for as long as the given steps take.
    async fn sending<T>(&self, steps: impl Future<Output = T>) -> T {
        let channel = channel(&self.controller.address()).unwrap();
        tokio::select! {
            () = self.upload.send(channel) => unreachable!("sending has no end"),
            done = timeout(SOON, steps) => done.unwrap(),
        }
    }

    /// All numbers that the controller committed, in order of frames.
    fn committed(&self) -> Vec<u8> {
        let committed = self.controller.store.committed.lock();
        committed.values().flatten().copied().collect()
    }
}

#[tokio::test]
async fn nothing_counted_is_no_frame() {
    let mut fixture = fixture(Numbers::default(), 1000);
    fixture.controller.start();
    assert_eq!(fixture.sending(fixture.upload.flush()).await, 0);
    assert!(fixture.controller.store.uploads.lock().is_empty());
}

#[tokio::test]
async fn a_frame_is_the_same_bytes_at_every_try() {
    let mut fixture = fixture(Numbers::default(), 1000);
    fixture.controller.start();
    *fixture.controller.store.faults.lock() = vec![
        Fault::AcknowledgeTooLittle,
        Fault::LoseAnswer,
        Fault::Refuse(Code::Unavailable),
        Fault::Refuse(Code::ResourceExhausted),
    ];
    fixture.count(1);
    let flushed = async {
        let flush = fixture.upload.flush();
        tokio::pin!(flush);
        // Counted after the fold: belongs to the next frame, whatever happens to this one.
        assert!(timeout(Duration::ZERO, &mut flush).await.is_err());
        fixture.count(2);
        flush.await
    };
    assert_eq!(fixture.sending(flushed).await, 1);
    let first = (1, Bytes::from_static(&[1]));
    assert_eq!(*fixture.controller.store.uploads.lock(), vec![first; 5]);
    assert_eq!(fixture.sending(fixture.upload.flush()).await, 2);
    assert_eq!(fixture.committed(), [1, 2]);
    assert_eq!(*fixture.numbers.committed.lock(), [1, 2]);
    assert_eq!(fixture.counters.read().failures, 4);
}

#[tokio::test]
async fn one_frame_is_in_flight_and_the_rest_folds_into_the_next() {
    let mut fixture = fixture(Numbers::default(), 1000);
    for number in 0..10 {
        fixture.count(number);
        fixture.upload.fold_if_idle();
    }
    assert_eq!(fixture.upload.waiting(), (1, 1));
    fixture.controller.start();
    assert_eq!(fixture.sending(fixture.upload.flush()).await, 2);
    let numbers: Vec<u8> = (0..10).collect();
    assert_eq!(fixture.committed(), numbers);
}

#[tokio::test]
async fn what_does_not_fit_one_frame_travels_in_several() {
    let mut fixture = fixture(Numbers::default(), 1000);
    fixture.controller.start();
    for number in 0..200 {
        fixture.count(number);
    }
    assert_eq!(fixture.sending(fixture.upload.flush()).await, 4);
    let numbers: Vec<u8> = (0..200).collect();
    assert_eq!(fixture.committed(), numbers);
    assert_eq!(*fixture.numbers.committed.lock(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_killed_controller_loses_and_doubles_nothing() {
    let mut fixture = fixture(Numbers::default(), 100_000);
    for round in 0..12 {
        fixture.count(round);
        fixture.upload.fold_if_idle();
        if round % 3 == 0 {
            fixture
                .controller
                .store
                .faults
                .lock()
                .push(Fault::LoseAnswer);
        }
        fixture.controller.start();
        fixture.sending(fixture.upload.flush()).await;
        fixture.controller.kill();
    }
    let numbers: Vec<u8> = (0..12).collect();
    assert_eq!(fixture.committed(), numbers);
    assert_eq!(fixture.upload.waiting(), (0, 0));
}

#[tokio::test]
async fn a_full_spool_gives_up_the_oldest_and_says_so() {
    let numbers = Numbers {
        full_at: Some(2),
        ..Numbers::default()
    };
    let mut fixture = fixture(numbers, 5);
    for number in 0..9 {
        fixture.count(number);
        fixture.upload.fold_if_idle();
    }
    assert_eq!(*fixture.numbers.dropped.lock(), [1, 2, 3]);
    assert_eq!(fixture.upload.waiting(), (2, 4));
    fixture.controller.start();
    fixture.sending(fixture.upload.flush()).await;
    assert_eq!(fixture.committed(), [5, 6, 7, 8]);
    assert_eq!(fixture.counters.read().dropped, 3);
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_does_not_hold_up_the_next() {
    let mut fixture = fixture(Numbers::default(), 1000);
    fixture.controller.start();
    fixture
        .controller
        .store
        .faults
        .lock()
        .push(Fault::Refuse(Code::InvalidArgument));
    fixture.count(1);
    fixture.upload.fold_if_idle();
    fixture.count(2);
    assert_eq!(fixture.sending(fixture.upload.flush()).await, 2);
    assert_eq!(fixture.committed(), [2]);
    assert_eq!(*fixture.numbers.dropped.lock(), [1]);
}
