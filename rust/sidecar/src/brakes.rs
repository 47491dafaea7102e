//! What makes this sidecar serve the baseline by itself.
//!
//! Latches what the core's breaker judges, for every request to read without a lock,
//! until the controller moves the rollout's shares. Which outcomes are too many
//! failures is `pitcanary_core::breaker`'s business.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use pitcanary_core::breaker::{Breaker, Trip};
use pitcanary_core::report::Recorded;
use pitcanary_core::snapshot::Snapshot;
use tokio::sync::watch;

/// The rollouts that were taken back here, and what judges them.
#[derive(Debug)]
pub struct Brakes {
    breaker: Mutex<Breaker>,
    tripped: ArcSwap<Tripped>,
    changed: watch::Sender<()>,
}

/// What is taken back at one moment.
#[derive(Debug, Default)]
pub struct Tripped {
    trips: Vec<Trip>,
    rollouts: Vec<u32>,
}

impl Tripped {
    /// The rollouts whose candidate gets no traffic here.
    pub fn rollouts(&self) -> &[u32] {
        &self.rollouts
    }

    /// What each of them was judged by.
    pub fn trips(&self) -> &[Trip] {
        &self.trips
    }
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            breaker: Mutex::default(),
            tripped: ArcSwap::default(),
            changed: watch::Sender::new(()),
        }
    }
}

impl Brakes {
    /// What is taken back now; cheap, for every request.
    pub fn tripped(&self) -> Guard<Arc<Tripped>> {
        self.tripped.load()
    }

    /// Says whenever a rollout was taken back.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes in an outcome that was counted, where the configuration has a breaker.
    pub fn observe(&self, snapshot: &Snapshot, recorded: &Recorded) {
        let (Some(policy), Some(failed)) = (snapshot.breaker(), recorded.failed) else {
            return;
        };
        let token = &recorded.subject.token;
        let trip = self.breaker.lock().observe(policy, token, failed);
        if let Some(trip) = trip {
            self.latch(trip);
        }
    }

    /// Releases what a new configuration has moved on from.
    pub fn follow(&self, snapshot: &Snapshot) {
        self.breaker.lock().follow(snapshot);
        self.tripped.rcu(|tripped| {
            let holds = |trip: &&Trip| {
                let mut rollouts = snapshot.rollouts();
                rollouts.any(|(rollout, epoch)| rollout == trip.rollout && epoch <= trip.epoch)
            };
            of(tripped.trips.iter().filter(holds).copied().collect())
        });
    }

    fn latch(&self, trip: Trip) {
        self.tripped.rcu(|tripped| {
            let mut earlier = tripped.trips.clone();
            earlier.retain(|other| other.rollout != trip.rollout);
            earlier.push(trip);
            of(earlier)
        });
        self.changed.send_replace(());
    }
}

fn of(trips: Vec<Trip>) -> Tripped {
    let rollouts = trips.iter().map(|trip| trip.rollout).collect();
    Tripped { trips, rollouts }
}
