//! Laws of the write coalescing, over a socket that misbehaves on purpose.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use pitcanary_sidecar::transport::coalesce::{BUFFER_BYTES, Coalesce};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::yield_now;

/// What the socket does with the next write.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Takes at most so many bytes.
    Take(usize),
    /// Blocks, and is writable again at once.
    Busy,
}

/// The far side of a [`Socket`].
#[derive(Default)]
struct Far {
    script: VecDeque<Step>,
    received: Vec<u8>,
    /// Bytes that were written but not flushed, as TLS holds them.
    held: Vec<u8>,
    writes: usize,
    closed: bool,
    stuck: bool,
    broken: bool,
    writer: Option<Waker>,
}

impl Far {
    fn unstick(&mut self) {
        self.stuck = false;
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

/// Delivers only what is flushed; reads never end.
struct Socket(Arc<Mutex<Far>>);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut far = self.0.lock();
        if far.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if far.stuck {
            far.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let taken = match far.script.pop_front() {
            Some(Step::Busy) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Step::Take(most)) => most.min(bytes.len()),
            None => bytes.len(),
        };
        far.writes += 1;
        far.held.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut far = self.0.lock();
        let held = std::mem::take(&mut far.held);
        far.received.extend(held);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().closed = true;
        Poll::Ready(Ok(()))
    }
}

fn pair(script: impl IntoIterator<Item = Step>) -> (Coalesce<Socket>, Arc<Mutex<Far>>) {
    let far = Arc::new(Mutex::new(Far {
        script: script.into_iter().collect(),
        ..Far::default()
    }));
    (Coalesce::new(Socket(Arc::clone(&far))), far)
}

/// What the owner does.
#[derive(Debug, Clone)]
enum Action {
    Write(usize),
    Flush,
    Read,
    Yield,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (1..30_000_usize).prop_map(Action::Write),
        2 => (1..20_usize).prop_map(Action::Write),
        3 => Just(Action::Flush),
        2 => Just(Action::Read),
        2 => Just(Action::Yield),
    ];
    prop::collection::vec(action, 0..40)
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        prop_oneof![(1..40_000_usize).prop_map(Step::Take), Just(Step::Busy)],
        0..40,
    )
}

/// Plays the owner and returns all that it wrote.
async fn play(connection: &mut Coalesce<Socket>, actions: &[Action]) -> Vec<u8> {
    let mut written = Vec::new();
    for action in actions {
        match action {
            Action::Write(bytes) => {
                let start = written.len();
                written.extend((start..start + bytes).map(|at| (at % 251) as u8));
                connection.write_all(&written[start..]).await.unwrap();
            }
            Action::Flush => connection.flush().await.unwrap(),
            Action::Read => read_once(connection).await,
            Action::Yield => yield_now().await,
        }
    }
    written
}

/// Polls for reading as an HTTP/2 connection does before it rests.
async fn read_once(connection: &mut Coalesce<Socket>) {
    poll_fn(|context| {
        let mut bytes = [0; 16];
        let read = Pin::new(&mut *connection).poll_read(context, &mut ReadBuf::new(&mut bytes));
        assert!(read.is_pending());
        Poll::Ready(())
    })
    .await;
}

async fn wait_for(far: &Mutex<Far>, condition: impl Fn(&Far) -> bool) {
    for _ in 0..10_000 {
        if condition(&far.lock()) {
            return;
        }
        yield_now().await;
    }
    panic!("what was waited for never came");
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(test);
}

proptest! {
    #[test]
    fn all_bytes_arrive_in_order_before_the_shutdown(actions in actions(), script in script()) {
        run(async {
            let (mut connection, far) = pair(script);
            let written = play(&mut connection, &actions).await;
            connection.shutdown().await.unwrap();
            let far = far.lock();
            assert!(far.received == written, "{} of {} bytes", far.received.len(), written.len());
            assert!(far.closed);
        });
    }

    #[test]
    fn all_bytes_arrive_even_if_the_owner_never_polls_again(actions in actions(), script in script()) {
        run(async {
            let (mut connection, far) = pair(script);
            let written = play(&mut connection, &actions).await;
            wait_for(&far, |far| far.received.len() >= written.len()).await;
            assert!(far.lock().received == written);
            drop(connection);
        });
    }
}

#[tokio::test]
async fn flushed_writes_of_one_turn_leave_with_one_system_call() {
    let (mut connection, far) = pair([]);
    for _ in 0..50 {
        connection.write_all(&[1; 1000]).await.unwrap();
        connection.flush().await.unwrap();
    }
    assert_eq!(far.lock().writes, 0);
    read_once(&mut connection).await;
    let far = far.lock();
    assert_eq!((far.writes, far.received.len()), (1, 50_000));
}

#[tokio::test]
async fn a_flush_asks_for_one_more_turn_of_its_owner() {
    let (mut connection, far) = pair([]);
    let mut polls = 0;
    // A task of its own: the runtime treats that of the test differently.
    let owner = tokio::spawn(poll_fn(move |context| {
        polls += 1;
        if polls == 1 {
            assert!(
                Pin::new(&mut connection)
                    .poll_write(context, b"answer")
                    .is_ready()
            );
            assert!(Pin::new(&mut connection).poll_flush(context).is_ready());
            return Poll::Pending;
        }
        // Nothing but the flush has woken this task, and it comes before the backstop.
        assert_eq!(far.lock().writes, 0);
        Poll::Ready(polls)
    }));
    assert_eq!(owner.await.unwrap(), 2);
}

#[tokio::test]
async fn a_blocked_socket_bounds_what_is_accepted_and_wakes_the_owner() {
    let (mut connection, far) = pair([]);
    far.lock().stuck = true;
    let mut accepted = 0;
    poll_fn(|context| {
        while let Poll::Ready(count) = Pin::new(&mut connection).poll_write(context, &[7; 10_000]) {
            accepted += count.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    assert_eq!(accepted, BUFFER_BYTES);
    let writer = tokio::spawn(async move {
        connection.write_all(&vec![7; 100_000]).await.unwrap();
        connection.shutdown().await.unwrap();
    });
    wait_for(&far, |far| far.writer.is_some()).await;
    assert!(!writer.is_finished());
    far.lock().unstick();
    writer.await.unwrap();
    assert_eq!(far.lock().received.len(), BUFFER_BYTES + 100_000);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_blocked_socket() {
    let (mut connection, far) = pair([]);
    far.lock().stuck = true;
    connection.write_all(b"last words").await.unwrap();
    let closing = tokio::spawn(async move { connection.shutdown().await });
    wait_for(&far, |far| far.writer.is_some()).await;
    assert!(!far.lock().closed);
    far.lock().unstick();
    closing.await.unwrap().unwrap();
    let far = far.lock();
    assert_eq!((&far.received[..], far.closed), (&b"last words"[..], true));
}

#[tokio::test]
async fn a_drop_sends_what_was_deferred_and_ends_the_backstop() {
    let (mut connection, far) = pair([]);
    connection.write_all(b"answer").await.unwrap();
    connection.flush().await.unwrap();
    drop(connection);
    assert_eq!(far.lock().received, b"answer");
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks(),
        0
    );
    assert_eq!(Arc::strong_count(&far), 1, "the socket is closed");
}

#[tokio::test]
async fn a_failed_send_is_reported_by_every_later_write() {
    let (mut connection, far) = pair([]);
    far.lock().broken = true;
    connection.write_all(b"answer").await.unwrap();
    connection.flush().await.unwrap();
    read_once(&mut connection).await;
    for _ in 0..2 {
        assert_eq!(
            connection.write(b"more").await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert_eq!(
            connection.flush().await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert_eq!(
            connection.shutdown().await.unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}

#[tokio::test]
async fn the_halves_of_a_split_connection_may_live_in_different_tasks() {
    let (connection, far) = pair([]);
    let (reader, mut writer) = tokio::io::split(connection);
    let reading = tokio::spawn(async move {
        let mut reader = reader;
        tokio::io::AsyncReadExt::read(&mut reader, &mut [0; 16]).await
    });
    yield_now().await;
    writer.write_all(b"request").await.unwrap();
    writer.flush().await.unwrap();
    wait_for(&far, |far| far.received == b"request").await;
    reading.abort();
}
