//! The service `test.Talk`: answers of any size, streams, and calls that wait.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ask {
    /// Size of each message of the answer.
    #[prost(uint32, tag = "1")]
    pub(crate) bytes: u32,
    /// Messages of a streamed answer.
    #[prost(uint32, tag = "2")]
    pub(crate) messages: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Tell {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) content: Bytes,
}

/// `Say` answers at once, `Recite` streams, `Wait` answers when `gate` lets it.
#[derive(Clone)]
pub(crate) struct Talk {
    pub(crate) gate: Arc<Semaphore>,
    /// One permit for each call of `Wait` that has begun.
    pub(crate) begun: Arc<Semaphore>,
    pub(crate) at_once: Arc<AtomicUsize>,
    pub(crate) most_at_once: Arc<AtomicUsize>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            begun: Arc::new(Semaphore::new(0)),
            at_once: Arc::default(),
            most_at_once: Arc::default(),
        }
    }
}

impl NamedService for Talk {
    const NAME: &'static str = "test.Talk";
}

impl Service<http::Request<Body>> for Talk {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let talk = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                "/test.Talk/Say" => grpc.unary(service_fn(say), request).await,
                "/test.Talk/Recite" => grpc.server_streaming(service_fn(recite), request).await,
                _ => {
                    grpc.unary(service_fn(move |ask| talk.clone().wait(ask)), request)
                        .await
                }
            })
        })
    }
}

async fn say(ask: Request<Ask>) -> Result<Response<Tell>, Status> {
    Ok(Response::new(Tell {
        content: content(0, ask.get_ref().bytes),
    }))
}

type Recital = Box<dyn Stream<Item = Result<Tell, Status>> + Send + Unpin>;

async fn recite(ask: Request<Ask>) -> Result<Response<Recital>, Status> {
    let Ask { bytes, messages } = ask.into_inner();
    let told = (0..messages).map(move |index| {
        Ok(Tell {
            content: content(index, bytes),
        })
    });
    Ok(Response::new(Box::new(tokio_stream::iter(told))))
}

impl Talk {
    async fn wait(self, ask: Request<Ask>) -> Result<Response<Tell>, Status> {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        say(ask).await
    }

    pub(crate) async fn wait_for_begun(&self, calls: u32) {
        self.begun.acquire_many(calls).await.unwrap().forget();
    }
}

/// Bytes that tell whether one is missing, doubled or out of place.
pub(crate) fn content(index: u32, bytes: u32) -> Bytes {
    (0..bytes)
        .map(|at| (at.wrapping_mul(31) ^ at >> 8 ^ index).to_le_bytes()[0])
        .collect()
}

/// A client over connections that `connect` makes.
pub(crate) async fn client<IO, F>(connect: impl Fn() -> F + Clone + Send + 'static) -> Channel
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = std::io::Result<IO>> + Send + 'static,
{
    let connector = service_fn(move |_| {
        let connecting = connect();
        async move { connecting.await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost")
        .connect_with_connector(connector)
        .await
        .unwrap()
}

pub(crate) async fn unary(
    channel: &Channel,
    method: &'static str,
    bytes: u32,
) -> Result<Tell, Status> {
    send(channel, method, Request::new(Ask { bytes, messages: 1 })).await
}

async fn send(
    channel: &Channel,
    method: &'static str,
    request: Request<Ask>,
) -> Result<Tell, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone()).max_decoding_message_size(64 << 20);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(method);
    grpc.unary(request, path, ProstCodec::<Ask, Tell>::default())
        .await
        .map(Response::into_inner)
}

pub(crate) async fn say_with_header(channel: &Channel, bytes: usize) -> Result<Tell, Status> {
    let mut request = Request::new(Ask::default());
    request
        .metadata_mut()
        .insert("x-padding", "x".repeat(bytes).parse().unwrap());
    send(channel, "/test.Talk/Say", request).await
}

pub(crate) async fn say_to(channel: &Channel, bytes: u32) {
    assert_eq!(
        unary(channel, "/test.Talk/Say", bytes)
            .await
            .unwrap()
            .content,
        content(0, bytes)
    );
}

pub(crate) async fn recite_to(channel: &Channel, messages: u32, bytes: u32) {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/test.Talk/Recite");
    let request = Request::new(Ask { bytes, messages });
    let answer = grpc
        .server_streaming(request, path, ProstCodec::<Ask, Tell>::default())
        .await;
    let mut told = answer.unwrap().into_inner();
    for index in 0..messages {
        assert_eq!(
            told.next().await.unwrap().unwrap().content,
            content(index, bytes)
        );
    }
    assert!(told.next().await.is_none());
}
