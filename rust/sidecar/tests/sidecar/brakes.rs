//! A sidecar takes its candidate back by itself: failing, or left alone for too long.

use std::ops::Range;

use pitcanary_core::v1;
use pitcanary_sidecar::settings::Settings;

use crate::running::{LATENCY, ROLLOUT, Running, observations, outcome, resolve_request, snapshot};

/// Outcomes of each arm that the breaker needs.
const MIN_REQUESTS: u32 = 20;

fn with_breaker(revision: u64, epoch: u32) -> v1::Snapshot {
    let mut snapshot = snapshot(revision);
    snapshot.breaker = Some(v1::Breaker {
        enabled: true,
        min_requests: MIN_REQUESTS,
        excess_rate: 0.5,
    });
    snapshot.rollouts[0].allocation_epoch = epoch;
    snapshot
}

/// Resolves and reports for these users; candidates fail, the baseline does not.
fn serve(running: &Running, users: Range<u64>) {
    let handlers = running.sidecar().handlers();
    for number in users {
        let answer = handlers
            .resolve(&resolve_request(&format!("user-{number}")))
            .unwrap();
        let mut report = outcome(prost::bytes::Bytes::copy_from_slice(&answer.token));
        if &*answer.arm == "candidate" {
            report.status = v1::OutcomeStatus::Error.into();
        }
        handlers.report(&report).unwrap();
    }
}

fn reasons(running: &Running) -> Vec<v1::Reason> {
    let handlers = running.sidecar().handlers();
    let answers = (0..60).map(|number| {
        let answer = handlers
            .resolve(&resolve_request(&format!("user-{number}")))
            .unwrap();
        answer.reason
    });
    answers.collect()
}

#[test]
fn a_failing_candidate_is_taken_back_at_once_and_every_controller_is_told() {
    let mut running = Running::start(|_| ());
    running.controller.start();
    running.push(with_breaker(1, 1));
    serve(&running, 0..200);
    let trip = running.hears_trip();
    assert_eq!((trip.rollout, trip.allocation_epoch), (ROLLOUT, 1));
    assert_eq!(trip.candidate_failures, trip.candidate_requests);
    assert!(reasons(&running).contains(&v1::Reason::Breaker));
    assert!(!reasons(&running).contains(&v1::Reason::Fallback));

    running.controller.kill();
    running.controller.start();
    assert_eq!(running.hears_trip(), trip);
}

#[test]
fn a_newer_epoch_releases_the_breaker() {
    let mut running = Running::start(|_| ());
    running.controller.start();
    running.push(with_breaker(1, 1));
    serve(&running, 0..200);
    running.hears_trip();
    running.push(with_breaker(2, 1));
    running.settled(|running| reasons(running).contains(&v1::Reason::Breaker));
    running.push(with_breaker(3, 2));
    running.settled(|running| !reasons(running).contains(&v1::Reason::Breaker));
}

#[test]
fn a_sidecar_left_alone_gives_the_candidates_traffic_to_the_baseline() {
    let mut running = Running::start(|settings: &mut Settings| settings.replay = true);
    running.controller.start();
    running.push(snapshot(1));
    assert!(!reasons(&running).contains(&v1::Reason::Unattended));
    // As long as the stream is up, a step of the clock is no absence.
    running.set_clock_s(10_000);
    assert!(!reasons(&running).contains(&v1::Reason::Unattended));

    running.controller.kill();
    running.settled(|running| !running.sidecar().counts().link.connected);
    running.set_clock_s(10_000 + 901);
    let unattended = reasons(&running);
    assert!(unattended.contains(&v1::Reason::Unattended));
    let counts = running.sidecar().counts();
    assert!(counts.freshness.unattended && counts.freshness.stale);

    running.controller.start();
    running.settled(|running| !reasons(running).contains(&v1::Reason::Unattended));
}

#[test]
fn outcomes_after_a_trip_are_not_compared() {
    let mut running = Running::start(|_| ());
    running.controller.start();
    running.push(with_breaker(1, 1));
    let mut reports = 0;
    while running.sidecar().counts().tripped_rollouts == 0 {
        serve(&running, reports..reports + 1);
        reports += 1;
    }
    serve(&running, reports..reports + 100);
    assert_eq!(observations(&running.drain(), LATENCY), reports);
}
