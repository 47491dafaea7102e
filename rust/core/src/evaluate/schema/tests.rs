//! The publish policy rule by rule, and what a check says of an output.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn publish(schema: &Value) -> Result<OutputSchema, SchemaError> {
    OutputSchema::publish(&schema.to_string())
}

fn refusal(schema: &Value) -> SchemaError {
    publish(schema).unwrap_err()
}

/// Definitions that each refer twice to the one before.
fn doubling(levels: usize) -> Value {
    let mut definitions = Map::new();
    definitions.insert("d0".to_owned(), json!({"type": "string"}));
    for level in 1..=levels {
        let reference = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        definitions.insert(
            format!("d{level}"),
            json!({"anyOf": [reference, reference]}),
        );
    }
    json!({"$ref": format!("#/$defs/d{levels}"), "$defs": definitions})
}

#[test]
fn the_doubling_bomb_is_refused() {
    for levels in [14, 20, 40, 400] {
        assert_eq!(
            refusal(&doubling(levels)),
            if levels < 400 {
                SchemaError::TooManyPaths
            } else {
                SchemaError::ReferencesTooDeep
            }
        );
    }
    assert_eq!(
        publish(&doubling(10)).unwrap().check("1"),
        SchemaVerdict::Invalid {
            kind: InvalidKind::Combination
        }
    );
}

#[test]
fn other_keywords_double_too() {
    for keyword in ["allOf", "oneOf"] {
        let text = doubling(20).to_string().replace("anyOf", keyword);
        let error = OutputSchema::publish(&text).unwrap_err();
        assert_eq!(error, SchemaError::TooManyPaths, "{keyword}");
    }
    let conditional = doubling(20).to_string();
    let conditional = conditional.replace("\"anyOf\":[", "\"if\":true,\"then\":{\"anyOf\":[");
    let conditional = conditional.replace("}]", "}]}");
    let error = OutputSchema::publish(&conditional).unwrap_err();
    assert_eq!(error, SchemaError::TooManyPaths);
}

#[test]
fn recursion_is_allowed_and_decided_quickly() {
    let tree = json!({
        "$defs": {"node": {"type": "object", "required": ["value"], "properties": {
            "value": {"type": "integer"}, "left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}
        }}},
        "$ref": "#/$defs/node"
    });
    let schema = publish(&tree).unwrap();
    assert_eq!(
        schema.check(r#"{"value": 1, "left": {"value": 2}}"#),
        SchemaVerdict::Valid
    );
    assert_eq!(
        schema.check(r#"{"value": 1, "left": {}}"#),
        SchemaVerdict::Invalid {
            kind: InvalidKind::Unspecified
        }
    );
    // 2^100 ways through this one; it must still end.
    for reference in ["$ref", "$dynamicRef"] {
        let target = if reference == "$ref" { "#" } else { "#n" };
        let twice = json!({"items": {reference: target}});
        let bomb = json!({"$dynamicAnchor": "n", "type": "array", "anyOf": [twice, twice]});
        let output = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let verdict = publish(&bomb).unwrap().check(&output);
        assert!(matches!(verdict, SchemaVerdict::Invalid { .. }));
    }
}

#[test]
fn a_reference_to_itself_ends() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ] {
        assert_eq!(publish(&schema).unwrap().check("1"), SchemaVerdict::Valid);
    }
}

#[test]
fn references_never_leave_the_document() {
    for target in [
        "file:///etc/passwd",
        "http://example.com/x",
        "https://example.com/x#/a",
        "other.json",
        "urn:x:y",
    ] {
        for schema in [
            json!({"$ref": target}),
            json!({"$defs": {"unused": {"$ref": target}}}),
            json!({"properties": {"a": {"items": {"$ref": target}}}}),
        ] {
            let error = refusal(&schema);
            assert!(
                matches!(error, SchemaError::RemoteReference { .. }),
                "{target}: {error}"
            );
        }
    }
}

#[test]
fn each_rule_has_its_own_refusal() {
    let draft4 = json!({"$schema": "http://json-schema.org/draft-04/schema#"});
    let own = json!({"$schema": "http://example.com/own"});
    let patterns: Map<String, Value> = (0..=MAX_PATTERNS)
        .map(|i| (format!("^{i}"), json!({})))
        .collect();
    let lookahead = json!({"properties": {"a": {"pattern": "(?=x)"}}});
    let cases = [
        (json!([]), "Invalid"),
        (json!(1), "Invalid"),
        (json!({"type": "strin"}), "Invalid"),
        (draft4.clone(), "UnsupportedDraft"),
        (own, "UnsupportedDraft"),
        (json!({"$defs": {"a": draft4}}), "UnsupportedDraft"),
        (json!({"$ref": "#/nowhere"}), "BadReference"),
        (json!({"$ref": "#nowhere"}), "BadReference"),
        (json!({"patternProperties": patterns}), "TooManyPatterns"),
        (lookahead, "Pattern"),
        (json!({"pattern": "("}), "Pattern"),
        (json!({"pattern": "(a)\\1"}), "Pattern"),
        (json!({"pattern": "((a{100}){100}){100}"}), "Pattern"),
        (json!({"patternProperties": {"(?<!x)y": {}}}), "Pattern"),
    ];
    for (schema, expected) in cases {
        let error = format!("{:?}", refusal(&schema));
        assert!(error.starts_with(expected), "{schema:.80}: {error}");
    }
}

#[test]
fn texts_are_bounded() {
    let deep = |levels| {
        format!(
            "{}{}{}",
            r#"{"not":"#.repeat(levels),
            "{}",
            "}".repeat(levels)
        )
    };
    assert!(OutputSchema::publish(&deep(MAX_DEPTH - 1)).is_ok());
    for levels in [MAX_DEPTH, 126, 500, 5_000] {
        assert_eq!(
            OutputSchema::publish(&deep(levels)).unwrap_err(),
            SchemaError::TooDeep
        );
    }
    let long = format!("{{\"title\":\"{}\"}}", "x".repeat(MAX_SCHEMA_BYTES));
    assert_eq!(
        OutputSchema::publish(&long).unwrap_err(),
        SchemaError::TooLarge(long.len())
    );
    let error = OutputSchema::publish("{\n  \"type\": }").unwrap_err();
    assert_eq!(
        error,
        SchemaError::NotJson {
            line: 2,
            column: 11
        }
    );
}

#[test]
fn a_check_names_the_kind() {
    let schema = publish(&json!({
        "type": "object",
        "required": ["answer"],
        "additionalProperties": false,
        "properties": {
            "answer": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
            "score": {"type": "number", "maximum": 1},
            "tags": {"type": "array", "uniqueItems": true, "items": {"enum": ["a", "b"]}},
            "choice": {"anyOf": [{"type": "null"}, {"type": "integer"}]}
        }
    }))
    .unwrap();
    let cases = [
        ("[]", InvalidKind::Type),
        ("{}", InvalidKind::Required),
        (r#"{"answer": "a", "more": 1}"#, InvalidKind::Properties),
        (r#"{"answer": "abcdef"}"#, InvalidKind::Length),
        (r#"{"answer": "A"}"#, InvalidKind::Pattern),
        (r#"{"answer": "a", "score": 1.5}"#, InvalidKind::Number),
        (r#"{"answer": "a", "tags": ["c"]}"#, InvalidKind::Values),
        (r#"{"answer": "a", "tags": ["a", "a"]}"#, InvalidKind::Items),
        (
            r#"{"answer": "a", "choice": "1"}"#,
            InvalidKind::Combination,
        ),
    ];
    for (output, kind) in cases {
        assert_eq!(
            schema.check(output),
            SchemaVerdict::Invalid { kind },
            "{output}"
        );
    }
    let long = format!("{{\"answer\": \"{}\"}}", "x".repeat(MAX_KIND_WORK));
    let kind = InvalidKind::Unspecified;
    assert_eq!(schema.check(&long), SchemaVerdict::Invalid { kind });
}

#[test]
fn what_is_not_json_is_said_so() {
    let schema = publish(&json!(true)).unwrap();
    for output in [
        "",
        " ",
        "Sure!",
        "{",
        "{\"a\":1,}",
        "```json\n{}\n```",
        "NaN",
        "'a'",
        "1 2",
        "\u{feff}1",
    ] {
        assert_eq!(schema.check(output), SchemaVerdict::NotJson, "{output:?}");
    }
}

#[test]
fn our_own_limits_are_never_the_outputs_failure() {
    let schema = publish(&json!(false)).unwrap();
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let long = format!("\"{}\"", "x".repeat(MAX_OUTPUT_BYTES));
    for output in [deep.as_str(), "1e400", &long] {
        assert_eq!(
            schema.check(output),
            SchemaVerdict::ValidatorError,
            "{output:.20}"
        );
    }
    let expanded = publish(&doubling(11)).unwrap();
    let output = format!("[{}]", "1,".repeat(9_000) + "1");
    assert_eq!(expanded.check(&output), SchemaVerdict::ValidatorError);
}

#[test]
fn formats_are_noted_or_checked() {
    let schema = json!({"format": "date"}).to_string();
    let noted = OutputSchema::publish(&schema).unwrap();
    assert_eq!(noted.check("\"soon\""), SchemaVerdict::Valid);
    let checked = OutputSchema::publish_with(&schema, Formats::Checked).unwrap();
    let kind = InvalidKind::Format;
    assert_eq!(checked.check("\"soon\""), SchemaVerdict::Invalid { kind });
    assert_eq!(checked.check("\"2026-11-23\""), SchemaVerdict::Valid);
}

#[test]
fn a_schema_may_describe_schemas() {
    let meta = json!({"$ref": "https://json-schema.org/draft/2020-12/schema"});
    let schema = publish(&meta).unwrap();
    assert_eq!(schema.check(r#"{"type": "string"}"#), SchemaVerdict::Valid);
    assert!(matches!(
        schema.check(r#"{"type": 1}"#),
        SchemaVerdict::Invalid { .. }
    ));
}

proptest! {
    #[test]
    fn no_output_text_shows(secret in "[a-z]{12,20}") {
        let schema = publish(&json!({"type": "object", "additionalProperties": {"const": 1}})).unwrap();
        for output in [format!("\"{secret}\""), format!("{{\"{secret}\":0}}"), format!("{{\"a\":\"{secret}\"}}"), secret.clone()] {
            let verdict = format!("{:?}", schema.check(&output));
            prop_assert!(!verdict.contains(&secret), "{}", verdict);
        }
    }

    #[test]
    fn any_text_is_judged(output: String) {
        let schema = publish(&json!({"type": "object"})).unwrap();
        let json = serde_json::from_str::<Value>(&output).is_ok();
        prop_assert_eq!(schema.check(&output) == SchemaVerdict::NotJson, !json);
    }

    #[test]
    fn any_schema_text_is_published_or_refused(
        text in r##"(\{|\}|\[|\]|:|,|"\$ref"|"#"|"\$defs"|"a"|"#/\$defs/a"|"anyOf"|"items"|1|true|"type"){0,24}"##
    ) {
        if let Ok(schema) = OutputSchema::publish(&text) {
            let _ = schema.check("[[1],{\"a\":2}]");
        }
    }
}
