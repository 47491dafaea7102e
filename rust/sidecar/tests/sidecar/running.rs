//! A whole sidecar over real sockets, with a client and a controller.

use std::path::Path;
use std::time::Duration;

use pitcanary_core::evidence::Bundle;
use pitcanary_core::v1;
use pitcanary_sidecar::configuration::Place;
use pitcanary_sidecar::control::endpoint::channel;
use pitcanary_sidecar::settings::Settings;
use pitcanary_sidecar::sidecar::Sidecar;
use pitcanary_sidecar::v1::replay_service_client::ReplayServiceClient;
use pitcanary_sidecar::v1::sidecar_service_client::SidecarServiceClient;
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::controller::{Controller, Heard, Said};

/// More than any step of a test takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) const BASELINE: &str = "Answer briefly.";
pub(crate) const CANDIDATE: &str = "Answer at length, {{name}}.";
pub(crate) const ROLLOUT: u32 = 7;

/// A prompt `greeting` whose candidate has half of the users.
pub(crate) fn snapshot(revision: u64) -> v1::Snapshot {
    v1::Snapshot {
        config_version: Some(version(revision)),
        namespace: "default".to_owned(),
        environment: "test".to_owned(),
        namespace_salt: "salt".to_owned(),
        token_keys: vec![v1::TokenKey {
            key_id: 1,
            secret: vec![9; 32].into(),
        }],
        issuing_key: 1,
        token_max_age_s: 3_600,
        flush_interval_ms: 20,
        stale_after_ms: 60_000,
        max_unattended_ms: 900_000,
        prompts: vec![v1::Prompt {
            name: "greeting".to_owned(),
            labels: vec![v1::LabelTarget {
                label: "production".to_owned(),
                version: 1,
                rollout: ROLLOUT,
            }],
        }],
        versions: vec![text_version(1, BASELINE), text_version(2, CANDIDATE)],
        rollouts: vec![rollout()],
        ..v1::Snapshot::default()
    }
}

pub(crate) fn version(revision: u64) -> v1::ConfigVersion {
    v1::ConfigVersion {
        store_incarnation: 1,
        revision,
    }
}

fn text_version(id: u32, text: &str) -> v1::Version {
    v1::Version {
        id,
        r#ref: Some(v1::VersionRef {
            name: "greeting".to_owned(),
            number: id,
            digest: format!("sha256:{id}"),
        }),
        content: Some(v1::version::Content::Text(text.to_owned())),
        ..v1::Version::default()
    }
}

fn rollout() -> v1::Rollout {
    let arm = |index, name: &str, version, start, end| v1::Arm {
        index,
        name: name.to_owned(),
        version,
        ranges: vec![v1::SlotRange { start, end }],
        withdrawn: false,
    };
    let metric =
        |id, name: &str, kind: v1::MetricKind, source: v1::MetricSource| v1::MetricConfig {
            id,
            name: name.to_owned(),
            kind: kind.into(),
            source: source.into(),
            maximum: 1_000_000 * i64::from(source == v1::MetricSource::Score),
            ..v1::MetricConfig::default()
        };
    v1::Rollout {
        id: ROLLOUT,
        name: "greeting-v2".to_owned(),
        unit_kind: "user".to_owned(),
        salt: "pepper".to_owned(),
        analysis_generation: 1,
        allocation_epoch: 1,
        arms: vec![
            arm(0, "baseline", 1, 500_000, 1_000_000),
            arm(1, "candidate", 2, 0, 500_000),
        ],
        metrics: vec![
            metric(0, "error", v1::MetricKind::Rate, v1::MetricSource::Error),
            metric(
                1,
                "latency",
                v1::MetricKind::Mean,
                v1::MetricSource::Latency,
            ),
            metric(
                2,
                "helpfulness",
                v1::MetricKind::Mean,
                v1::MetricSource::Score,
            ),
        ],
        ..v1::Rollout::default()
    }
}

pub(crate) fn resolve_request(unit: &str) -> v1::ResolvePromptRequest {
    v1::ResolvePromptRequest {
        prompt: "greeting".to_owned(),
        unit: unit.to_owned(),
        ..v1::ResolvePromptRequest::default()
    }
}

pub(crate) fn outcome(token: prost::bytes::Bytes) -> v1::ReportOutcomeRequest {
    v1::ReportOutcomeRequest {
        token,
        status: v1::OutcomeStatus::Ok.into(),
        latency_us: Some(1_200),
        ..v1::ReportOutcomeRequest::default()
    }
}

/// Observations of one metric over all arms and epochs.
pub(crate) fn observations(evidence: &Bundle, metric: u32) -> u64 {
    let cells = evidence
        .cells
        .iter()
        .filter(|(key, _)| key.metric == metric);
    cells.map(|(_, cell)| cell.count()).sum()
}

/// Metrics of the rollout in [`snapshot`].
pub(crate) const ERROR: u32 = 0;
pub(crate) const LATENCY: u32 = 1;
pub(crate) const HELPFULNESS: u32 = 2;

/// A sidecar, its controller (not started) and a client's threads.
pub(crate) struct Running {
    pub(crate) sidecar: Option<Sidecar>,
    pub(crate) controller: Controller,
    folder: tempfile::TempDir,
    client: Runtime,
    change: fn(&mut Settings),
}

impl Running {
    /// Starts with nothing on disk and no controller.
    pub(crate) fn start(change: fn(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A thread of its own: a client goes on listening between the steps of a test.
        let client = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut running = Self {
            sidecar: None,
            controller: Controller::new(folder.path()),
            folder,
            client,
            change,
        };
        running.start_sidecar();
        running
    }

    /// Starts with this configuration on disk and no controller.
    pub(crate) fn configured(change: fn(&mut Settings)) -> Self {
        let mut running = Self::start(change);
        running.controller.start();
        running.push(snapshot(1));
        running.controller.kill();
        running
    }

    pub(crate) fn start_sidecar(&mut self) {
        let place = Place {
            namespace: "default".to_owned(),
            environment: "test".to_owned(),
        };
        let mut settings = Settings {
            listen: vec!["127.0.0.1:0".to_owned()],
            controller: self.controller.address(),
            ..Settings::new(self.data(), "here", place)
        };
        (self.change)(&mut settings);
        self.sidecar = Some(Sidecar::start(&settings).unwrap());
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the sidecar without a drain.
    pub(crate) fn kill_sidecar(&mut self) {
        self.sidecar = None;
    }

    pub(crate) fn sidecar(&self) -> &Sidecar {
        self.sidecar.as_ref().unwrap()
    }

    /// Pushes a configuration and waits until it is in force.
    pub(crate) fn push(&self, snapshot: v1::Snapshot) {
        let version = snapshot.config_version.unwrap();
        self.controller.say(Said::Snapshot(snapshot));
        self.call(self.controller.hears_ack(version));
    }

    /// Waits for the next trip of the breaker.
    pub(crate) fn hears_trip(&self) -> v1::BreakerTrip {
        self.call(async {
            loop {
                if let Heard::BreakerTrip(trip) = self.controller.hears().await {
                    return trip;
                }
            }
        })
    }

    /// Waits for the next refusal.
    pub(crate) fn hears_nack(&self) -> v1::Nack {
        self.call(async {
            loop {
                if let Heard::Nack(nack) = self.controller.hears().await {
                    return nack;
                }
            }
        })
    }

    /// Runs a client's steps.
    pub(crate) fn call<T>(&self, steps: impl Future<Output = T>) -> T {
        let steps = async { tokio::time::timeout(SOON, steps).await.unwrap() };
        self.client.block_on(steps)
    }

    pub(crate) fn channel(&self) -> Channel {
        let _inside = self.client.enter();
        channel(&self.sidecar().addresses()[0]).unwrap()
    }

    pub(crate) fn service(&self) -> SidecarServiceClient<Channel> {
        SidecarServiceClient::new(self.channel())
    }

    pub(crate) fn resolve(
        &self,
        request: v1::ResolvePromptRequest,
    ) -> Result<v1::ResolvePromptResponse, tonic::Status> {
        let mut service = self.service();
        self.call(service.resolve_prompt(request))
            .map(tonic::Response::into_inner)
    }

    /// Resolves for a new unit of an arm and returns the token.
    pub(crate) fn token(&self, arm: &str) -> prost::bytes::Bytes {
        let mut units = 0..;
        loop {
            let unit = format!("unit-{}", units.next().unwrap());
            let answer = self
                .sidecar()
                .handlers()
                .resolve(&resolve_request(&unit))
                .unwrap();
            if &*answer.arm == arm {
                return prost::bytes::Bytes::copy_from_slice(&answer.token);
            }
        }
    }

    pub(crate) fn report(
        &self,
        report: v1::ReportOutcomeRequest,
    ) -> Result<v1::ReportOutcomeResponse, tonic::Status> {
        let mut service = self.service();
        self.call(service.report_outcome(report))
            .map(tonic::Response::into_inner)
    }

    /// Sets the clock of a sidecar started for a replay.
    pub(crate) fn set_clock_s(&self, seconds: i64) {
        let mut replay = ReplayServiceClient::new(self.channel());
        let now = Some(prost_types::Timestamp { seconds, nanos: 0 });
        self.call(replay.set_clock(v1::SetClockRequest { now }))
            .unwrap();
    }

    /// Waits until something holds that no message tells of.
    pub(crate) fn settled(&self, holds: impl Fn(&Self) -> bool) {
        self.call(async {
            while !holds(self) {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Ends the sidecar as a signal would and returns what the controller has then.
    pub(crate) fn drain(&mut self) -> Bundle {
        let report = self.sidecar.take().unwrap().drain(SOON);
        assert!(report.is_clean(), "{report:?}");
        self.controller.evidence()
    }

    pub(crate) fn health(&self) -> ServingStatus {
        let mut client = HealthClient::new(self.channel());
        let answer = self
            .call(client.check(HealthCheckRequest::default()))
            .unwrap();
        answer.into_inner().status()
    }
}
