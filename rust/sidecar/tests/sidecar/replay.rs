//! Time stepped by hand: the same calls get the same answers, and a flush is a barrier.

use pitcanary_core::v1;
use pitcanary_sidecar::settings::Settings;
use pitcanary_sidecar::v1::replay_service_client::ReplayServiceClient;
use tonic::Code;

use crate::running::{LATENCY, Running, observations, outcome, resolve_request, snapshot};

fn replaying(settings: &mut Settings) {
    settings.replay = true;
}

fn connected() -> Running {
    let mut running = Running::start(replaying);
    running.controller.start();
    running.push(snapshot(1));
    running
}

fn flush(running: &Running) -> u64 {
    let mut replay = ReplayServiceClient::new(running.channel());
    let flushed = running.call(replay.flush(v1::FlushRequest {})).unwrap();
    flushed.into_inner().seq
}

#[test]
fn a_flush_returns_when_everything_counted_is_committed() {
    let running = connected();
    assert_eq!(flush(&running), 0);
    for round in 1..=3 {
        let token = running.token("candidate");
        running.report(outcome(token)).unwrap();
        assert_eq!(flush(&running), round);
        assert_eq!(observations(&running.controller.evidence(), LATENCY), round);
    }
    assert_eq!(flush(&running), 3);
}

#[test]
fn nothing_is_uploaded_between_flushes() {
    let running = connected();
    let token = running.token("candidate");
    running.report(outcome(token)).unwrap();
    for revision in 2..6 {
        running.push(snapshot(revision));
    }
    assert!(running.controller.store.uploads.lock().is_empty());
    flush(&running);
    assert_eq!(running.controller.store.uploads.lock().len(), 1);
}

#[test]
fn the_same_calls_get_the_same_tokens() {
    let tokens = || {
        let running = connected();
        running.set_clock_s(1_000);
        let answers = ["alice", "", "bob", ""].map(|unit| {
            let answer = running.resolve(resolve_request(unit)).unwrap();
            (answer.arm, answer.token)
        });
        answers.to_vec()
    };
    assert_eq!(tokens(), tokens());
}

#[test]
fn a_sidecar_on_the_machines_clock_has_no_replay_service() {
    let running = Running::configured(|_| ());
    let mut replay = ReplayServiceClient::new(running.channel());
    let refused = running.call(replay.flush(v1::FlushRequest {})).unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
