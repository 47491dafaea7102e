//! What reports count as: each rule by name, on a snapshot with one rollout.

mod counting;

use super::*;
use crate::evidence::{Bundle, CellKey, ExposureKey, Exposures, HistogramKey, MissingKey};
use crate::resolve::{LocalState, Resolution, resolve};
use crate::snapshot::BUILT_IN_METRICS;
use crate::v1::SchemaVerdict as Verdict;

const NOW_S: u64 = 1_795_000_020;
const MAX_AGE_S: u64 = 3600;

fn metric(id: u32, name: &str, kind: v1::MetricKind, source: v1::MetricSource) -> v1::MetricConfig {
    v1::MetricConfig {
        id,
        name: name.to_owned(),
        kind: kind.into(),
        source: source.into(),
        ..Default::default()
    }
}

fn metrics() -> Vec<v1::MetricConfig> {
    use v1::{MetricKind as Kind, MetricSource as Source};
    let score = v1::MetricConfig {
        maximum: 1_000_000,
        minimum: -1_000_000,
        ..metric(5, "helpfulness", Kind::Mean, Source::Score)
    };
    vec![
        metric(0, "error", Kind::Rate, Source::Error),
        metric(1, "schema", Kind::Rate, Source::SchemaFailure),
        v1::MetricConfig {
            threshold_set: 4,
            histogram: true,
            ..metric(2, "latency_p95", Kind::Exceedance, Source::Latency)
        },
        v1::MetricConfig {
            cap: 50_000_000,
            ..metric(3, "cost", Kind::Mean, Source::Cost)
        },
        metric(4, "refusal", Kind::Rate, Source::Flag),
        score,
        v1::MetricConfig {
            denominator: Source::InputTokens.into(),
            ..metric(6, "verbosity", Kind::Ratio, Source::OutputTokens)
        },
        metric(7, "ttft_p95", Kind::Exceedance, Source::TimeToFirstToken),
    ]
}

fn message() -> v1::Snapshot {
    let version = |id| v1::Version {
        id,
        r#ref: Some(v1::VersionRef {
            name: "greet".to_owned(),
            ..Default::default()
        }),
        content: Some(v1::version::Content::Text("Hello".to_owned())),
        output_schema_json: r#"{"type": "object", "required": ["answer"]}"#.to_owned(),
        model: "m".to_owned(),
        ..Default::default()
    };
    let arm = |index: u32, start, end| v1::Arm {
        index,
        name: format!("arm {index}"),
        version: index + 1,
        ranges: vec![v1::SlotRange { start, end }],
        withdrawn: false,
    };
    let label = |label: &str, rollout| v1::LabelTarget {
        label: label.to_owned(),
        version: 1,
        rollout,
    };
    v1::Snapshot {
        config_version: Some(v1::ConfigVersion::default()),
        token_max_age_s: MAX_AGE_S,
        versions: vec![version(1), version(2)],
        prompts: vec![v1::Prompt {
            name: "greet".to_owned(),
            labels: vec![label("production", 9), label("stable", 0)],
        }],
        rollouts: vec![v1::Rollout {
            id: 9,
            unit_kind: "user".to_owned(),
            analysis_generation: 3,
            allocation_epoch: 5,
            arms: vec![arm(0, 500_000, 1_000_000), arm(1, 0, 500_000)],
            metrics: metrics(),
            ..Default::default()
        }],
        threshold_sets: vec![v1::ThresholdSet {
            id: 4,
            // 1 s lies in bucket 1275; above it are 1.0 s, and 1.1 s but not 1.0 s.
            buckets: vec![1270, 1280],
        }],
        prices: vec![v1::Price {
            model: "m".to_owned(),
            input_nanos_per_million: 1_000_000_000,
            output_nanos_per_million: 2_000_000_000,
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn snapshot() -> Snapshot {
    Snapshot::compile(&message(), &[3; 32]).unwrap()
}

fn served(snapshot: &Snapshot, change: impl FnOnce(&mut v1::ResolvePromptRequest)) -> Resolution {
    let mut request = v1::ResolvePromptRequest {
        prompt: "greet".to_owned(),
        unit: "ada".to_owned(),
        ..Default::default()
    };
    change(&mut request);
    let nonce = u64::from(request.unit.bytes().map(u32::from).sum::<u32>());
    resolve(snapshot, &request, NOW_S, nonce, &LocalState::default()).unwrap()
}

fn token(snapshot: &Snapshot, resolution: &Resolution) -> Token {
    snapshot
        .open_token(&resolution.response.token, NOW_S)
        .unwrap()
}

fn ok() -> v1::ReportOutcomeRequest {
    v1::ReportOutcomeRequest {
        status: v1::OutcomeStatus::Ok.into(),
        ..Default::default()
    }
}

/// The evidence of one report about one answer.
fn counted(report: &v1::ReportOutcomeRequest) -> Bundle {
    let snapshot = snapshot();
    let token = token(&snapshot, &served(&snapshot, |_| {}));
    let outcome = evaluate_report(&snapshot, &token, report).unwrap();
    let mut recorder = Recorder::new(Limits::default());
    assert_eq!(recorder.record(&outcome, NOW_S), Receipt::Counted);
    recorder.drain()
}

/// Count, sums and moments of a metric.
fn totals(bundle: &Bundle, metric: u32) -> Option<(u64, Vec<i128>, Vec<i128>)> {
    let (_, cell) = bundle.cells.iter().find(|(key, _)| key.metric == metric)?;
    let sums = (0..cell.shape().values()).map(|column| cell.sum(column));
    Some((cell.count(), sums.collect(), cell.moments().to_vec()))
}

fn missing(bundle: &Bundle, metric: u32) -> Option<Missing> {
    let mut keys = bundle.missing.keys();
    let key = keys.find(|key| key.metric == metric)?;
    Missing::try_from(key.missing).ok()
}

#[test]
fn a_full_report_is_counted_for_every_metric() {
    let report = v1::ReportOutcomeRequest {
        latency_us: Some(1_050_000),
        time_to_first_token_us: Some(100),
        input_tokens: Some(1000),
        output_tokens: Some(50),
        output: Some(r#"{"answer": 1}"#.to_owned()),
        scores: [
            ("refusal".to_owned(), 1.0),
            ("helpfulness".to_owned(), -0.25),
        ]
        .into(),
        ..ok()
    };
    let bundle = counted(&report);
    assert_eq!(totals(&bundle, 0), Some((1, vec![0], vec![])));
    assert_eq!(totals(&bundle, 1), Some((1, vec![0], vec![])));
    assert_eq!(totals(&bundle, 2), Some((1, vec![1, 0], vec![])));
    // 1,000 tokens at 1,000 nanos and 50 at 2,000.
    assert_eq!(
        totals(&bundle, 3),
        Some((1, vec![1_100_000], vec![1_100_000_i128.pow(2)]))
    );
    assert_eq!(totals(&bundle, 4), Some((1, vec![1], vec![])));
    assert_eq!(
        totals(&bundle, 5),
        Some((1, vec![-250_000], vec![250_000_i128.pow(2)]))
    );
    assert_eq!(
        totals(&bundle, 6),
        Some((1, vec![50, 1000], vec![2500, 1_000_000, 50_000]))
    );
    assert_eq!(totals(&bundle, 7), None, "no threshold set is in force");
    assert_eq!(missing(&bundle, 7), Some(Missing::NoThreshold));
    let histograms: Vec<&HistogramKey> = bundle.histograms.keys().collect();
    assert_eq!((histograms.len(), histograms[0].metric), (1, 2));
    assert_eq!(bundle.histograms[histograms[0]].sum(), 1_050_000);
    let thresholds: Vec<u32> = bundle.cells.keys().map(|key| key.threshold_set).collect();
    assert_eq!(
        thresholds.iter().sum::<u32>(),
        4,
        "only the exceedance metric has one"
    );
    let outcomes: Vec<_> = bundle.exposures.values().map(Exposures::totals).collect();
    assert_eq!(
        outcomes,
        [(0, 1)],
        "the exposure is counted where it was resolved"
    );
}

#[test]
fn what_is_not_reported_is_missing() {
    let bundle = counted(&ok());
    assert_eq!(totals(&bundle, 0), Some((1, vec![0], vec![])));
    for metric in 1..=7 {
        assert_eq!(
            missing(&bundle, metric),
            Some(Missing::NotReported),
            "metric {metric}"
        );
        assert_eq!(totals(&bundle, metric), None);
    }
}

#[test]
fn errors_count_but_cancellations_do_not() {
    let failed = |class: v1::ErrorClass| v1::ReportOutcomeRequest {
        status: v1::OutcomeStatus::Error.into(),
        error_class: class.into(),
        latency_us: Some(7),
        ..Default::default()
    };
    let error = counted(&failed(v1::ErrorClass::Timeout));
    assert_eq!(totals(&error, 0), Some((1, vec![1], vec![])));
    let unnamed = counted(&failed(v1::ErrorClass::Unspecified));
    assert_eq!(totals(&unnamed, 0), Some((1, vec![1], vec![])));
    let cancelled = counted(&failed(v1::ErrorClass::Cancelled));
    assert!(cancelled.cells.is_empty() && cancelled.missing.is_empty());
    assert_eq!(cancelled.exposures.len(), 1, "but the answer was not lost");
}

#[test]
fn an_unknown_price_is_missing_and_never_free() {
    let tokens = |model: &str| v1::ReportOutcomeRequest {
        model: model.to_owned(),
        input_tokens: Some(1),
        output_tokens: Some(1),
        ..ok()
    };
    assert_eq!(
        missing(&counted(&tokens("unheard of")), 3),
        Some(Missing::UnknownPrice)
    );
    assert_eq!(
        totals(&counted(&tokens("m")), 3).map(|cost| cost.1),
        Some(vec![3000])
    );
    let cost = |cost, currency: &str| v1::ReportOutcomeRequest {
        cost: Some(cost),
        currency: currency.to_owned(),
        ..ok()
    };
    assert_eq!(
        totals(&counted(&cost(0.01, "")), 3).map(|cost| cost.1),
        Some(vec![10_000_000])
    );
    assert_eq!(
        missing(&counted(&cost(0.01, "EUR")), 3),
        Some(Missing::UnknownPrice)
    );
    let capped = totals(&counted(&cost(9.0, "USD")), 3).map(|cost| cost.1);
    assert_eq!(capped, Some(vec![50_000_000]));
}

#[test]
fn outputs_are_checked_against_the_schema() {
    let snapshot = snapshot();
    let token = token(&snapshot, &served(&snapshot, |_| {}));
    let check = |output: &str| {
        let report = v1::ReportOutcomeRequest {
            output: Some(output.to_owned()),
            ..ok()
        };
        let outcome = evaluate_report(&snapshot, &token, &report).unwrap();
        let failures = totals(&counted(&report), 1).map(|cell| cell.1);
        (outcome.schema_verdict, outcome.failed, failures)
    };
    assert_eq!(
        check(r#"{"answer": 1}"#),
        (Verdict::Valid, Some(false), Some(vec![0]))
    );
    assert_eq!(
        check("Sure!"),
        (Verdict::NotJson, Some(true), Some(vec![1]))
    );
    assert_eq!(check("{}"), (Verdict::Invalid, Some(true), Some(vec![1])));
    let long = " ".repeat(300 * 1024);
    assert_eq!(check(&long), (Verdict::ValidatorError, Some(false), None));
    let report = v1::ReportOutcomeRequest {
        output: Some(long),
        ..ok()
    };
    assert_eq!(missing(&counted(&report), 1), Some(Missing::ValidatorError));
}

#[test]
fn wrong_values_refuse_the_report() {
    let snapshot = snapshot();
    let token = token(&snapshot, &served(&snapshot, |_| {}));
    let refused = |change: fn(&mut v1::ReportOutcomeRequest)| {
        let mut report = ok();
        change(&mut report);
        let reject = evaluate_report(&snapshot, &token, &report).unwrap_err();
        assert_eq!(reject.code, RejectCode::InvalidValue);
        reject.message
    };
    assert!(refused(|report| report.status = 0).starts_with("`status` is `0`"));
    assert!(refused(|report| report.status = 9).starts_with("`status` is `9`"));
    assert!(refused(|report| report.latency_us = Some(-1)).contains("`latency_us` is `-1`"));
    assert!(refused(|report| report.cached_input_tokens = Some(1)).contains("`input_tokens`"));
    assert!(refused(|report| report.cost = Some(f64::NAN)).contains("`cost`"));
    assert!(refused(|report| report.cost = Some(-0.1)).contains("`cost`"));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let report = v1::ReportOutcomeRequest {
            scores: [("anything".to_owned(), value)].into(),
            ..ok()
        };
        assert!(evaluate_report(&snapshot, &token, &report).is_err());
    }
    let flag = refused(|report| {
        report.scores.insert("refusal".to_owned(), 0.5);
    });
    assert_eq!(flag, "flag `refusal` is `0.5`: send 0 or 1");
    let score = refused(|report| {
        report.scores.insert("helpfulness".to_owned(), 1.01);
    });
    assert_eq!(
        score,
        "score `helpfulness` is `1.01`: it must lie within -1 and 1"
    );
    let many = refused(|report| {
        report.scores = (0..65).map(|number| (number.to_string(), 0.0)).collect();
    });
    assert!(many.contains("more than 64"), "{many}");
}

#[test]
fn a_score_for_no_metric_is_counted_as_refused_and_the_report_stands() {
    let report = v1::ReportOutcomeRequest {
        scores: [("unheard of".to_owned(), 3.0)].into(),
        ..ok()
    };
    let bundle = counted(&report);
    assert_eq!(bundle.losses.rejected, [(8, 1)].into());
    assert_eq!(totals(&bundle, 0), Some((1, vec![0], vec![])));
}

fn late(metric: &str, value: f64, scorer: &str) -> v1::ReportScoreRequest {
    v1::ReportScoreRequest {
        metric: metric.to_owned(),
        value,
        scorer: scorer.to_owned(),
        ..Default::default()
    }
}

#[test]
fn the_first_score_of_a_scorer_counts() {
    let snapshot = snapshot();
    let token = token(&snapshot, &served(&snapshot, |_| {}));
    let mut recorder = Recorder::new(Limits::default());
    let mut receive = |value, scorer| {
        let outcome = evaluate_score(&snapshot, &token, &late("helpfulness", value, scorer));
        recorder.record(&outcome.unwrap(), NOW_S)
    };
    assert_eq!(receive(0.5, "judge"), Receipt::Counted);
    assert_eq!(receive(0.9, "judge"), Receipt::Duplicate);
    assert_eq!(receive(1.0, "person"), Receipt::Counted);
    let totals = totals(&recorder.drain(), 5);
    assert_eq!(
        totals.map(|cell| (cell.0, cell.1)),
        Some((2, vec![1_500_000]))
    );
    let unknown = evaluate_score(&snapshot, &token, &late("latency_p95", 1.0, ""));
    assert_eq!(unknown.unwrap_err().code, RejectCode::UnknownMetric);
    let outside = evaluate_score(&snapshot, &token, &late("helpfulness", 2.0, ""));
    assert_eq!(outside.unwrap_err().code, RejectCode::InvalidValue);
}

#[test]
fn a_score_in_the_report_is_the_first_of_the_nameless_scorer() {
    let snapshot = snapshot();
    let token = token(&snapshot, &served(&snapshot, |_| {}));
    let mut recorder = Recorder::new(Limits::default());
    let report = v1::ReportOutcomeRequest {
        scores: [("helpfulness".to_owned(), 0.5)].into(),
        ..ok()
    };
    recorder.record(&evaluate_report(&snapshot, &token, &report).unwrap(), NOW_S);
    let score = evaluate_score(&snapshot, &token, &late("helpfulness", 0.1, "")).unwrap();
    assert_eq!(recorder.record(&score, NOW_S), Receipt::Duplicate);
}

#[test]
fn traffic_without_a_rollout_is_observed_by_the_built_in_metrics() {
    let snapshot = snapshot();
    let resolution = served(&snapshot, |request| request.label = "stable".to_owned());
    let report = v1::ReportOutcomeRequest {
        latency_us: Some(900),
        input_tokens: Some(10),
        output_tokens: Some(20),
        scores: [("helpfulness".to_owned(), 0.5)].into(),
        ..ok()
    };
    let mut recorder = Recorder::new(Limits::default());
    recorder.record_served(&resolution.served);
    let token = token(&snapshot, &resolution);
    recorder.record(&evaluate_report(&snapshot, &token, &report).unwrap(), NOW_S);
    let score = evaluate_score(&snapshot, &token, &late("helpfulness", 1.0, "judge")).unwrap();
    assert_eq!(
        recorder.record(&score, NOW_S),
        Receipt::Counted,
        "accepted, counts nowhere"
    );
    let bundle = recorder.drain();
    let name = |key: &CellKey| BUILT_IN_METRICS[key.metric as usize];
    let counted: Vec<&str> = bundle.cells.keys().map(name).collect();
    assert_eq!(
        counted,
        ["error", "latency", "input_tokens", "output_tokens", "cost"]
    );
    let mut keys = bundle.cells.keys();
    assert!(keys.all(|key| (key.rollout, key.generation, key.epoch, key.arm) == (0, 0, 1, 0)));
    assert!(bundle.losses.is_empty(), "scores are for rollouts");
    let exposures: Vec<(&ExposureKey, (u64, u64))> = bundle
        .exposures
        .iter()
        .map(|(key, cell)| (key, cell.totals()))
        .collect();
    assert_eq!(exposures.len(), 1);
    assert_eq!((exposures[0].0.epoch, exposures[0].1), (1, (1, 1)));
}
