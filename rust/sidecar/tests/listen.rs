//! Listening, limits and drain, with real sockets and a real client.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pitcanary_sidecar::transport::address::ListenAddress;
use pitcanary_sidecar::transport::counters::Counters;
use pitcanary_sidecar::transport::error::ListenError;
use pitcanary_sidecar::transport::listen::{Drained, ListenOptions, Listeners};
use pitcanary_sidecar::transport::shutdown::Shutdown;
use support::talk::{Talk, client, recite_to, say_to, say_with_header, unary};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tonic::service::Routes;
use tonic::transport::Channel;

const WAIT: &str = "/test.Talk/Wait";
const LONG: Duration = Duration::from_secs(60);

fn tcp() -> ListenOptions {
    options("tcp:127.0.0.1:0")
}

fn options(address: &str) -> ListenOptions {
    ListenOptions::new([address.parse().unwrap()])
}

/// A server under test.
struct Running {
    talk: Talk,
    addresses: Vec<ListenAddress>,
    counters: Arc<Counters>,
    shutdown: Shutdown,
    ended: JoinHandle<Result<Drained, ListenError>>,
}

impl Running {
    fn start(options: ListenOptions) -> Self {
        let listeners = Listeners::bind(options).unwrap();
        let (addresses, counters) = (listeners.addresses().to_vec(), listeners.counters());
        let (talk, shutdown) = (Talk::default(), Shutdown::new());
        let routes = Routes::new(talk.clone());
        let ended = tokio::spawn(listeners.serve(routes, shutdown.clone()));
        Self {
            talk,
            addresses,
            counters,
            shutdown,
            ended,
        }
    }

    async fn connect(&self) -> TcpStream {
        let ListenAddress::Tcp(address) = &self.addresses[0] else {
            panic!("not TCP")
        };
        TcpStream::connect(address).await.unwrap()
    }

    async fn client(&self) -> Channel {
        match self.addresses[0].clone() {
            ListenAddress::Tcp(address) => client(move || TcpStream::connect(address)).await,
            ListenAddress::Unix(path) => client(move || UnixStream::connect(path.clone())).await,
        }
    }

    async fn drain(self, deadline: Duration) -> Drained {
        self.shutdown.drain(deadline);
        self.ended.await.unwrap().unwrap()
    }
}

fn bind_error(options: ListenOptions) -> String {
    Listeners::bind(options).unwrap_err().to_string()
}

#[tokio::test]
async fn every_address_is_served_and_ports_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidecar.sock");
    let mut options = tcp();
    options.addresses.push(ListenAddress::Unix(path.clone()));
    let running = Running::start(options);
    assert!(matches!(running.addresses[0], ListenAddress::Tcp(address) if address.port() != 0));
    say_to(&running.client().await, 1_000).await;
    say_to(
        &client(move || UnixStream::connect(path.clone())).await,
        1_000,
    )
    .await;
    assert_eq!(running.counters.read().accepted, 2);
}

#[tokio::test]
async fn coalescing_can_be_switched_off() {
    let mut options = tcp();
    options.coalesce_writes = false;
    let running = Running::start(options);
    let channel = running.client().await;
    say_to(&channel, 300_000).await;
    recite_to(&channel, 20, 10_000).await;
}

#[tokio::test]
async fn an_address_that_others_can_reach_needs_consent() {
    let mut options = options("tcp:0.0.0.0:0");
    let message = bind_error(options.clone());
    assert!(
        message.contains("`tcp:0.0.0.0:0`") && message.contains("`insecure_listen`"),
        "{message}"
    );
    options.insecure_listen = true;
    Listeners::bind(options).unwrap();
}

#[tokio::test]
async fn without_an_address_there_is_nothing_to_serve() {
    assert!(bind_error(ListenOptions::new([])).contains("no address"));
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let first = Listeners::bind(tcp()).unwrap();
    let taken = first.addresses()[0].to_string();
    let message = bind_error(options(&taken));
    assert!(
        message.contains(&taken) && message.contains("another process"),
        "{message}"
    );
}

fn unix(path: &Path) -> ListenOptions {
    ListenOptions::new([ListenAddress::Unix(path.to_owned())])
}

#[tokio::test]
async fn the_socket_file_is_for_owner_and_group_and_goes_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidecar.sock");
    let running = Running::start(unix(&path));
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o660
    );
    say_to(&running.client().await, 10).await;
    assert_eq!(running.drain(LONG).await.aborted_connections, 0);
    assert!(!path.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_file_of_a_dead_process_is_replaced_and_that_of_a_living_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidecar.sock");
    // Closing a listener of the standard library leaves its file behind, as a crash does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = Running::start(unix(&path));
    assert!(bind_error(unix(&path)).contains("another process"));
    say_to(&first.client().await, 10).await;
}

#[tokio::test]
async fn a_drain_leaves_the_file_of_a_successor_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sidecar.sock");
    let first = Running::start(unix(&path));
    std::fs::remove_file(&path).unwrap();
    let second = Running::start(unix(&path));
    first.drain(LONG).await;
    say_to(&second.client().await, 10).await;
}

#[tokio::test]
async fn a_path_with_something_else_is_left_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "mine").unwrap();
    assert!(bind_error(unix(&path)).contains("not a socket"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let nowhere = bind_error(unix(&folder.path().join("none").join("sidecar.sock")));
    assert!(
        nowhere.contains("sidecar.sock") && nowhere.contains("check"),
        "{nowhere}"
    );
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_counted() {
    let mut options = tcp();
    options.limits.max_connections = 2;
    let running = Running::start(options);
    let first = running.client().await;
    let second = running.client().await;
    say_to(&first, 10).await;
    say_to(&second, 10).await;
    let mut third = running.connect().await;
    assert_eq!(third.read(&mut [0; 16]).await.unwrap_or(0), 0);
    let counts = running.counters.read();
    assert_eq!((counts.accepted, counts.open, counts.refused), (2, 2, 1));
    drop(first);
    while running.counters.read().open == 2 {
        yield_now().await;
    }
    say_to(&running.client().await, 10).await;
    say_to(&second, 10).await;
}

#[tokio::test]
async fn a_connection_that_does_not_start_to_speak_is_closed() {
    let running = Running::start(tcp());
    let mut silent = running.connect().await;
    let mut slow = running.connect().await;
    slow.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    // From here on, time jumps to the next timer whenever nothing else is left to do.
    tokio::time::pause();
    for stream in [&mut silent, &mut slow] {
        stream.read_to_end(&mut Vec::new()).await.unwrap_or(0);
    }
    assert_eq!(running.counters.read().handshake_timeouts, 2);
}

#[tokio::test]
async fn a_connection_that_has_spoken_may_be_silent() {
    let running = Running::start(tcp());
    let channel = running.client().await;
    say_to(&channel, 10).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    say_to(&channel, 10).await;
    assert_eq!(running.counters.read().accepted, 1);
}

#[tokio::test]
async fn a_connection_that_dies_without_a_word_is_found() {
    let running = Running::start(tcp());
    let mut stream = running.connect().await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    while running.counters.read().open == 0 {
        yield_now().await;
    }
    tokio::time::pause();
    // It takes the question whether it lives, and never answers.
    stream.read_to_end(&mut Vec::new()).await.unwrap_or(0);
    assert_eq!(running.counters.read().handshake_timeouts, 0);
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let running = Running::start(tcp());
    let channel = running.client().await;
    assert!(say_with_header(&channel, 15_000).await.is_ok());
    assert!(say_with_header(&channel, 17_000).await.is_err());
    say_to(&channel, 10).await;
}

#[tokio::test]
async fn calls_over_the_limit_of_a_connection_wait_their_turn() {
    let running = Running::start(tcp());
    let channel = running.client().await;
    let mut calls = JoinSet::new();
    for _ in 0..150 {
        let channel = channel.clone();
        calls.spawn(async move { unary(&channel, WAIT, 10).await.map(drop) });
    }
    running.talk.wait_for_begun(100).await;
    running.talk.gate.add_permits(150);
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    assert!(running.talk.most_at_once.load(Ordering::SeqCst) <= 100);
}

#[tokio::test]
async fn a_drain_lets_calls_finish_and_admits_no_new_ones() {
    let running = Running::start(tcp());
    let channel = running.client().await;
    let call = tokio::spawn(async move { unary(&channel, WAIT, 200_000).await.unwrap() });
    running.talk.wait_for_begun(1).await;
    let idle = running.client().await;
    say_to(&idle, 10).await;
    let ListenAddress::Tcp(address) = running.addresses[0] else {
        panic!("not TCP")
    };
    let (talk, counters) = (running.talk.clone(), Arc::clone(&running.counters));
    let drained = tokio::spawn(running.drain(LONG));
    while TcpStream::connect(address).await.is_ok() {
        yield_now().await;
    }
    assert!(!drained.is_finished());
    talk.gate.add_permits(1);
    assert_eq!(call.await.unwrap().content.len(), 200_000);
    assert_eq!(drained.await.unwrap().aborted_connections, 0);
    assert_eq!(counters.read().open, 0);
}

#[tokio::test]
async fn what_outlives_the_deadline_is_cut() {
    let running = Running::start(tcp());
    let channel = running.client().await;
    let call = tokio::spawn(async move { unary(&channel, WAIT, 10).await });
    running.talk.wait_for_begun(1).await;
    let silent = running.connect().await;
    while running.counters.read().open < 2 {
        yield_now().await;
    }
    let counters = Arc::clone(&running.counters);
    assert_eq!(
        running
            .drain(Duration::from_millis(20))
            .await
            .aborted_connections,
        2
    );
    assert!(call.await.unwrap().is_err());
    assert_eq!((counters.read().open, counters.read().aborted), (0, 2));
    drop(silent);
}

#[tokio::test]
async fn a_second_drain_does_not_move_the_deadline() {
    let shutdown = Shutdown::new();
    shutdown.drain(Duration::from_secs(1));
    shutdown.clone().drain(LONG);
    assert_eq!(shutdown.requested().await, Duration::from_secs(1));
}
