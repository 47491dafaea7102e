//! Steps time by hand; offered only by a sidecar started for a replay.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pitcanary_core::v1;
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::control::upload::Upload;
use crate::counters::LinkCounters;
use crate::v1::replay_service_server::ReplayService;

/// A flush whose controller is gone should say so rather than hang.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(60);

/// The sidecar's part of a replay.
pub struct Replay {
    clock: Clock,
    configuration: Arc<Configuration>,
    upload: Arc<Upload>,
    link: Arc<LinkCounters>,
}

impl Replay {
    /// Steps this clock and flushes this upload.
    pub fn new(
        clock: Clock,
        configuration: Arc<Configuration>,
        upload: Arc<Upload>,
        link: Arc<LinkCounters>,
    ) -> Self {
        Self {
            clock,
            configuration,
            upload,
            link,
        }
    }
}

#[tonic::async_trait]
impl ReplayService for Replay {
    async fn set_clock(
        &self,
        request: Request<v1::SetClockRequest>,
    ) -> Result<Response<v1::SetClockResponse>, Status> {
        let now = request.into_inner().now.unwrap_or_default();
        let seconds = u64::try_from(now.seconds).map_err(|_| before_epoch())?;
        let nanos = u64::try_from(now.nanos).map_err(|_| before_epoch())?;
        let wall_us = seconds
            .saturating_mul(1_000_000)
            .saturating_add(nanos / 1000);
        let step_us = self
            .clock
            .set(wall_us)
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        // While time stands still nobody is away: a step with the stream up is
        // attended, whenever the next message of the controller comes.
        if self.link.connected.load(Ordering::Relaxed) {
            self.configuration.attend(step_us);
        }
        Ok(Response::new(v1::SetClockResponse {}))
    }

    async fn flush(
        &self,
        _request: Request<v1::FlushRequest>,
    ) -> Result<Response<v1::FlushResponse>, Status> {
        let flushed = timeout(FLUSH_TIMEOUT, self.upload.flush()).await;
        let seq = flushed.map_err(|_| {
            Status::deadline_exceeded("the controller committed nothing in time: is it running?")
        })?;
        Ok(Response::new(v1::FlushResponse { seq }))
    }

    async fn tick(
        &self,
        _request: Request<v1::TickRequest>,
    ) -> Result<Response<v1::TickResponse>, Status> {
        Err(Status::unimplemented(
            "ticks are the controller's: call it there",
        ))
    }
}

fn before_epoch() -> Status {
    Status::invalid_argument("`now` lies before 1970: give a later time")
}
