//! The variables of a request as the JSON values that templates take.

use prost_types::value::Kind;
use prost_types::{Struct, Value as Wire};
use serde_json::{Map, Number, Value};

/// The recursion is as deep as the message, which decoding bounds.
pub(super) fn of(variables: &Struct) -> Map<String, Value> {
    let entries = variables.fields.iter();
    entries
        .map(|(name, value)| (name.clone(), json(value)))
        .collect()
}

/// NaN and the infinities, which JSON does not have, become null.
fn json(value: &Wire) -> Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::NumberValue(number)) => {
            Number::from_f64(*number).map_or(Value::Null, Value::Number)
        }
        Some(Kind::StringValue(text)) => Value::String(text.clone()),
        Some(Kind::BoolValue(boolean)) => Value::Bool(*boolean),
        Some(Kind::StructValue(object)) => Value::Object(of(object)),
        Some(Kind::ListValue(list)) => Value::Array(list.values.iter().map(json).collect()),
    }
}
