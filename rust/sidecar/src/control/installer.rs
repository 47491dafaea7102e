//! Joins the config stream to the configuration in force.
//!
//! Says who this sidecar is, passes snapshots through [`Configuration::install`] and
//! tells which rollouts the local breaker took back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use pitcanary_core::assign::HASH_VERSION;
use pitcanary_core::breaker::Trip;
use pitcanary_core::snapshot::CAPABILITIES;
use pitcanary_core::v1;

use super::stream::Installer;
use crate::brakes::Brakes;
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
    brakes: Arc<Brakes>,
    counters: Arc<LinkCounters>,
}

impl ConfigurationInstaller {
    /// Joins them.
    pub const fn new(
        identity: Identity,
        configuration: Arc<Configuration>,
        brakes: Arc<Brakes>,
        counters: Arc<LinkCounters>,
    ) -> Self {
        Self {
            identity,
            configuration,
            brakes,
            counters,
        }
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
        self.brakes.tripped().trips().iter().map(message).collect()
    }

    fn connected(&self, connected: bool) {
        self.counters.connected.store(connected, Ordering::Relaxed);
    }
}

fn message(trip: &Trip) -> v1::BreakerTrip {
    v1::BreakerTrip {
        rollout: trip.rollout,
        allocation_epoch: trip.epoch,
        candidate_failures: trip.candidate.failures,
        candidate_requests: trip.candidate.requests,
        baseline_failures: trip.baseline.failures,
        baseline_requests: trip.baseline.requests,
    }
}
