//! Says through grpc.health.v1 whether the sidecar can answer.

use std::sync::Arc;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::configuration::Configuration;

/// The service whose state is told; the empty name means the whole process.
const NAMES: [&str; 2] = ["", "pitcanary.v1.SidecarService"];

/// Follows the configuration: serving as soon as there is one.
pub async fn follow(reporter: HealthReporter, configuration: Arc<Configuration>) {
    let mut changes = configuration.changes();
    while changes.changed().await.is_ok() {
        tell_of(&reporter, &configuration).await;
    }
}

/// Says whether there is a configuration to serve now.
pub async fn tell_of(reporter: &HealthReporter, configuration: &Configuration) {
    let status = match configuration.version() {
        Some(_) => ServingStatus::Serving,
        None => ServingStatus::NotServing,
    };
    tell(reporter, status).await;
}

/// Says that the sidecar ends, and ends the calls that watch its health.
pub async fn end(mut reporter: HealthReporter) {
    tell(&reporter, ServingStatus::NotServing).await;
    for name in NAMES {
        reporter.clear_service_status(name).await;
    }
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    for name in NAMES {
        reporter.set_service_status(name, status).await;
    }
}
