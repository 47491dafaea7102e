//! The load generator against a real tonic server.

#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

use std::time::Duration;

use pitcanary_load::bench::error::BenchError;
use pitcanary_load::bench::messages;
use pitcanary_load::bench::run::{Pace, Plan, Report, run};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;

/// `grpc.health.v1.HealthCheckRequest` for the whole server, and for a service it does not know.
const KNOWN: &[u8] = b"";
const UNKNOWN: &[u8] = b"\x0a\x04none";

/// `grpc.health.v1.HealthCheckResponse` with status SERVING.
const SERVING: &[u8] = b"\x08\x01";

fn plan(target: String) -> Plan {
    Plan {
        target,
        path: "/grpc.health.v1.Health/Check".to_owned(),
        connections: 3,
        in_flight: 20,
        pace: Pace::Saturate,
        warm_up: Duration::ZERO,
        measure: Duration::from_secs(20),
        capture: Some(3_000),
    }
}

fn start_tcp(runtime: &Runtime, server: Server) -> String {
    let _guard = runtime.enter();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    let (_, health) = tonic_health::server::health_reporter();
    let mut server = server;
    let serving = server
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    runtime.spawn(serving);
    target
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// Every third request fails.
fn run_mixed(plan: &Plan) -> Result<Report, BenchError> {
    let mut table = [KNOWN, KNOWN, UNKNOWN].iter().cycle();
    run(plan, &mut |output| {
        output.extend_from_slice(table.next().unwrap());
    })
}

#[test]
fn answers_and_failures_are_counted_apart() {
    let runtime = runtime();
    let report = run_mixed(&plan(start_tcp(&runtime, Server::builder()))).unwrap();
    assert!(report.answers >= 3_000);
    assert_eq!(
        report.failures.keys().collect::<Vec<_>>(),
        [&Some(5)],
        "5 is NOT_FOUND"
    );
    let failed = report.failures[&Some(5)];
    // Calls in flight at the end are in neither count.
    assert!(
        failed * 2 <= report.answers + 60 && report.answers <= failed * 2 + 120,
        "{failed}"
    );
    assert_eq!(report.latency_ns.count(), report.answers);
    assert!(report.captured.iter().all(|message| message == SERVING));
}

#[test]
fn a_unix_socket_works_as_tcp_does() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.sock");
    let _guard = runtime.enter();
    let listener = UnixListener::bind(&path).unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    runtime.spawn(
        Server::builder()
            .add_service(health)
            .serve_with_incoming(UnixListenerStream::new(listener)),
    );
    let plan = plan(format!("unix:{}", path.display()));
    assert!(run_mixed(&plan).unwrap().answers >= 3_000);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let runtime = runtime();
    let mut plan = plan(start_tcp(&runtime, Server::builder()));
    plan.pace = Pace::OpenLoop {
        per_second: 1_000.0,
    };
    plan.measure = Duration::from_millis(500);
    plan.capture = None;
    let report = run(&plan, &mut |_| {}).unwrap();
    // Never more than are due; fewer only if the machine stalls at the very end.
    assert!(report.answers <= 501, "{}", report.answers);
    assert!(report.failures.is_empty() && report.captured.is_empty());
}

#[test]
fn more_calls_than_the_server_allows_are_an_error() {
    let runtime = runtime();
    let server = Server::builder().max_concurrent_streams(10);
    let error = run_mixed(&plan(start_tcp(&runtime, server)))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("10 calls") && error.contains("20"),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_address() {
    let error = run_mixed(&plan("unix:/nowhere/at/all.sock".to_owned()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("`unix:/nowhere/at/all.sock`"), "{error}");
    let error = run_mixed(&plan("localhost:1".to_owned()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`localhost:1`") && error.contains("--help"),
        "{error}"
    );
}

#[test]
fn a_message_larger_than_a_frame_is_an_error() {
    let runtime = runtime();
    let plan = plan(start_tcp(&runtime, Server::builder()));
    let error = run(&plan, &mut |output| output.resize(output.len() + 20_000, 0)).unwrap_err();
    assert!(matches!(
        error,
        BenchError::MessageTooLarge { bytes: 20_000, .. }
    ));
}

#[test]
fn messages_are_read_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.bin").display().to_string();
    let written = vec![b"one".to_vec(), vec![], vec![7; 300]];
    messages::write(&path, &written).unwrap();
    let read: Vec<Vec<u8>> = messages::read(&path)
        .unwrap()
        .iter()
        .map(|m| m.to_vec())
        .collect();
    assert_eq!(read, written);
    std::fs::write(&path, b"\x05abc").unwrap();
    assert!(
        messages::read(&path)
            .unwrap_err()
            .to_string()
            .contains("cut off")
    );
    std::fs::write(&path, b"").unwrap();
    assert!(messages::read(&path).is_err());
}
