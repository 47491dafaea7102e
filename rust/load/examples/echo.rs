//! A bare tonic server that answers every resolve alike: the reference of the benchmarks.
//!
//! tonic's defaults and one worker thread; the answer is as large as a real
//! one, and nothing is decided. `--coalesce` puts the sidecar's write
//! coalescing under it and changes nothing else. Prints the address it
//! listens on, and ends when its standard input is closed.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;

use pitcanary_core::v1::{
    ConfirmExposureRequest, ConfirmExposureResponse, ReportOutcomeRequest, ReportOutcomeResponse,
    ReportOutcomesRequest, ReportOutcomesResponse, ReportScoreRequest, ReportScoreResponse,
    ResolvePromptRequest, ResolvePromptResponse, ResolvePromptsRequest, ResolvePromptsResponse,
    VersionRef, resolve_prompt_response::Content,
};
use pitcanary_sidecar::transport::coalesce::Coalesce;
use pitcanary_sidecar::v1::sidecar_service_server::{SidecarService, SidecarServiceServer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_stream::{Empty, Stream, StreamExt};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

/// The template makes up most of an answer of 1.09 KB.
const TEMPLATE_BYTES: usize = 960;

struct Echo;

#[tonic::async_trait]
impl SidecarService for Echo {
    async fn resolve_prompt(
        &self,
        request: Request<ResolvePromptRequest>,
    ) -> Result<Response<ResolvePromptResponse>, Status> {
        Ok(Response::new(ResolvePromptResponse {
            token: vec![7; 48].into(),
            arm: "baseline".to_owned(),
            reason: 1,
            config_revision: 1,
            version: Some(VersionRef {
                name: request.into_inner().prompt,
                number: 1,
                digest: "0123456789abcdef".repeat(4),
            }),
            content: Some(Content::Text("x".repeat(TEMPLATE_BYTES))),
            ..Default::default()
        }))
    }

    async fn report_outcome(
        &self,
        _: Request<ReportOutcomeRequest>,
    ) -> Result<Response<ReportOutcomeResponse>, Status> {
        Ok(Response::new(ReportOutcomeResponse::default()))
    }

    async fn resolve_prompts(
        &self,
        _: Request<ResolvePromptsRequest>,
    ) -> Result<Response<ResolvePromptsResponse>, Status> {
        Err(Status::unimplemented(
            "the echo server resolves single prompts",
        ))
    }

    async fn confirm_exposure(
        &self,
        _: Request<ConfirmExposureRequest>,
    ) -> Result<Response<ConfirmExposureResponse>, Status> {
        Err(Status::unimplemented("the echo server knows no exposure"))
    }

    type ReportOutcomesStream = Empty<Result<ReportOutcomesResponse, Status>>;

    async fn report_outcomes(
        &self,
        _: Request<Streaming<ReportOutcomesRequest>>,
    ) -> Result<Response<Self::ReportOutcomesStream>, Status> {
        Err(Status::unimplemented("the echo server takes no streams"))
    }

    async fn report_score(
        &self,
        _: Request<ReportScoreRequest>,
    ) -> Result<Response<ReportScoreResponse>, Status> {
        Err(Status::unimplemented("the echo server takes no scores"))
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let coalesce = arguments.iter().any(|argument| argument == "--coalesce");
    let address = arguments
        .first()
        .ok_or("usage: echo tcp:IP:PORT|unix:PATH [--coalesce]")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    // As the sidecar does: accepting happens on the worker, not on this thread.
    runtime.block_on(runtime.spawn(listen(address.clone(), coalesce)))??;
    Ok(())
}

async fn listen(address: String, coalesce: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
    match address.split_once(':') {
        Some(("tcp", socket)) => {
            let listener = TcpListener::bind(socket.parse::<SocketAddr>()?).await?;
            announce(&format!("tcp:{}", listener.local_addr()?))?;
            let incoming = TcpListenerStream::new(listener).map(|accepted| {
                let stream = accepted?;
                stream.set_nodelay(true)?;
                Ok(stream)
            });
            serve(incoming, coalesce).await
        }
        Some(("unix", path)) => {
            let listener = UnixListener::bind(path)?;
            announce(&address)?;
            serve(UnixListenerStream::new(listener), coalesce).await
        }
        _ => Err(format!("`{address}` starts with neither `tcp:` nor `unix:`").into()),
    }
}

fn announce(address: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{address}")
}

async fn serve<IO>(
    incoming: impl Stream<Item = std::io::Result<IO>>,
    coalesce: bool,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let router = Server::builder().add_service(SidecarServiceServer::new(Echo));
    if coalesce {
        let incoming = incoming.map(|accepted| accepted.map(Coalesce::new));
        router
            .serve_with_incoming_shutdown(incoming, input_closed())
            .await?;
    } else {
        router
            .serve_with_incoming_shutdown(incoming, input_closed())
            .await?;
    }
    Ok(())
}

async fn input_closed() {
    let drained = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())
    });
    drop(drained.await);
}
