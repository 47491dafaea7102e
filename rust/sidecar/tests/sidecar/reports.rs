//! Reports are judged, counted once and arrive in the controller's evidence.

use pitcanary_core::v1;
use pitcanary_core::v1::RejectCode;
use pitcanary_sidecar::service::reports::REJECT_HEADER;
use pitcanary_sidecar::settings::Settings;
use tonic::{Code, Status};

use crate::running::{
    ERROR, HELPFULNESS, LATENCY, ROLLOUT, Running, observations, outcome, resolve_request, snapshot,
};

fn as_they_are(_: &mut Settings) {}

fn connected() -> Running {
    let mut running = Running::start(as_they_are);
    running.controller.start();
    running.push(snapshot(1));
    running
}

fn reject_code(status: &Status) -> RejectCode {
    let number = status
        .metadata()
        .get(REJECT_HEADER)
        .unwrap()
        .to_str()
        .unwrap();
    RejectCode::try_from(number.parse::<i32>().unwrap()).unwrap()
}

fn score(token: prost::bytes::Bytes, value: f64, scorer: &str) -> v1::ReportScoreRequest {
    v1::ReportScoreRequest {
        token,
        metric: "helpfulness".to_owned(),
        value,
        scorer: scorer.to_owned(),
        ..v1::ReportScoreRequest::default()
    }
}

#[test]
fn outcomes_arrive_once_however_often_they_are_reported() {
    let mut running = connected();
    for arm in ["baseline", "candidate"] {
        let token = running.token(arm);
        assert!(!running.report(outcome(token.clone())).unwrap().duplicate);
        assert!(running.report(outcome(token)).unwrap().duplicate);
    }
    let evidence = running.drain();
    assert_eq!(observations(&evidence, ERROR), 2);
    assert_eq!(observations(&evidence, LATENCY), 2);
    let arms: Vec<(u32, u8)> = evidence
        .cells
        .keys()
        .filter(|key| key.metric == LATENCY)
        .map(|key| (key.rollout, key.arm))
        .collect();
    assert_eq!(arms, [(ROLLOUT, 0), (ROLLOUT, 1)]);
    assert!(evidence.units.len() == 1 && !evidence.exposures.is_empty());
}

#[test]
fn a_token_of_one_sidecar_is_taken_by_another() {
    let here = connected();
    let token = here.token("candidate");
    let mut there = connected();
    assert!(!there.report(outcome(token)).unwrap().duplicate);
    assert_eq!(observations(&there.drain(), LATENCY), 1);
}

#[test]
fn bad_tokens_are_refused_each_with_its_code() {
    let mut running = Running::start(|settings| settings.replay = true);
    running.controller.start();
    running.push(snapshot(1));
    let good = running.token("candidate");
    let mut forged = good.to_vec();
    forged[20] ^= 1;
    let mut foreign = good.to_vec();
    foreign[1] = 77;
    for (token, code, reject) in [
        (
            Vec::new(),
            Code::InvalidArgument,
            RejectCode::MalformedToken,
        ),
        (
            b"not a token".to_vec(),
            Code::InvalidArgument,
            RejectCode::MalformedToken,
        ),
        (forged, Code::PermissionDenied, RejectCode::ForgedToken),
        (foreign, Code::FailedPrecondition, RejectCode::UnknownKey),
    ] {
        let status = running.report(outcome(token.into())).unwrap_err();
        assert_eq!((status.code(), reject_code(&status)), (code, reject));
    }
    running.set_clock_s(10_000);
    let status = running.report(outcome(good)).unwrap_err();
    assert_eq!(reject_code(&status), RejectCode::ExpiredToken);
    let rejects = running.sidecar().counts().rejects;
    assert_eq!(
        rejects,
        [
            ("MALFORMED_TOKEN", 2),
            ("UNKNOWN_KEY", 1),
            ("FORGED_TOKEN", 1),
            ("EXPIRED_TOKEN", 1)
        ]
    );
    assert_eq!(running.drain().losses.rejected.values().sum::<u64>(), 5);
}

#[test]
fn values_that_cannot_be_are_refused_and_count_nothing() {
    let mut running = connected();
    let token = running.token("baseline");
    let with = |change: fn(&mut v1::ReportOutcomeRequest)| {
        let mut report = outcome(token.clone());
        change(&mut report);
        report
    };
    for bad in [
        with(|report| report.latency_us = Some(-1)),
        with(|report| report.cost = Some(f64::NAN)),
        with(|report| report.status = 0),
        with(|report| report.scores = [("helpfulness".to_owned(), f64::INFINITY)].into()),
    ] {
        let status = running.report(bad).unwrap_err();
        assert_eq!(reject_code(&status), RejectCode::InvalidValue);
    }
    let mut service = running.service();
    let nan = running
        .call(service.report_score(score(token.clone(), f64::NAN, "judge")))
        .unwrap_err();
    assert_eq!(reject_code(&nan), RejectCode::InvalidValue);
    assert!(!running.report(outcome(token)).unwrap().duplicate);
    assert_eq!(observations(&running.drain(), LATENCY), 1);
}

#[test]
fn the_first_score_of_a_scorer_stands() {
    let mut running = connected();
    let token = running.token("candidate");
    let mut service = running.service();
    let mut duplicate = |value, scorer: &str| {
        let request = score(token.clone(), value, scorer);
        let answer = running.call(service.report_score(request)).unwrap();
        answer.into_inner().duplicate
    };
    assert!(!duplicate(0.5, "judge"));
    assert!(duplicate(0.9, "judge"));
    assert!(!duplicate(0.9, "person"));
    assert_eq!(observations(&running.drain(), HELPFULNESS), 2);
}

#[test]
fn an_answer_fetched_ahead_is_shown_when_it_is_used() {
    let mut running = connected();
    let mut service = running.service();
    let batch = v1::ResolvePromptsRequest {
        requests: vec![resolve_request("alice"), resolve_request("bob")],
    };
    let answer = running
        .call(service.resolve_prompts(batch))
        .unwrap()
        .into_inner();
    let tokens: Vec<_> = answer
        .items
        .into_iter()
        .map(|item| match item.result.unwrap() {
            v1::resolved_item::Result::Response(response) => response.token,
            v1::resolved_item::Result::Error(error) => panic!("{}", error.message),
        })
        .collect();
    let mut confirm = |tokens: Vec<_>| {
        let request = v1::ConfirmExposureRequest { tokens };
        running
            .call(service.confirm_exposure(request))
            .map(tonic::Response::into_inner)
    };
    let first = confirm(vec![tokens[0].clone(), b"rubbish".to_vec().into()]).unwrap();
    assert_eq!(
        (first.confirmed, first.rejects.len(), first.rejects[0].seq),
        (1, 1, 1)
    );
    assert_eq!(confirm(vec![tokens[0].clone()]).unwrap().confirmed, 0);
    let too_many = confirm(vec![tokens[0].clone(); 1001]).unwrap_err();
    assert_eq!(too_many.code(), Code::InvalidArgument);
    let evidence = running.drain();
    let exposures: u64 = evidence
        .exposures
        .values()
        .map(|counts| counts.totals().0)
        .sum();
    assert_eq!(exposures, 1);
}

#[test]
fn calls_without_a_network_count_as_well() {
    use prost::Message;
    let mut running = connected();
    let token = running.token("baseline");
    let handlers = running.sidecar().handlers();
    let answer = handlers
        .invoke("ReportOutcome", &outcome(token).encode_to_vec())
        .unwrap();
    let answer = v1::ReportOutcomeResponse::decode(answer.as_slice()).unwrap();
    assert!(!answer.duplicate);
    let unknown = handlers.invoke("Nothing", &[]).unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
    let malformed = handlers.invoke("ReportOutcome", &[0xff]).unwrap_err();
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert_eq!(observations(&running.drain(), LATENCY), 1);
}

#[test]
fn counts_wait_for_a_lost_controller() {
    let mut running = connected();
    let before = running.token("candidate");
    running.report(outcome(before)).unwrap();
    running.controller.kill();
    for _ in 0..5 {
        let token = running.token("candidate");
        running.report(outcome(token)).unwrap();
    }
    running.controller.start();
    assert_eq!(observations(&running.drain(), LATENCY), 6);
}
