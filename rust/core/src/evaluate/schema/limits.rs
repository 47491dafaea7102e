//! The limits on texts, before any of them reaches the schema engine.

use serde_json::Value;

use super::SchemaError;

/// The longest schema, in bytes.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;

/// The deepest nesting of arrays and objects in a schema.
pub const MAX_DEPTH: usize = 64;

/// The most parts of a schema with references followed.
pub const MAX_PATHS: usize = 10_000;

/// The longest chain of subschemas and references.
pub const MAX_REFERENCE_DEPTH: usize = 256;

/// The most `pattern`s and `patternProperties` of a schema.
pub const MAX_PATTERNS: usize = 128;

/// The longest output that is checked, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 256 * 1024;

/// Reads a schema within the limits on bytes and nesting.
pub(super) fn parse(text: &str) -> Result<Value, SchemaError> {
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(SchemaError::TooLarge(text.len()));
    }
    let schema = serde_json::from_str(text).map_err(|error| {
        if is_ours(&error) {
            return SchemaError::TooDeep;
        }
        SchemaError::NotJson {
            line: error.line(),
            column: error.column(),
        }
    })?;
    if deeper_than(&schema, MAX_DEPTH) {
        return Err(SchemaError::TooDeep);
    }
    Ok(schema)
}

/// Tells whether the parser gave up on valid JSON: nested too deep for it, or a number
/// beyond a double. A test pins the two messages, which have no kind of their own.
pub(super) fn is_ours(error: &serde_json::Error) -> bool {
    let message = error.to_string();
    message.starts_with("recursion limit exceeded") || message.starts_with("number out of range")
}

/// The recursion is bounded by the parser's own limit of 127 levels.
fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => {
            levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1))
        }
        Value::Object(fields) => {
            levels == 0 || fields.values().any(|field| deeper_than(field, levels - 1))
        }
        _ => false,
    }
}
