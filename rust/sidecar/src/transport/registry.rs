//! The open connections: how many there may be, and how to cut them all.
//!
//! A connection enters when it is accepted and leaves when it is dropped. It
//! is cut by failing its next read or write, so the HTTP/2 stack above closes
//! it as it closes any broken connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

use super::counters::Counters;

pub(super) struct Registry {
    max_connections: usize,
    counters: Arc<Counters>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    cuts: HashMap<u64, Arc<Cut>>,
}

impl Registry {
    pub(super) fn new(max_connections: usize, counters: Arc<Counters>) -> Arc<Self> {
        Arc::new(Self {
            max_connections,
            counters,
            open: Mutex::default(),
        })
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lets one more connection in, or counts it as refused.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Slot> {
        let mut open = self.open.lock();
        if open.cuts.len() >= self.max_connections {
            self.counters.refused.add(1);
            return None;
        }
        let id = open.next_id;
        open.next_id += 1;
        let cut = Arc::new(Cut::default());
        open.cuts.insert(id, Arc::clone(&cut));
        self.counters.accepted.add(1);
        self.counters.open.set(open.cuts.len() as u64);
        Some(Slot {
            id,
            cut,
            watcher: None,
            registry: Arc::clone(self),
        })
    }

    /// Cuts every open connection and returns their number.
    pub(super) fn cut_all(&self) -> u64 {
        let cuts: Vec<_> = self.open.lock().cuts.values().cloned().collect();
        self.counters.aborted.add(cuts.len() as u64);
        for cut in &cuts {
            cut.now();
        }
        cuts.len() as u64
    }

    fn leave(&self, id: u64) {
        let mut open = self.open.lock();
        open.cuts.remove(&id);
        self.counters.open.set(open.cuts.len() as u64);
    }
}

#[derive(Default)]
struct Cut {
    done: AtomicBool,
    watcher: Mutex<Option<Waker>>,
}

impl Cut {
    fn now(&self) {
        self.done.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher.lock().take() {
            watcher.wake();
        }
    }
}

/// The place of one open connection.
pub(super) struct Slot {
    id: u64,
    cut: Arc<Cut>,
    /// The waker that `cut` holds, kept here so that a poll takes no lock.
    watcher: Option<Waker>,
    registry: Arc<Registry>,
}

impl Slot {
    /// Tells whether the connection is cut; if it is not, `waker` hears of it.
    pub(super) fn is_cut(&mut self, waker: &Waker) -> bool {
        if !self
            .watcher
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            self.watcher = Some(waker.clone());
            *self.cut.watcher.lock() = Some(waker.clone());
        }
        // Read after the waker is in place, so that no cut falls between.
        self.cut.done.load(Ordering::Acquire)
    }

    pub(super) fn counters(&self) -> &Counters {
        self.registry.counters()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.leave(self.id);
    }
}
