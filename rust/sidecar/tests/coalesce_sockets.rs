//! Write coalescing under a real gRPC server, over real sockets and TLS.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use pitcanary_sidecar::transport::coalesce::Coalesce;
use support::talk::{Talk, client, recite_to, say_to};
use support::tls::{self, Anonymous};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt, wrappers};
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Server};

fn serve<IO>(incoming: impl Stream<Item = io::Result<IO>> + Send + 'static)
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    let server = Server::builder().add_service(Talk::default());
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
}

/// A TCP listener whose connections are wrapped by `wrap`.
async fn serve_tcp<IO, F>(wrap: impl FnMut(TcpStream) -> F + Send + 'static) -> std::net::SocketAddr
where
    IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    F: Future<Output = io::Result<IO>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve(
        wrappers::TcpListenerStream::new(listener)
            .map(Result::unwrap)
            .then(wrap),
    );
    address
}

/// Small, large and streamed answers, one by one and together.
async fn converse(channel: Channel) {
    say_to(&channel, 1_090).await;
    say_to(&channel, 0).await;
    say_to(&channel, 300_000).await;
    recite_to(&channel, 200, 3_000).await;
    let mut calls = JoinSet::new();
    for index in 0..200_u32 {
        let channel = channel.clone();
        calls.spawn(async move {
            match index % 20 {
                0 => say_to(&channel, 100_000 + index).await,
                1 => recite_to(&channel, 10, 20_000).await,
                _ => say_to(&channel, 1_000 + index).await,
            }
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_all_sizes_arrive_over_tcp() {
    let address = serve_tcp(|stream| async { Ok(Coalesce::new(stream)) }).await;
    converse(client(move || TcpStream::connect(address)).await).await;
}

#[tokio::test]
async fn answers_of_all_sizes_arrive_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.sock");
    let listener = UnixListener::bind(&path).unwrap();
    serve(wrappers::UnixListenerStream::new(listener).map(|accepted| accepted.map(Coalesce::new)));
    converse(client(move || UnixStream::connect(path.clone())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_all_sizes_arrive_with_tls_on_top() {
    let (acceptor, connector) = tls::pair();
    let address = serve_tcp(move |stream| {
        let accepting = acceptor.accept(Coalesce::new(stream));
        async { accepting.await.map(Anonymous) }
    })
    .await;
    let connect = move || {
        let connector = connector.clone();
        async move { tls::connect(connector, TcpStream::connect(address).await?).await }
    };
    converse(client(connect).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_all_sizes_arrive_with_tls_beneath() {
    let (acceptor, connector) = tls::pair();
    let address = serve_tcp(move |stream| {
        let accepting = acceptor.accept(stream);
        async {
            accepting
                .await
                .map(|stream| Anonymous(Coalesce::new(stream)))
        }
    })
    .await;
    let connect = move || {
        let connector = connector.clone();
        async move { tls::connect(connector, TcpStream::connect(address).await?).await }
    };
    converse(client(connect).await).await;
}

#[tokio::test]
async fn a_client_may_coalesce_too() {
    let address = serve_tcp(|stream| async { Ok(Coalesce::new(stream)) }).await;
    let connect = move || async move { TcpStream::connect(address).await.map(Coalesce::new) };
    converse(client(connect).await).await;
}

/// Two ends of one TCP connection.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (listener.accept().await.unwrap().0, client)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_peer_that_closed_its_half_still_gets_its_answer() {
    let (server, mut client) = connected().await;
    let mut server = Coalesce::new(server);
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    let answering = tokio::spawn(async move {
        server.write_all(&pattern(500_000)).await.unwrap();
        server.shutdown().await.unwrap();
        server
    });
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(question, "question");
    assert!(answer == pattern(500_000));
    drop(answering.await.unwrap());
}

#[tokio::test]
async fn a_peer_that_does_not_read_blocks_the_writer_and_loses_nothing() {
    let (server, mut client) = connected().await;
    let mut server = Coalesce::new(server);
    let all = pattern(32 << 20);
    let mut accepted = 0;
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut server).poll_write(&mut context, &all[accepted..]) {
            Poll::Ready(count) => accepted += count.unwrap(),
            // The runtime has to look at the socket before it can be known to be full.
            Poll::Pending if accepted == 0 => tokio::task::yield_now().await,
            Poll::Pending => break,
        }
        assert!(accepted < all.len(), "the kernel cannot hold it all");
    }
    let rest = all[accepted..].to_vec();
    let writing = tokio::spawn(async move {
        server.write_all(&rest).await.unwrap();
        server.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    writing.await.unwrap();
    assert!(received == all);
}

#[tokio::test]
async fn a_connection_that_only_writes_is_flushed() {
    let (server, mut client) = connected().await;
    let mut server = Coalesce::new(server);
    for round in 0..3_u8 {
        server.write_all(&[round; 10]).await.unwrap();
        server.flush().await.unwrap();
        // The owner of `server` waits for what follows from its write and polls it no more.
        let mut received = [0; 10];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(received, [round; 10]);
    }
}

/// Counts the writes that reach the socket.
struct Counting {
    stream: TcpStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Server writes for 1,000 calls, 50 at a time.
async fn count_writes<IO>(wrap: impl Fn(Counting) -> IO + Send + 'static) -> usize
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let writes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&writes);
    let address = serve_tcp(move |stream| {
        let wrapped = Anonymous(wrap(Counting {
            stream,
            writes: Arc::clone(&counter),
        }));
        async { Ok(wrapped) }
    })
    .await;
    let channel = client(move || TcpStream::connect(address)).await;
    for _ in 0..20 {
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let channel = channel.clone();
                tokio::spawn(async move { say_to(&channel, 1_090).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }
    writes.load(Ordering::Relaxed)
}

#[tokio::test]
async fn the_answers_of_one_wake_up_leave_together() {
    let plain = count_writes(|stream| stream).await;
    let coalesced = count_writes(Coalesce::new).await;
    assert!(plain >= 1_000, "plain: {plain} writes for 1,000 calls");
    assert!(
        coalesced <= 250,
        "coalesced: {coalesced} writes for 1,000 calls"
    );
}
