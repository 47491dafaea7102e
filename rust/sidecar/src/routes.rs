//! The services that a sidecar offers, on every address alike.

use std::sync::Arc;

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::server::{HealthReporter, health_reporter};
use tonic_reflection::server::Builder;

use crate::parts::Parts;
use crate::service::grpc::GrpcService;
use crate::service::replay::Replay;
use crate::transport::limits::MAX_MESSAGE_BYTES;
use crate::v1::FILE_DESCRIPTOR_SET;
use crate::v1::encoded::sidecar_service_server::SidecarServiceServer;
use crate::v1::replay_service_server::ReplayServiceServer;

/// What reflection tells of; the controller's services are compiled in but not offered.
const SERVICES: [&str; 2] = ["pitcanary.v1.SidecarService", "grpc.health.v1.Health"];
const REPLAY_SERVICE: &str = "pitcanary.v1.ReplayService";

/// All services, and who tells their health; `ending` closes report streams.
pub(crate) fn routes(parts: &Parts, ending: watch::Receiver<bool>) -> (Routes, HealthReporter) {
    let is_replay = parts.clock.is_replay();
    let service = GrpcService::new(Arc::clone(&parts.handlers), ending);
    let service = SidecarServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let (reporter, health) = health_reporter();
    let mut routes = Routes::new(service).add_service(health);
    // Cannot fail: the descriptors were made by the build. Without reflection a sidecar
    // still serves, so a failure would not be a reason to end.
    if let Ok(v1) = reflection(is_replay).build_v1() {
        routes = routes.add_service(v1);
    }
    if let Ok(v1alpha) = reflection(is_replay).build_v1alpha() {
        routes = routes.add_service(v1alpha);
    }
    if is_replay {
        routes = routes.add_service(ReplayServiceServer::new(replay(parts)));
    }
    (routes.prepare(), reporter)
}

fn reflection(is_replay: bool) -> Builder<'static> {
    let names = SERVICES
        .into_iter()
        .chain(is_replay.then_some(REPLAY_SERVICE));
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    names.fold(builder, Builder::with_service_name)
}

fn replay(parts: &Parts) -> Replay {
    Replay::new(
        parts.clock.clone(),
        Arc::clone(&parts.configuration),
        Arc::clone(&parts.upload),
        Arc::clone(&parts.link_counters),
    )
}
