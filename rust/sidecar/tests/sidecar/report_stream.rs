//! Streams of reports: every number is answered, and durable means committed.

use pitcanary_core::v1;
use pitcanary_core::v1::RejectCode;
use pitcanary_sidecar::settings::Settings;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::running::{LATENCY, Running, observations, outcome, resolve_request, snapshot};

fn as_they_are(_: &mut Settings) {}

fn connected() -> Running {
    let mut running = Running::start(as_they_are);
    running.controller.start();
    running.push(snapshot(1));
    running
}

/// A client's end of one connection.
struct Client<'a> {
    running: &'a Running,
    reports: Option<mpsc::UnboundedSender<v1::ReportOutcomesRequest>>,
    answers: Streaming<v1::ReportOutcomesResponse>,
}

fn open(running: &Running) -> Client<'_> {
    let (reports, receiver) = mpsc::unbounded_channel();
    let mut service = running.service();
    let opened = service.report_outcomes(UnboundedReceiverStream::new(receiver));
    let answers = running.call(opened).unwrap().into_inner();
    Client {
        running,
        reports: Some(reports),
        answers,
    }
}

impl Client<'_> {
    fn send(&self, seq: u64, token: Bytes) {
        self.send_as("stream", seq, token);
    }

    fn send_as(&self, id: &str, seq: u64, token: Bytes) {
        let request = v1::ReportOutcomesRequest {
            client_stream_id: id.to_owned(),
            seq,
            report: Some(outcome(token)),
        };
        self.reports.as_ref().unwrap().send(request).unwrap();
    }

    fn answer(&mut self) -> Result<Option<v1::ReportOutcomesResponse>, Status> {
        self.running.call(self.answers.message())
    }

    /// The rejects heard until everything up to a number is durable.
    fn until_durable(&mut self, seq: u64) -> Vec<v1::Reject> {
        let mut rejects = Vec::new();
        loop {
            let answer = self.answer().unwrap().unwrap();
            assert!(answer.durable_through <= answer.accepted_through);
            rejects.extend(answer.rejects);
            if answer.durable_through >= seq {
                return rejects;
            }
        }
    }

    /// Says that no more reports come, and hears the rest.
    fn close(mut self) -> Option<v1::ReportOutcomesResponse> {
        self.reports = None;
        let mut last = None;
        while let Some(answer) = self.answer().unwrap() {
            last = Some(answer);
        }
        last
    }
}

/// Tokens of different answers.
fn tokens(running: &Running, count: usize) -> Vec<Bytes> {
    (0..count)
        .map(|number| {
            let request = resolve_request(&format!("user-{number}"));
            let answer = running.sidecar().handlers().resolve(&request).unwrap();
            Bytes::copy_from_slice(&answer.token)
        })
        .collect()
}

#[test]
fn durable_reports_are_in_the_controllers_evidence() {
    let running = connected();
    let mut client = open(&running);
    for (seq, token) in (1..).zip(tokens(&running, 500)) {
        client.send(seq, token);
    }
    assert!(client.until_durable(500).is_empty());
    assert_eq!(observations(&running.controller.evidence(), LATENCY), 500);
    let marks: u64 = running
        .controller
        .marks("stream")
        .into_iter()
        .max()
        .unwrap();
    assert_eq!(marks, 500);
}

#[test]
fn nothing_is_durable_without_a_commit_and_nothing_lost_in_the_meantime() {
    let mut running = connected();
    let reports = tokens(&running, 20);
    running.controller.kill();
    {
        let mut client = open(&running);
        for (seq, token) in (1..).zip(reports) {
            client.send(seq, token);
        }
        loop {
            let answer = client.answer().unwrap().unwrap();
            assert_eq!(answer.durable_through, 0);
            if answer.accepted_through == 20 {
                break;
            }
        }
    }
    running.controller.start();
    let mut client = open(&running);
    client.send(20, Bytes::new());
    assert!(client.until_durable(20).is_empty());
    assert_eq!(observations(&running.controller.evidence(), LATENCY), 20);
}

#[test]
fn resent_reports_are_acknowledged_and_not_counted() {
    let running = connected();
    let reports = tokens(&running, 30);
    let mut client = open(&running);
    for (seq, token) in (1..).zip(&reports[..20]) {
        client.send(seq, token.clone());
    }
    client.until_durable(5);
    drop(client);
    let mut client = open(&running);
    for (seq, token) in (6..).zip(&reports[5..]) {
        client.send(seq, token.clone());
    }
    assert!(client.until_durable(30).is_empty());
    assert_eq!(observations(&running.controller.evidence(), LATENCY), 30);
}

#[test]
fn rejects_have_their_numbers_and_do_not_stop_the_stream() {
    let running = connected();
    let reports = tokens(&running, 2);
    let mut client = open(&running);
    client.send(1, reports[0].clone());
    client.send(2, Bytes::from_static(b"rubbish"));
    client.send(3, reports[0].clone());
    client.send(4, reports[1].clone());
    let rejects: Vec<(u64, RejectCode)> = client
        .until_durable(4)
        .iter()
        .map(|reject| (reject.seq, reject.code()))
        .collect();
    assert_eq!(
        rejects,
        [(2, RejectCode::MalformedToken), (3, RejectCode::Duplicate)]
    );
    assert_eq!(observations(&running.controller.evidence(), LATENCY), 2);
}

#[test]
fn a_closed_stream_ends_when_its_last_report_is_durable() {
    let running = connected();
    let client = open(&running);
    for (seq, token) in (1..).zip(tokens(&running, 3)) {
        client.send(seq, token);
    }
    let last = client.close().unwrap();
    assert_eq!((last.accepted_through, last.durable_through), (3, 3));
}

#[test]
fn a_drain_makes_streams_durable_and_ends_them() {
    let mut running = connected();
    let reports = tokens(&running, 40);
    let client = {
        let mut client = open(&running);
        for (seq, token) in (1..).zip(reports) {
            client.send(seq, token);
        }
        while client.answer().unwrap().unwrap().accepted_through < 40 {}
        (client.reports.take(), client.answers)
    };
    let evidence = running.drain();
    assert_eq!(observations(&evidence, LATENCY), 40);
    let (reports, mut answers) = client;
    let mut durable = 0;
    while let Some(answer) = running.call(answers.message()).unwrap() {
        durable = answer.durable_through;
    }
    assert_eq!(durable, 40);
    drop(reports);
}

#[test]
fn a_stream_that_breaks_the_order_is_told_what_comes_next() {
    let running = connected();
    let reports = tokens(&running, 3);
    for (first, second, word) in [
        (("stream", 1), ("stream", 3), "`2` comes next"),
        (("stream", 0), ("stream", 1), "counts from 1"),
        (("", 1), ("", 2), "1 to 200 bytes"),
        (("other", 1), ("another", 2), "changed"),
    ] {
        let mut client = open(&running);
        client.send_as(first.0, first.1, reports[0].clone());
        client.send_as(second.0, second.1, reports[1].clone());
        let status = loop {
            match client.answer() {
                Ok(answer) => assert!(answer.is_some()),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(word), "{}", status.message());
    }
}

#[test]
fn a_client_far_ahead_of_the_controller_is_slowed_down_and_then_served() {
    let mut running = connected();
    let reports = tokens(&running, 10_300);
    running.controller.kill();
    let (answers, sender) = {
        let mut client = open(&running);
        for (seq, token) in (1..).zip(reports) {
            client.send(seq, token);
        }
        while client.answer().unwrap().unwrap().accepted_through < 10_000 {}
        (client.answers, client.reports)
    };
    running.controller.start();
    let mut client = Client {
        running: &running,
        reports: sender,
        answers,
    };
    client.until_durable(10_300);
    assert_eq!(
        observations(&running.controller.evidence(), LATENCY),
        10_300
    );
}
