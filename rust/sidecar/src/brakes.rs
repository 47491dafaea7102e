//! What makes this sidecar serve the baseline by itself.
//!
//! Holds which rollouts were taken back here, for every request to read without a
//! lock. A trip is latched until the controller moves the rollout's shares; who
//! judges that a rollout must be taken back is not decided here.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use pitcanary_core::snapshot::Snapshot;

/// A rollout taken back, and the epoch in which that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trip {
    rollout: u32,
    epoch: u32,
}

/// The rollouts that were taken back here.
#[derive(Debug, Default)]
pub struct Brakes {
    tripped: ArcSwap<Tripped>,
}

/// Numbers for requests, and the epochs that release them.
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
}

impl Brakes {
    /// What is taken back now; cheap, for every request.
    pub fn tripped(&self) -> Guard<Arc<Tripped>> {
        self.tripped.load()
    }

    /// Takes a rollout back until its epoch is over; false when it was taken back before.
    pub fn trip(&self, rollout: u32, epoch: u32) -> bool {
        let trip = Trip { rollout, epoch };
        let before = self.tripped.rcu(|tripped| {
            let others = tripped
                .trips
                .iter()
                .filter(|earlier| earlier.rollout != rollout);
            of(others.copied().chain([trip]).collect())
        });
        !before.trips.contains(&trip)
    }

    /// Releases what the new configuration has moved on from.
    pub fn follow(&self, snapshot: &Snapshot) {
        self.tripped.rcu(|tripped| {
            let still_there = |trip: &&Trip| {
                let mut rollouts = snapshot.rollouts();
                rollouts.any(|(rollout, epoch)| rollout == trip.rollout && epoch <= trip.epoch)
            };
            of(tripped.trips.iter().filter(still_there).copied().collect())
        });
    }
}

fn of(trips: Vec<Trip>) -> Tripped {
    let rollouts = trips.iter().map(|trip| trip.rollout).collect();
    Tripped { trips, rollouts }
}
