//! The publish policy and the engine judge as the shared vectors say.
//!
//! Python reads the same file with its own build of the engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pitcanary_core::evaluate::schema::{OutputSchema, SchemaError, SchemaVerdict};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Vectors {
    agree: Vec<Agree>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Agree {
    name: String,
    schema: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    instance: Value,
    valid: bool,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    schema: Value,
    rule: String,
}

fn vectors() -> Vectors {
    let text = include_str!("../../../tests/vectors/schema_agreement.json");
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_instance_is_judged_as_written() {
    for vector in vectors().agree {
        let schema = OutputSchema::publish(&vector.schema.to_string()).unwrap();
        for case in vector.cases {
            let verdict = schema.check(&case.instance.to_string());
            let agrees = match verdict {
                SchemaVerdict::Valid => case.valid,
                SchemaVerdict::Invalid { .. } => !case.valid,
                _ => false,
            };
            assert!(agrees, "{}: {}: {verdict:?}", vector.name, case.instance);
        }
    }
}

#[test]
fn every_refused_schema_is_refused_by_its_rule() {
    for vector in vectors().refused {
        let error = OutputSchema::publish(&vector.schema.to_string()).unwrap_err();
        assert_eq!(rule(&error), vector.rule, "{}: {error}", vector.name);
    }
}

fn rule(error: &SchemaError) -> &'static str {
    match error {
        SchemaError::TooLarge(_) => "too_large",
        SchemaError::TooDeep => "too_deep",
        SchemaError::UnsupportedDraft { .. } => "unsupported_draft",
        SchemaError::RemoteReference { .. } => "remote_reference",
        SchemaError::BadReference { .. } => "bad_reference",
        SchemaError::TooManyPaths => "too_many_paths",
        SchemaError::Pattern { .. } => "pattern",
        SchemaError::Invalid { .. } => "invalid",
        _ => "another",
    }
}
