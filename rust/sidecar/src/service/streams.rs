//! How far the report streams of clients are counted, and how far that is durable.
//!
//! Keeps numbers only. A report and its number are counted under one gate, and a
//! frame closes the gate while it takes both, so a frame never holds a report whose
//! number it does not claim, nor claims one it does not hold.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
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
pub enum Arrival<T> {
    /// The next one: it was recorded, with this result.
    Recorded(T),
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
    /// The id that the client chose.
    pub fn client_stream_id(&self) -> &str {
        &self.id
    }

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

/// What one fold took, and the frames that hold it together.
#[derive(Debug)]
struct Pending {
    frames: RangeInclusive<u64>,
    marks: Vec<Mark>,
}

/// All streams that the sidecar remembers.
#[derive(Debug)]
pub struct Streams {
    /// Shared by reports, held alone by a fold.
    gate: RwLock<()>,
    remembered: Mutex<HashMap<Box<str>, Arc<ClientStream>>>,
    capacity: usize,
    /// Marks of the folds that are not committed, oldest first.
    pending: Mutex<VecDeque<Pending>>,
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
    ///
    /// # Errors
    ///
    /// Those of `record`; the report has then not arrived.
    pub fn arrive<T, E>(
        &self,
        stream: &ClientStream,
        seq: u64,
        record: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arrival<T>, E> {
        let _gate = self.gate.read();
        let mut progress = stream.progress.lock();
        let expected = progress.accepted.saturating_add(1);
        if seq > expected {
            return Ok(Arrival::Gap { expected });
        }
        if seq < expected {
            return Ok(Arrival::Repeated);
        }
        let recorded = record()?;
        progress.accepted = seq;
        Ok(Arrival::Recorded(recorded))
    }

    /// Takes what was recorded together with the marks that it covers.
    ///
    /// `take` runs while no report arrives, so it should only swap. The marks wait for
    /// [`Self::pend`], which says in which frames they travel.
    pub fn fold<T>(&self, take: impl FnOnce() -> T) -> (T, Vec<Mark>) {
        let _gate = self.gate.write();
        let taken = take();
        let streams = self.remembered.lock();
        let marks = streams.values().filter_map(advance_folded).collect();
        (taken, marks)
    }

    /// Lets marks wait for the commit of all these frames.
    pub fn pend(&self, frames: RangeInclusive<u64>, marks: Vec<Mark>) {
        if !marks.is_empty() {
            self.pending.lock().push_back(Pending { frames, marks });
        }
    }

    /// Makes durable what the frames up to `seq` hold.
    pub fn committed(&self, seq: u64) {
        for mark in self.settle(|frames| *frames.end() <= seq) {
            mark.stream.advance_durable(mark.through);
        }
    }

    /// Ends the streams that had reports in a frame that was given up.
    ///
    /// They are forgotten, so that no later frame makes the hole look durable.
    pub fn dropped(&self, seq: u64) {
        for mark in self.settle(|frames| frames.contains(&seq)) {
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

    fn settle(&self, is_settled: impl Fn(&RangeInclusive<u64>) -> bool) -> Vec<Mark> {
        let mut pending = self.pending.lock();
        let (settled, waiting): (VecDeque<_>, VecDeque<_>) =
            pending.drain(..).partition(|fold| is_settled(&fold.frames));
        *pending = waiting;
        settled.into_iter().flat_map(|fold| fold.marks).collect()
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
mod tests;
