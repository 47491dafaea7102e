//! The handlers as a gRPC service.
//!
//! Unpacks requests and packs answers; every decision is in `handlers`.

use std::sync::Arc;

use pitcanary_core::resolve::{EncodedResolvePromptsResponse, EncodedResolveResponse};
use pitcanary_core::v1;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::handlers::Handlers;
use super::report_stream::ReportStream;
use crate::v1::encoded::sidecar_service_server::SidecarService;

/// Answers of a report stream that wait for the client to read them.
const ANSWERS: usize = 16;

/// The service of one sidecar.
#[derive(Debug, Clone)]
pub struct GrpcService {
    handlers: Arc<Handlers>,
    ending: watch::Receiver<bool>,
}

impl GrpcService {
    /// Offers these handlers until `ending` says that streams should close.
    pub const fn new(handlers: Arc<Handlers>, ending: watch::Receiver<bool>) -> Self {
        Self { handlers, ending }
    }
}

#[tonic::async_trait]
impl SidecarService for GrpcService {
    async fn resolve_prompt(
        &self,
        request: Request<v1::ResolvePromptRequest>,
    ) -> Result<Response<EncodedResolveResponse>, Status> {
        self.handlers.resolve(request.get_ref()).map(Response::new)
    }

    async fn resolve_prompts(
        &self,
        request: Request<v1::ResolvePromptsRequest>,
    ) -> Result<Response<EncodedResolvePromptsResponse>, Status> {
        self.handlers
            .resolve_batch(request.get_ref())
            .map(Response::new)
    }

    async fn confirm_exposure(
        &self,
        request: Request<v1::ConfirmExposureRequest>,
    ) -> Result<Response<v1::ConfirmExposureResponse>, Status> {
        self.handlers.confirm(request.get_ref()).map(Response::new)
    }

    async fn report_outcome(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        self.handlers.report(request.get_ref()).map(Response::new)
    }

    type ReportOutcomesStream = ReceiverStream<Result<v1::ReportOutcomesResponse, Status>>;

    async fn report_outcomes(
        &self,
        request: Request<Streaming<v1::ReportOutcomesRequest>>,
    ) -> Result<Response<Self::ReportOutcomesStream>, Status> {
        let (answers, heard) = mpsc::channel(ANSWERS);
        let handlers = Arc::clone(&self.handlers);
        let ending = self.ending.clone();
        let stream = ReportStream::new(handlers, request.into_inner(), answers, ending);
        tokio::spawn(stream.run());
        Ok(Response::new(ReceiverStream::new(heard)))
    }

    async fn report_score(
        &self,
        request: Request<v1::ReportScoreRequest>,
    ) -> Result<Response<v1::ReportScoreResponse>, Status> {
        self.handlers.score(request.get_ref()).map(Response::new)
    }
}
