//! What a configuration is refused for, and what the refusal says.

use super::*;

fn version(id: u32, name: &str) -> v1::Version {
    v1::Version {
        id,
        r#ref: Some(v1::VersionRef {
            name: name.to_owned(),
            number: id,
            digest: String::new(),
        }),
        content: Some(v1::version::Content::Text("confidential".to_owned())),
        ..Default::default()
    }
}

fn arm(index: u32, version: u32, start: u32, end: u32) -> v1::Arm {
    v1::Arm {
        index,
        name: format!("arm {index}"),
        version,
        ranges: vec![v1::SlotRange { start, end }],
        withdrawn: false,
    }
}

fn metric(id: u32, kind: v1::MetricKind, source: v1::MetricSource) -> v1::MetricConfig {
    v1::MetricConfig {
        id,
        name: format!("metric {id}"),
        kind: kind.into(),
        source: source.into(),
        ..Default::default()
    }
}

fn valid() -> v1::Snapshot {
    v1::Snapshot {
        config_version: Some(v1::ConfigVersion {
            store_incarnation: 1,
            revision: 2,
        }),
        versions: vec![
            version(1, "greet"),
            version(2, "greet"),
            version(3, "other"),
        ],
        prompts: vec![v1::Prompt {
            name: "greet".to_owned(),
            labels: vec![v1::LabelTarget {
                label: "production".to_owned(),
                version: 1,
                rollout: 7,
            }],
        }],
        rollouts: vec![v1::Rollout {
            id: 7,
            unit_kind: "user".to_owned(),
            arms: vec![arm(0, 1, 100, 1_000_000), arm(1, 2, 0, 100)],
            metrics: vec![metric(0, v1::MetricKind::Rate, v1::MetricSource::Error)],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The refusal of the valid configuration after a change.
fn refusal(change: impl FnOnce(&mut v1::Snapshot)) -> String {
    let mut message = valid();
    change(&mut message);
    let refused = Snapshot::compile(&message, &[0; 32]).unwrap_err();
    let text = refused.to_string();
    assert!(!text.contains("confidential"), "prompt text in `{text}`");
    text
}

#[test]
fn a_valid_configuration_is_served() {
    let snapshot = Snapshot::compile(&valid(), &[0; 32]).unwrap();
    assert_eq!(
        snapshot.config_version(),
        ConfigVersion {
            store_incarnation: 1,
            revision: 2
        }
    );
    assert_eq!(snapshot.prompts().collect::<Vec<_>>(), ["greet"]);
    assert_eq!(snapshot.rollouts().collect::<Vec<_>>(), [(7, 0)]);
    assert_eq!(snapshot.breaker(), None);
}

#[test]
fn a_sidecar_refuses_what_it_does_not_understand() {
    let text = refusal(|message| message.required_capabilities = vec!["telepathy".to_owned()]);
    assert_eq!(
        text,
        "snapshot: capability `telepathy` is required, which this sidecar lacks: upgrade it"
    );
}

#[test]
fn every_reference_must_lead_somewhere() {
    let label = refusal(|message| message.prompts[0].labels[0].version = 9);
    assert_eq!(
        label,
        "prompt `greet`: version `9` is not in the configuration"
    );
    let rollout = refusal(|message| message.prompts[0].labels[0].rollout = 9);
    assert_eq!(
        rollout,
        "prompt `greet`: rollout `9` is not in the configuration"
    );
    let arm = refusal(|message| message.rollouts[0].arms[1].version = 9);
    assert_eq!(arm, "rollout 7: version `9` is not in the configuration");
    let segment = refusal(|message| message.rollouts[0].eligible = "nobody".to_owned());
    assert_eq!(
        segment,
        "rollout 7: segment `nobody` is not in the configuration"
    );
    let prompt = refusal(|message| message.rollouts[0].arms[1].version = 3);
    assert_eq!(
        prompt,
        "prompt `greet`: version of this prompt `3` is not in the configuration"
    );
}

#[test]
fn arms_must_be_dense_and_disjoint() {
    let overlap = refusal(|message| message.rollouts[0].arms[1].ranges[0].end = 101);
    assert_eq!(
        overlap,
        "rollout 7: arms `1` and `0` both claim slot `100`: ranges must be disjoint"
    );
    let gap = refusal(|message| message.rollouts[0].arms[1].index = 2);
    assert_eq!(
        gap,
        "rollout 7: its arms must be numbered 0, 1, 2 … below 16, each once"
    );
    let none = refusal(|message| message.rollouts[0].arms.clear());
    assert_eq!(none, gap);
    let baseline = refusal(|message| message.rollouts[0].arms[0].withdrawn = true);
    assert_eq!(baseline, "rollout 7: its baseline cannot be withdrawn");
}

#[test]
fn segments_must_not_contain_themselves() {
    let segment = |id, name: &str, of: &str| v1::Segment {
        id,
        name: name.to_owned(),
        condition: Some(v1::Condition {
            test: Some(v1::condition::Test::Segment(of.to_owned())),
        }),
    };
    let cycle = refusal(|message| {
        message.segments = vec![segment(0, "a", "b"), segment(1, "b", "a")];
    });
    assert!(
        cycle.starts_with("segment `a`: ") && cycle.contains("contains itself"),
        "{cycle}"
    );
    let id = refusal(|message| message.segments = vec![segment(16, "a", "b")]);
    assert_eq!(id, "segment `a`: its id must be below 16");
}

#[test]
fn a_metric_must_be_able_to_count_its_source() {
    let refused = |kind, source| {
        refusal(|message| message.rollouts[0].metrics = vec![metric(4, kind, source)])
    };
    let events = "rollout 7, metric 4: the metric cannot be counted: a rate needs events, and events need a rate";
    assert_eq!(
        refused(v1::MetricKind::Rate, v1::MetricSource::Latency),
        events
    );
    assert_eq!(
        refused(v1::MetricKind::Mean, v1::MetricSource::Error),
        events
    );
    let ratio = refused(v1::MetricKind::Ratio, v1::MetricSource::OutputTokens);
    assert_eq!(ratio, "rollout 7, metric 4: `denominator` is missing");
    let threshold = refusal(|message| {
        let mut latency = metric(4, v1::MetricKind::Exceedance, v1::MetricSource::Latency);
        latency.threshold_set = 3;
        message.rollouts[0].metrics = vec![latency];
    });
    assert_eq!(
        threshold,
        "rollout 7, metric 4: threshold set `3` is not in the configuration"
    );
    let negative = refusal(|message| {
        let mut score = metric(4, v1::MetricKind::Mean, v1::MetricSource::Score);
        (score.minimum, score.maximum, score.histogram) = (-1, 1, true);
        message.rollouts[0].metrics = vec![score];
    });
    assert!(
        negative.contains("a score below 0 has no histogram"),
        "{negative}"
    );
}

#[test]
fn templates_schemas_prices_and_keys_are_checked() {
    let template = refusal(|message| {
        let text = "{{ confidential".to_owned();
        message.versions[2].content = Some(v1::version::Content::Text(text));
    });
    assert!(
        template.starts_with("version 3: line 1 of the template"),
        "{template}"
    );
    let schema = refusal(|message| {
        message.versions[2].output_schema_json = r#"{"$ref": "https://example.com"}"#.to_owned();
    });
    assert!(
        schema.starts_with("version 3: `") && schema.contains("never fetched"),
        "{schema}"
    );
    let price = |model: &str, currency: &str| v1::Price {
        model: model.to_owned(),
        currency: currency.to_owned(),
        ..Default::default()
    };
    let currencies = refusal(|message| message.prices = vec![price("a", ""), price("b", "EUR")]);
    assert_eq!(currencies, "prices: all prices must be in one currency");
    let key = refusal(|message| {
        message.token_keys = vec![v1::TokenKey {
            key_id: 1,
            secret: vec![0; 31].into(),
        }];
    });
    assert_eq!(
        key,
        "token key 1: its id must be below 256, its secret 32 bytes"
    );
}

#[test]
fn without_keys_a_sidecar_signs_with_its_own() {
    let own = Snapshot::compile(&valid(), &[5; 32]).unwrap();
    assert_eq!(own.issuing_key().id(), LOCAL_KEY_ID);
    let mut message = valid();
    message.token_keys = vec![v1::TokenKey {
        key_id: 1,
        secret: vec![1; 32].into(),
    }];
    message.issuing_key = 1;
    let keyed = Snapshot::compile(&message, &[5; 32]).unwrap();
    assert_eq!(keyed.issuing_key().id(), 1);
    assert!(
        keyed.keys().get(LOCAL_KEY_ID).is_some(),
        "its earlier tokens stay readable"
    );
    message.issuing_key = 2;
    assert!(Snapshot::compile(&message, &[5; 32]).is_err());
}

#[test]
fn costs_round_and_charge_cached_tokens_apart() {
    let price = v1::Price {
        model: "m".to_owned(),
        input_nanos_per_million: 3_000_000_000,
        output_nanos_per_million: 15_000_000_000,
        cached_input_nanos_per_million: Some(300_000_000),
        currency: String::new(),
    };
    let table = PriceTable::compile(&[price]).unwrap();
    let usage = Usage {
        input: 1_000,
        cached_input: 400,
        output: 10,
    };
    // 600 × 3,000 + 400 × 300 + 10 × 15,000 nanos.
    assert_eq!(table.cost_nanos("m", usage), Some(2_070_000));
    assert_eq!(table.cost_nanos("n", usage), None);
    assert!(table.is_currency("") && table.is_currency("USD") && !table.is_currency("EUR"));
}
