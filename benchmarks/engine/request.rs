//! Measures what a sidecar does per request, without its transport: resolve and encode,
//! report and count; and what a controller does per frame: read and merge.
//!
//! Prints one JSON line: `cargo bench -p pitcanary-core --bench request`.

use std::hint::black_box;
use std::time::Instant;

use pitcanary_core::evidence::Bundle;
use pitcanary_core::report::{Limits, Recorder, evaluate_report};
use pitcanary_core::resolve::{LocalState, resolve};
use pitcanary_core::snapshot::Snapshot;
use pitcanary_core::v1;
use prost::Message;

const NOW_S: u64 = 1_795_000_000;
const REQUESTS: u32 = 200_000;
const FRAMES: u32 = 200;
const REPEATS: usize = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let snapshot = Snapshot::compile(&configuration(), &[1; 32])?;
    let requests: Vec<v1::ResolvePromptRequest> = (0..REQUESTS).map(request).collect();
    let mut recorder = Recorder::new(Limits::default());
    let resolve_ns = best(|| resolve_all(&snapshot, &requests, &mut recorder))?;
    let report_ns =
        best(|| report_all(&snapshot, &requests, &mut Recorder::new(Limits::default())))?;
    let frames = frames(&snapshot, &requests)?;
    let merge_ns = best(|| merge_all(&frames))?;
    let frame_bytes = frames.iter().map(Vec::len).sum::<usize>() / frames.len();
    print(
        resolve_ns / u128::from(REQUESTS),
        report_ns / u128::from(REQUESTS),
        merge_ns / u128::from(FRAMES) / 1000,
        frame_bytes,
    );
    Ok(())
}

/// Nanoseconds of the fastest of some repeats.
fn best(mut run: impl FnMut() -> Result<(), Failure>) -> Result<u128, Failure> {
    let mut fastest = u128::MAX;
    for _ in 0..REPEATS {
        let start = now();
        run()?;
        fastest = fastest.min(start.elapsed().as_nanos());
    }
    Ok(fastest)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the result of the benchmark")]
fn print(resolve_ns: u128, report_ns: u128, merge_us: u128, frame_bytes: usize) {
    println!(
        "{{\"request.resolve_ns\":{resolve_ns},\"request.report_ns\":{report_ns},\"frame.merge_us\":{merge_us},\"frame.bytes\":{frame_bytes}}}"
    );
}

fn resolve_all(
    snapshot: &Snapshot,
    requests: &[v1::ResolvePromptRequest],
    recorder: &mut Recorder,
) -> Result<(), Failure> {
    let mut buffer = Vec::with_capacity(4096);
    for (nonce, request) in (0..).zip(requests) {
        let resolution = resolve(snapshot, request, NOW_S, nonce, &LocalState::default())?;
        recorder.record_served(&resolution.served);
        buffer.clear();
        resolution.response.encode(&mut buffer)?;
        black_box(&buffer);
    }
    Ok(())
}

fn report_all(
    snapshot: &Snapshot,
    requests: &[v1::ResolvePromptRequest],
    recorder: &mut Recorder,
) -> Result<(), Failure> {
    // The same token with another nonce each time costs what another token would, so a
    // few hundred real ones keep resolving out of the figure.
    let local = LocalState::default();
    let tokens: Vec<_> = (0..512)
        .zip(requests)
        .map(|(nonce, request)| {
            let resolution = resolve(snapshot, request, NOW_S, nonce, &local)?;
            Ok::<_, Failure>(resolution.response.token)
        })
        .collect::<Result<_, _>>()?;
    let report = outcome_report();
    for index in 0..requests.len() {
        let token = snapshot.open_token(&tokens[index % tokens.len()], NOW_S)?;
        let outcome = evaluate_report(snapshot, &token, &report)?;
        black_box(recorder.record(black_box(&outcome), NOW_S));
        if index % tokens.len() == tokens.len() - 1 {
            *recorder = Recorder::new(Limits::default());
        }
    }
    Ok(())
}

fn frames(
    snapshot: &Snapshot,
    requests: &[v1::ResolvePromptRequest],
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut recorder = Recorder::new(Limits::default());
    let per_frame = requests.len() / FRAMES as usize;
    let mut frames = Vec::new();
    for (frame, chunk) in (0..).zip(requests.chunks(per_frame)) {
        for (nonce, request) in (0..).zip(chunk) {
            let nonce = frame * 1_000_000 + nonce;
            let resolution = resolve(snapshot, request, NOW_S, nonce, &LocalState::default())?;
            recorder.record_served(&resolution.served);
            let token = snapshot.open_token(&resolution.response.token, NOW_S)?;
            recorder.record(
                &evaluate_report(snapshot, &token, &outcome_report())?,
                NOW_S,
            );
        }
        frames.push(recorder.drain().encode());
    }
    Ok(frames)
}

fn merge_all(frames: &[Vec<u8>]) -> Result<(), Failure> {
    let mut merged = Bundle::default();
    for frame in frames {
        merged = merged.merge(Bundle::decode(frame.clone())?)?;
    }
    black_box(merged.encode());
    Ok(())
}

fn outcome_report() -> v1::ReportOutcomeRequest {
    v1::ReportOutcomeRequest {
        status: v1::OutcomeStatus::Ok.into(),
        latency_us: Some(1_234_567),
        time_to_first_token_us: Some(230_000),
        input_tokens: Some(1_200),
        output_tokens: Some(340),
        cost: Some(0.012),
        scores: [
            ("refusal".to_owned(), 0.0),
            ("helpfulness".to_owned(), 0.75),
        ]
        .into(),
        ..Default::default()
    }
}

fn request(number: u32) -> v1::ResolvePromptRequest {
    let attribute = |index: u32| {
        let value = v1::attribute_value::Value::Text(format!("value {}", (number + index) % 7));
        (
            format!("attribute_{index}"),
            v1::AttributeValue { value: Some(value) },
        )
    };
    v1::ResolvePromptRequest {
        prompt: "support-reply".to_owned(),
        unit: format!("00000000-0000-4000-8000-{number:012}"),
        attributes: (0..5).map(attribute).collect(),
        ..Default::default()
    }
}

/// A prompt of 1 KiB in a canary with three strata and eight metrics.
fn configuration() -> v1::Snapshot {
    let version = |id| v1::Version {
        id,
        r#ref: Some(v1::VersionRef {
            name: "support-reply".to_owned(),
            number: id,
            digest: format!("sha256:{id:064x}"),
        }),
        content: Some(v1::version::Content::Text("x".repeat(1024))),
        ..Default::default()
    };
    let arm = |index: u32, name: &str, start, end| v1::Arm {
        index,
        name: name.to_owned(),
        version: index + 1,
        ranges: vec![v1::SlotRange { start, end }],
        withdrawn: false,
    };
    v1::Snapshot {
        config_version: Some(v1::ConfigVersion::default()),
        namespace_salt: "8f14e45fceea167a".to_owned(),
        token_max_age_s: 3600,
        segments: (0..3).map(segment).collect(),
        versions: vec![version(1), version(2)],
        prompts: vec![v1::Prompt {
            name: "support-reply".to_owned(),
            labels: vec![v1::LabelTarget {
                label: "production".to_owned(),
                version: 1,
                rollout: 7,
            }],
        }],
        rollouts: vec![v1::Rollout {
            id: 7,
            unit_kind: "user".to_owned(),
            salt: "c4ca4238a0b92382".to_owned(),
            analysis_generation: 1,
            allocation_epoch: 3,
            arms: vec![
                arm(0, "baseline", 50_000, 1_000_000),
                arm(1, "candidate", 0, 50_000),
            ],
            metrics: metrics(),
            strata: (0..3).map(|index| format!("segment {index}")).collect(),
            ..Default::default()
        }],
        threshold_sets: vec![v1::ThresholdSet {
            id: 1,
            buckets: vec![1300, 1306, 1310, 1316, 1320],
        }],
        ..Default::default()
    }
}

fn segment(id: u32) -> v1::Segment {
    let test = v1::AttributeTest {
        attribute: format!("attribute_{id}"),
        value: Some(v1::AttributeValue {
            value: Some(v1::attribute_value::Value::Text(format!("value {id}"))),
        }),
    };
    v1::Segment {
        id,
        name: format!("segment {id}"),
        condition: Some(v1::Condition {
            test: Some(v1::condition::Test::Equals(test)),
        }),
    }
}

fn metrics() -> Vec<v1::MetricConfig> {
    use v1::{MetricKind as Kind, MetricSource as Source};
    let metric = |id, name: &str, kind: Kind, source: Source| v1::MetricConfig {
        id,
        name: name.to_owned(),
        kind: kind.into(),
        source: source.into(),
        threshold_set: u32::from(kind == Kind::Exceedance),
        histogram: matches!(kind, Kind::Exceedance | Kind::Mean) && source != Source::Score,
        ..Default::default()
    };
    vec![
        metric(0, "error", Kind::Rate, Source::Error),
        metric(1, "latency_p95", Kind::Exceedance, Source::Latency),
        metric(2, "ttft_p95", Kind::Exceedance, Source::TimeToFirstToken),
        metric(3, "cost", Kind::Mean, Source::Cost),
        metric(4, "input_tokens", Kind::Mean, Source::InputTokens),
        metric(5, "output_tokens", Kind::Mean, Source::OutputTokens),
        metric(6, "refusal", Kind::Rate, Source::Flag),
        metric(7, "helpfulness", Kind::Mean, Source::Score),
    ]
}
