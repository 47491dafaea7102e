//! The handlers as a gRPC service.
//!
//! Unpacks requests and packs answers; every decision is in `handlers`.

use std::pin::Pin;
use std::sync::Arc;

use pitcanary_core::resolve::{EncodedResolvePromptsResponse, EncodedResolveResponse};
use pitcanary_core::v1;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::handlers::Handlers;
use crate::v1::encoded::sidecar_service_server::SidecarService;

/// The service of one sidecar.
#[derive(Debug, Clone)]
pub struct GrpcService {
    handlers: Arc<Handlers>,
}

impl GrpcService {
    /// Offers these handlers.
    pub const fn new(handlers: Arc<Handlers>) -> Self {
        Self { handlers }
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
        _request: Request<v1::ConfirmExposureRequest>,
    ) -> Result<Response<v1::ConfirmExposureResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn report_outcome(
        &self,
        _request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type ReportOutcomesStream =
        Pin<Box<dyn Stream<Item = Result<v1::ReportOutcomesResponse, Status>> + Send>>;

    async fn report_outcomes(
        &self,
        _request: Request<Streaming<v1::ReportOutcomesRequest>>,
    ) -> Result<Response<Self::ReportOutcomesStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn report_score(
        &self,
        _request: Request<v1::ReportScoreRequest>,
    ) -> Result<Response<v1::ReportScoreResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}
