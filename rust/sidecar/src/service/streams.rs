//! How far the report streams of clients are counted, and how far that is durable.
//!
//! Keeps numbers only. A report and its number are counted under one gate, and a
//! frame closes the gate while it takes both, so a frame never holds a report whose
//! number it does not claim, nor claims one it does not hold.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

/// How far a stream survives the death of any one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Everything up to this number.
    Through(u64),
    /// A frame with reports of this stream was given up.
    Lost,
}

/// What became of one numbered report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one: it was recorded.
    Recorded,
    /// Recorded before; nothing happened now.
    Repeated,
    /// Reports before it are missing; nothing happened.
    Gap {
        /// The number that should come next.
        expected: u64,
    },
}

/// More streams than the sidecar remembers, all of them in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this sidecar follows `{0}` report streams already: reuse a `client_stream_id`")]
pub struct TooManyStreams(usize);

/// One client's stream, over all its connections.
#[derive(Debug)]
pub struct ClientStream {
    id: Box<str>,
    progress: Mutex<Progress>,
    durable: watch::Sender<Durability>,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    accepted: u64,
    /// The part of `accepted` that some frame holds.
    folded: u64,
}

impl ClientStream {
    /// Everything up to this number is recorded, but for the rejects.
    pub fn accepted_through(&self) -> u64 {
        self.progress.lock().accepted
    }

    /// Says whenever more of it is durable.
    pub fn durability(&self) -> watch::Receiver<Durability> {
        self.durable.subscribe()
    }

    fn advance_durable(&self, through: u64) {
        self.durable.send_if_modified(|durable| match durable {
            Durability::Through(before) if *before < through => {
                *before = through;
                true
            }
            _ => false,
        });
    }
}

/// A stream and how far a frame takes it.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Which stream.
    pub stream: Arc<ClientStream>,
    /// Everything up to this number is in frames.
    pub through: u64,
}

impl Mark {
    /// The id that the client chose.
    pub fn client_stream_id(&self) -> &str {
        &self.stream.id
    }
}

/// All streams that the sidecar remembers.
#[derive(Debug)]
pub struct Streams {
    /// Shared by reports, held alone by a fold.
    gate: RwLock<()>,
    remembered: Mutex<HashMap<Box<str>, Arc<ClientStream>>>,
    capacity: usize,
    /// Marks of the frames that are not committed, oldest first.
    pending: Mutex<VecDeque<(u64, Vec<Mark>)>>,
}

impl Streams {
    /// Remembers up to `capacity` streams; idle ones make room for new ones.
    pub fn new(capacity: usize) -> Self {
        Self {
            gate: RwLock::new(()),
            remembered: Mutex::default(),
            capacity,
            pending: Mutex::default(),
        }
    }

    /// The stream of that id; a new one goes on at `first`, as the client says.
    ///
    /// # Errors
    ///
    /// When there are too many and none of them is idle.
    pub fn open(&self, id: &str, first: u64) -> Result<Arc<ClientStream>, TooManyStreams> {
        let mut streams = self.remembered.lock();
        if let Some(stream) = streams.get(id) {
            return Ok(Arc::clone(stream));
        }
        if streams.len() >= self.capacity {
            streams.retain(|_, stream| !is_idle(stream));
        }
        if streams.len() >= self.capacity {
            return Err(TooManyStreams(self.capacity));
        }
        let before = first.saturating_sub(1);
        let stream = Arc::new(ClientStream {
            id: id.into(),
            progress: Mutex::new(Progress {
                accepted: before,
                folded: before,
            }),
            durable: watch::Sender::new(Durability::Through(before)),
        });
        streams.insert(id.into(), Arc::clone(&stream));
        Ok(stream)
    }

    /// Records a report if it is the next of its stream.
    pub fn arrive(&self, stream: &ClientStream, seq: u64, record: impl FnOnce()) -> Arrival {
        let _gate = self.gate.read();
        let mut progress = stream.progress.lock();
        let expected = progress.accepted.saturating_add(1);
        if seq > expected {
            return Arrival::Gap { expected };
        }
        if seq < expected {
            return Arrival::Repeated;
        }
        record();
        progress.accepted = seq;
        Arrival::Recorded
    }

    /// Takes what was recorded together with the marks that it covers.
    ///
    /// `take` runs while no report arrives, so it should only swap. The marks count
    /// as pending under `seq` until that frame is committed or dropped.
    pub fn fold<T>(&self, seq: u64, take: impl FnOnce() -> T) -> (T, Vec<Mark>) {
        let _gate = self.gate.write();
        let taken = take();
        let streams = self.remembered.lock();
        let marks: Vec<Mark> = streams.values().filter_map(advance_folded).collect();
        if !marks.is_empty() {
            self.pending.lock().push_back((seq, marks.clone()));
        }
        (taken, marks)
    }

    /// Makes durable what the frames up to `seq` hold.
    pub fn committed(&self, seq: u64) {
        for mark in self.settle(|frame| frame <= seq) {
            mark.stream.advance_durable(mark.through);
        }
    }

    /// Ends the streams that had reports in a frame that was given up.
    ///
    /// They are forgotten, so that no later frame makes the hole look durable.
    pub fn dropped(&self, seq: u64) {
        for mark in self.settle(|frame| frame == seq) {
            mark.stream.durable.send_replace(Durability::Lost);
            self.remembered.lock().remove(&mark.stream.id);
        }
    }

    /// How many streams are remembered.
    pub fn len(&self) -> usize {
        self.remembered.lock().len()
    }

    /// Tells whether no stream is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn settle(&self, is_settled: impl Fn(u64) -> bool) -> Vec<Mark> {
        let mut pending = self.pending.lock();
        let (settled, waiting): (VecDeque<_>, VecDeque<_>) =
            pending.drain(..).partition(|(frame, _)| is_settled(*frame));
        *pending = waiting;
        settled.into_iter().flat_map(|(_, marks)| marks).collect()
    }
}

/// Nobody is connected and nothing waits: forgetting it costs a client nothing.
fn is_idle(stream: &Arc<ClientStream>) -> bool {
    let accepted = stream.accepted_through();
    Arc::strong_count(stream) == 1 && *stream.durable.borrow() == Durability::Through(accepted)
}

fn advance_folded(stream: &Arc<ClientStream>) -> Option<Mark> {
    let mut progress = stream.progress.lock();
    let through = progress.accepted;
    (progress.folded < through).then(|| {
        progress.folded = through;
        Mark {
            stream: Arc::clone(stream),
            through,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn durable(stream: &ClientStream) -> Durability {
        *stream.durable.borrow()
    }

    #[test]
    fn reports_count_once_and_in_order() {
        let streams = Streams::new(10);
        let stream = streams.open("a", 1).unwrap();
        let mut recorded = Vec::new();
        let mut arrive = |seq| streams.arrive(&stream, seq, || recorded.push(seq));
        assert_eq!(arrive(1), Arrival::Recorded);
        assert_eq!(arrive(1), Arrival::Repeated);
        assert_eq!(arrive(3), Arrival::Gap { expected: 2 });
        assert_eq!(arrive(2), Arrival::Recorded);
        assert_eq!(recorded, [1, 2]);
    }

    #[test]
    fn a_new_stream_goes_on_where_the_client_says() {
        let streams = Streams::new(10);
        let stream = streams.open("a", 41).unwrap();
        assert_eq!(stream.accepted_through(), 40);
        assert_eq!(durable(&stream), Durability::Through(40));
        assert_eq!(streams.arrive(&stream, 41, || ()), Arrival::Recorded);
        assert_eq!(streams.open("a", 1).unwrap().accepted_through(), 41);
    }

    proptest! {
        /// Steps: 0 reports, 1 folds, 2 commits everything folded.
        #[test]
        fn durable_is_what_committed_frames_hold(steps in prop::collection::vec(0..3_u8, 1..60)) {
            let streams = Streams::new(10);
            let stream = streams.open("a", 1).unwrap();
            let (mut open, mut folded, mut committed, mut seq) = (0, 0, 0, 0);
            for step in steps {
                match step {
                    0 => {
                        open += 1;
                        streams.arrive(&stream, open, || ());
                    }
                    1 => {
                        seq += 1;
                        let ((), marks) = streams.fold(seq, || ());
                        prop_assert_eq!(marks.is_empty(), open == folded);
                        folded = open;
                    }
                    _ => {
                        streams.committed(seq);
                        committed = folded;
                    }
                }
                prop_assert_eq!(durable(&stream), Durability::Through(committed));
            }
        }
    }

    #[test]
    fn a_dropped_frame_never_looks_durable() {
        let streams = Streams::new(10);
        let hurt = streams.open("hurt", 1).unwrap();
        let sound = streams.open("sound", 1).unwrap();
        streams.arrive(&hurt, 1, || ());
        streams.fold(1, || ());
        streams.arrive(&hurt, 2, || ());
        streams.arrive(&sound, 1, || ());
        streams.fold(2, || ());
        streams.dropped(1);
        streams.committed(2);
        assert_eq!(durable(&hurt), Durability::Lost);
        assert_eq!(durable(&sound), Durability::Through(1));
        assert_eq!(streams.open("hurt", 1).unwrap().accepted_through(), 0);
    }

    #[test]
    fn only_idle_streams_make_room() {
        let streams = Streams::new(2);
        let held = streams.open("held", 1).unwrap();
        let waiting = streams.open("waiting", 1).unwrap();
        streams.arrive(&waiting, 1, || ());
        drop(waiting);
        assert_eq!(streams.open("new", 1).unwrap_err(), TooManyStreams(2));
        streams.fold(1, || ());
        streams.committed(1);
        assert!(streams.open("new", 1).is_ok());
        assert_eq!(streams.len(), 2);
        drop(held);
    }

    #[test]
    fn a_fold_takes_exactly_what_it_claims() {
        use std::sync::atomic::{AtomicU64, Ordering};
        let streams = Streams::new(10);
        let stream = streams.open("a", 1).unwrap();
        let recorded = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for seq in 1..=20_000 {
                    streams.arrive(&stream, seq, || {
                        recorded.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            let mut taken = 0;
            let mut seq = 0;
            while taken < 20_000 {
                seq += 1;
                let (count, marks) = streams.fold(seq, || recorded.swap(0, Ordering::Relaxed));
                taken += count;
                assert!(marks.iter().all(|mark| mark.through == taken));
            }
        });
    }
}
