//! The five comparisons and their inputs, which are the same for both sides.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Cursor;
use std::ops::Bound;

use pitcanary_core::assign;
use pitcanary_core::evaluate::schema::{OutputSchema, SchemaVerdict};
use pitcanary_core::segment::{Condition, Literal, Matcher, Value};
use pitcanary_core::sketch::Sketch;
use sketches_ddsketch::{Config, DDSketch};

use crate::measure::{Figure, against};

const SALT: &str = "rollout-7f3a9c2e51d04b";

/// XXH3 over the length-prefixed form, against flagd's hash over the joined text.
pub fn assign() -> Figure {
    let units: Vec<String> = (0..256)
        .map(|number| format!("c56a4180-65aa-42ec-a945-{number:012}"))
        .collect();
    let unit = |call: u32| units[call as usize % units.len()].as_str();
    against(
        "assign.slot_ns",
        "murmur3_32 of flagd",
        20_000,
        |call| {
            black_box(assign::slot(black_box(SALT), "user", black_box(unit(call))));
        },
        |call| {
            let mut joined = [0_u8; 58];
            joined[..22].copy_from_slice(black_box(SALT).as_bytes());
            joined[22..].copy_from_slice(black_box(unit(call)).as_bytes());
            let hash = murmur3::murmur3_32(&mut Cursor::new(&joined[..]), 0).expect("in memory");
            black_box((u64::from(hash) * 1_000_000) >> 32);
        },
    )
}

const RULE: &str = r#"{"and": [
    {"in": [{"var": "country"}, ["FR", "DE", "ES", "IT"]]},
    {"==": [{"var": "plan"}, "enterprise"]},
    {">=": [{"var": "age_days"}, 30]},
    {"starts_with": [{"var": "app_version"}, "2.4"]}
]}"#;

const ATTRIBUTES: &str = r#"{"tenant": "acme", "country": "ES", "plan": "enterprise",
    "age_days": 412, "app_version": "2.4.1"}"#;

fn conditions() -> Condition {
    let name = str::to_owned;
    let text = |value: &str| Literal::Text(value.to_owned());
    Condition::All(vec![
        Condition::In {
            attribute: name("country"),
            values: ["FR", "DE", "ES", "IT"].map(text).into(),
        },
        Condition::Equals {
            attribute: name("plan"),
            value: text("enterprise"),
        },
        Condition::Range {
            attribute: name("age_days"),
            lower: Bound::Included(30.0),
            upper: Bound::Unbounded,
        },
        Condition::Prefix {
            attribute: name("app_version"),
            text: name("2.4"),
        },
    ])
}

/// Four conditions over five attributes that all hold, both sides compiled and parsed.
pub fn segment() -> Figure {
    let matcher = Matcher::compile(&conditions(), &BTreeMap::new()).expect("valid");
    let attributes = [
        ("tenant", Value::Text("acme")),
        ("country", Value::Text("ES")),
        ("plan", Value::Text("enterprise")),
        ("age_days", Value::Number(412.0)),
        ("app_version", Value::Text("2.4.1")),
    ];
    assert!(matcher.matches(attributes.as_slice()));
    let engine = datalogic_rs::Engine::new();
    let rule = engine.compile(RULE).expect("valid");
    let data = datalogic_rs::ParsedData::from_json(ATTRIBUTES).expect("valid");
    let mut session = engine.session();
    let result = session.eval_borrowed(&rule, &data).expect("evaluates");
    assert_eq!(result.as_bool(), Some(true));
    against(
        "segment.four_conditions_ns",
        "datalogic-rs 5.4.0",
        20_000,
        |_| {
            black_box(matcher.matches(black_box(attributes.as_slice())));
        },
        move |_| {
            session.reset();
            black_box(session.eval_borrowed(&rule, black_box(&data)).is_ok());
        },
    )
}

const SCHEMA: &str = include_str!("../data/schema.json");
const OUTPUT: &str = include_str!("../data/output.json");

/// Parse and check an answer of 1 KiB with nested objects, patterns and enums.
pub fn schema() -> Figure {
    let ours = OutputSchema::publish(SCHEMA).expect("publishable");
    assert_eq!(ours.check(OUTPUT), SchemaVerdict::Valid);
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let parsed = serde_json::from_str(SCHEMA).expect("JSON");
    compiler.add_resource("mem:///schema", parsed).expect("new");
    let index = compiler
        .compile("mem:///schema", &mut schemas)
        .expect("valid");
    against(
        "schema.check_1kib_ns",
        "serde_json + boon 0.6",
        2_000,
        |_| {
            black_box(ours.check(black_box(OUTPUT)));
        },
        |_| {
            let value: serde_json::Value = serde_json::from_str(black_box(OUTPUT)).expect("JSON");
            assert!(schemas.validate(black_box(&value), index).is_ok());
        },
    )
}

/// Latencies in microseconds spread over a realistic range, the same on every run.
fn latencies(seed: u64) -> Vec<u64> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    (0..4_096)
        .map(|_| {
            let normal = (0..12).map(|_| next()).sum::<f64>() - 6.0;
            (800_000_f64.ln() + 0.6 * normal).exp() as u64
        })
        .collect()
}

fn ddsketch(values: &[u64]) -> DDSketch {
    // The accuracy of scale 6, and bins enough never to collapse.
    let mut sketch = DDSketch::new(Config::new(0.005_416, 4_096, 1e-9));
    values.iter().for_each(|value| sketch.add(*value as f64));
    sketch
}

fn sketch(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        sketch.insert(*value).expect("few");
    }
    sketch
}

pub fn sketch_insert() -> Figure {
    let values = latencies(1);
    let (mut ours, mut theirs) = (sketch(&values), ddsketch(&values));
    let value = |call: u32| values[call as usize % values.len()];
    against(
        "sketch.insert_ns",
        "sketches-ddsketch 0.4",
        40_000,
        |call| ours.insert(black_box(value(call))).expect("few"),
        |call| theirs.add(black_box(value(call)) as f64),
    )
}

pub fn sketch_merge() -> Figure {
    let (left, right) = (latencies(1), latencies(2));
    let (mut ours, other) = (sketch(&left), sketch(&right));
    let (mut theirs, their_other) = (ddsketch(&left), ddsketch(&right));
    against(
        "sketch.merge_ns",
        "sketches-ddsketch 0.4",
        2_000,
        |_| ours.merge(black_box(&other)).expect("few"),
        |_| {
            theirs
                .merge(black_box(&their_other))
                .expect("same accuracy")
        },
    )
}
