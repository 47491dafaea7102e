//! Joins the config stream to the configuration in force.
//!
//! Says who this sidecar is, passes snapshots through [`Configuration::install`]
//! and remembers which rollouts the local breaker took back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use parking_lot::Mutex;
use pitcanary_core::assign::HASH_VERSION;
use pitcanary_core::snapshot::CAPABILITIES;
use pitcanary_core::v1;
use tokio::sync::watch;

use super::stream::Installer;
use crate::configuration::{Configuration, Place};
use crate::counters::LinkCounters;

/// Raised when an evaluator may judge the same output otherwise.
const EVALUATOR_VERSION: u32 = 1;

/// Who a sidecar is, in every message to its controller.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Stable over restarts.
    pub sidecar_id: String,
    /// Random per start.
    pub boot_id: [u8; 16],
    /// What it serves.
    pub place: Place,
}

/// The sidecar's end of the config stream.
#[derive(Debug)]
pub struct ConfigurationInstaller {
    identity: Identity,
    configuration: Arc<Configuration>,
    counters: Arc<LinkCounters>,
    trips: Mutex<Vec<v1::BreakerTrip>>,
    tripped: watch::Sender<()>,
}

impl ConfigurationInstaller {
    /// Joins the two.
    pub fn new(
        identity: Identity,
        configuration: Arc<Configuration>,
        counters: Arc<LinkCounters>,
    ) -> Self {
        Self {
            identity,
            configuration,
            counters,
            trips: Mutex::default(),
            tripped: watch::Sender::new(()),
        }
    }

    /// Tells the controller, now and on every new stream, that the breaker tripped.
    pub fn trip(&self, trip: v1::BreakerTrip) {
        let mut trips = self.trips.lock();
        trips.retain(|earlier| earlier.rollout != trip.rollout);
        trips.push(trip);
        self.tripped.send_replace(());
    }

    /// Says whenever the trips changed.
    pub fn tripped(&self) -> watch::Receiver<()> {
        self.tripped.subscribe()
    }
}

impl Installer for ConfigurationInstaller {
    fn hello(&self) -> v1::Hello {
        let Identity {
            sidecar_id,
            boot_id,
            place,
        } = self.identity.clone();
        v1::Hello {
            sidecar_id,
            boot_id: Bytes::copy_from_slice(&boot_id),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            hash_version: u32::from(HASH_VERSION),
            evaluator_version: EVALUATOR_VERSION,
            config_version: self.serving(),
            namespace: place.namespace,
            environment: place.environment,
        }
    }

    fn install(&self, snapshot: &v1::Snapshot) -> Result<(), String> {
        self.configuration
            .install(snapshot)
            .map_err(|error| error.to_string())
    }

    fn serving(&self) -> Option<v1::ConfigVersion> {
        self.configuration
            .version()
            .map(|version| v1::ConfigVersion {
                store_incarnation: version.store_incarnation,
                revision: version.revision,
            })
    }

    fn confirm(&self, current: &v1::ConfigVersion) {
        self.configuration.confirm(current.into());
    }

    fn trips(&self) -> Vec<v1::BreakerTrip> {
        self.trips.lock().clone()
    }

    fn connected(&self, connected: bool) {
        self.counters.connected.store(connected, Ordering::Relaxed);
    }
}
