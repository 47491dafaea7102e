//! Runs the JSON Schema test suite through the publish policy, optional parts included.
//!
//! Every test of a published schema must agree; schemas that the policy refuses are
//! listed by reason, and only reasons of policy are accepted.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pitcanary_core::evaluate::schema::{Formats, OutputSchema, SchemaError, SchemaVerdict};
use serde::Deserialize;
use serde_json::{Value, json};

const DRAFTS: [(&str, &str); 3] = [
    ("draft7", "http://json-schema.org/draft-07/schema#"),
    (
        "draft2019-09",
        "https://json-schema.org/draft/2019-09/schema",
    ),
    (
        "draft2020-12",
        "https://json-schema.org/draft/2020-12/schema",
    ),
];

#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Value,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Value,
    valid: bool,
}

#[derive(Default)]
struct Tally {
    ran: usize,
    failures: Vec<String>,
    refused: BTreeMap<&'static str, Vec<String>>,
    refused_tests: usize,
}

impl Tally {
    fn group(&mut self, file: &str, draft: &str, group: Group) {
        let name = format!("{file}: {}", group.description);
        let formats = if file.contains("optional/format") {
            Formats::Checked
        } else {
            Formats::ByDraft
        };
        let text = with_draft(group.schema, draft).to_string();
        let schema = match OutputSchema::publish_with(&text, formats) {
            Ok(schema) => schema,
            Err(error) => {
                self.refused_tests += group.tests.len();
                match policy(&error) {
                    Some(reason) => self.refused.entry(reason).or_default().push(name),
                    None => self.failures.push(format!("{name}: {error}")),
                }
                return;
            }
        };
        for case in group.tests {
            self.ran += 1;
            let verdict = schema.check(&case.data.to_string());
            let agrees = match verdict {
                SchemaVerdict::Valid => case.valid,
                SchemaVerdict::Invalid { .. } => !case.valid,
                _ => false,
            };
            if !agrees {
                self.failures
                    .push(format!("{name}: {}: {verdict:?}", case.description));
            }
        }
    }
}

/// The suite runs each file under its folder's draft.
fn with_draft(mut schema: Value, draft: &str) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.entry("$schema").or_insert_with(|| json!(draft));
    }
    schema
}

/// The reason of policy, or `None` where a refusal is a failure.
fn policy(error: &SchemaError) -> Option<&'static str> {
    match error {
        SchemaError::RemoteReference { .. } => Some("refers to another document"),
        SchemaError::UnsupportedDraft { .. } => Some("names a meta-schema of its own"),
        SchemaError::Pattern { .. } => Some("pattern is not linear"),
        _ => None,
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_suite_passes_but_for_the_policy() {
    let Some(folder) = common::data_folder("json_schema_test_suite") else {
        return;
    };
    let mut tally = Tally::default();
    for (name, draft) in DRAFTS {
        let root = folder.join("tests").join(name);
        let mut found = Vec::new();
        files(&root, &mut found);
        found.sort();
        for path in found {
            let file = format!("{name}/{}", path.strip_prefix(&root).unwrap().display());
            let text = std::fs::read_to_string(&path).unwrap();
            for group in serde_json::from_str::<Vec<Group>>(&text).unwrap() {
                tally.group(&file, draft, group);
            }
        }
    }
    eprintln!(
        "{} tests ran, {} belong to refused schemas",
        tally.ran, tally.refused_tests
    );
    for (reason, schemas) in &tally.refused {
        eprintln!("{} schemas refused: {reason}", schemas.len());
        for schema in schemas {
            eprintln!("  {schema}");
        }
    }
    assert_eq!(tally.ran + tally.refused_tests, 6_120);
    assert!(tally.failures.is_empty(), "{:#?}", tally.failures);
}
