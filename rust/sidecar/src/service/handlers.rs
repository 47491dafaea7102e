//! Answers requests from memory, whoever brings them.
//!
//! One synchronous function per call, so that a socket and an embedding process get
//! the same answers. Nothing here waits, allocates per unit or knows the network;
//! what a choice means is `pitcanary_core::resolve`'s business.

use std::sync::Arc;

use pitcanary_core::resolve::{
    EncodedResolvePromptsResponse, EncodedResolveResponse, LocalState, ResolveError, resolve,
    resolve_batch,
};
use pitcanary_core::snapshot::Snapshot;
use pitcanary_core::v1;
use tonic::{Code, Status};

use super::latency::Latency;
use super::tally::Tally;
use crate::brakes::Brakes;
use crate::clock::{Clock, Stopwatch};
use crate::configuration::Configuration;
use crate::random::Random;
use crate::recording::Recording;

/// The most attributes of one request.
const MAX_ATTRIBUTES: usize = 64;

/// What all calls of a sidecar share.
#[derive(Debug)]
pub struct Handlers {
    pub(super) configuration: Arc<Configuration>,
    pub(super) brakes: Arc<Brakes>,
    pub(super) recording: Arc<Recording>,
    pub(super) clock: Clock,
    random: Random,
    pub(super) tally: Tally,
    latency: Latency,
}

impl Handlers {
    /// Answers from this configuration and counts into this recording.
    pub fn new(
        configuration: Arc<Configuration>,
        brakes: Arc<Brakes>,
        recording: Arc<Recording>,
        clock: Clock,
        random: Random,
    ) -> Self {
        Self {
            configuration,
            brakes,
            recording,
            clock,
            random,
            tally: Tally::default(),
            latency: Latency::default(),
        }
    }

    /// How many answers of which kind.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How long resolves take.
    pub const fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Chooses the version of one prompt.
    ///
    /// # Errors
    ///
    /// `UNAVAILABLE` before there is a configuration, `INVALID_ARGUMENT` for a request
    /// above its limits, and what [`ResolveError::code`] says.
    pub fn resolve(
        &self,
        request: &v1::ResolvePromptRequest,
    ) -> Result<EncodedResolveResponse, Status> {
        let stopwatch = Stopwatch::start();
        let answer = self.resolve_one(request);
        self.latency.record(stopwatch.elapsed_ns());
        if let Err(status) = &answer {
            self.tally.refused(status.code());
        }
        answer
    }

    /// Chooses versions for a batch under one configuration.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`], but for what concerns one item alone.
    pub fn resolve_batch(
        &self,
        batch: &v1::ResolvePromptsRequest,
    ) -> Result<EncodedResolvePromptsResponse, Status> {
        let stopwatch = Stopwatch::start();
        let answer = self.resolve_all(batch);
        self.latency.record(stopwatch.elapsed_ns());
        if let Err(status) = &answer {
            self.tally.refused(status.code());
        }
        answer
    }

    fn resolve_all(
        &self,
        batch: &v1::ResolvePromptsRequest,
    ) -> Result<EncodedResolvePromptsResponse, Status> {
        batch.requests.iter().try_for_each(check_attributes)?;
        let in_force = self.configuration.serving();
        let snapshot = in_force.as_deref().ok_or_else(not_ready)?;
        let nonce = || self.random.next_u64();
        let (response, served) = self.with_local_state(snapshot, |local| {
            resolve_batch(snapshot, batch, self.clock.wall_s(), nonce, local)
        });
        for served in &served {
            self.recording.served(served);
        }
        for (request, item) in batch.requests.iter().zip(&response.items) {
            match &item.0 {
                Ok(answer) => self
                    .tally
                    .resolved(&request.prompt, &answer.arm, answer.reason),
                Err(error) => self.tally.refused(Code::from(error.code)),
            }
        }
        Ok(response)
    }

    fn resolve_one(
        &self,
        request: &v1::ResolvePromptRequest,
    ) -> Result<EncodedResolveResponse, Status> {
        check_attributes(request)?;
        let in_force = self.configuration.serving();
        let snapshot = in_force.as_deref().ok_or_else(not_ready)?;
        let nonce = self.random.next_u64();
        let resolution = self.with_local_state(snapshot, |local| {
            resolve(snapshot, request, self.clock.wall_s(), nonce, local)
        });
        let resolution = resolution.map_err(|error| status(&error))?;
        self.recording.served(&resolution.served);
        let response = resolution.response;
        self.tally
            .resolved(&request.prompt, &response.arm, response.reason);
        Ok(response)
    }

    fn with_local_state<T>(
        &self,
        snapshot: &Snapshot,
        answer: impl FnOnce(&LocalState<'_>) -> T,
    ) -> T {
        let tripped = self.brakes.tripped();
        let freshness = self.configuration.freshness(snapshot);
        answer(&LocalState {
            tripped: tripped.rollouts(),
            unattended: freshness.unattended,
            config_age_ms: freshness.age_ms,
            stale: freshness.stale,
        })
    }
}

fn check_attributes(request: &v1::ResolvePromptRequest) -> Result<(), Status> {
    let count = request.attributes.len();
    if count <= MAX_ATTRIBUTES {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "the request has `{count}` attributes: send at most `{MAX_ATTRIBUTES}`"
    )))
}

pub(super) fn not_ready() -> Status {
    Status::unavailable(
        "this sidecar has no configuration yet: it has found none on its disk and no controller",
    )
}

fn status(error: &ResolveError) -> Status {
    Status::new(Code::from(error.code()), error.to_string())
}
