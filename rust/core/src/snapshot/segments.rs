//! The named conditions of a configuration, compiled, with their bits in the token.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::error::{At, SnapshotError, SnapshotErrorKind, unknown};
use crate::segment::{Attributes, Condition, Literal, Matcher, Value};
use crate::v1;

/// Bits in a token's segment mask.
const MASK_BITS: u32 = 16;

/// A compiled segment and its bit in the token.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    bit: u16,
    matcher: Matcher,
}

impl Segment {
    /// The segment's bit where the attributes match, else 0.
    pub(crate) fn test(&self, attributes: &BTreeMap<String, v1::AttributeValue>) -> u16 {
        let matches = self.matcher.matches(&RequestAttributes(attributes));
        if matches { self.bit } else { 0 }
    }

    /// The segment's bit in the token's mask.
    pub(crate) const fn bit(&self) -> u16 {
        self.bit
    }
}

/// Compiled segments by name.
pub(super) type Segments = BTreeMap<String, Segment>;

/// Compiles all segments; each may use any other, but not itself.
pub(super) fn compile(messages: &[v1::Segment]) -> Result<Segments, SnapshotError> {
    let mut named = BTreeMap::new();
    let mut bits = BTreeMap::new();
    for message in messages {
        let place = format!("segment `{}`", message.name);
        if message.id >= MASK_BITS {
            return Err(SnapshotErrorKind::OutOfRange("its id must be below 16").at(place));
        }
        let condition = message.condition.as_ref();
        let condition = condition
            .ok_or(SnapshotErrorKind::Missing("condition"))
            .and_then(condition_of)
            .at(&place)?;
        if named.insert(message.name.clone(), condition).is_some() {
            return Err(SnapshotErrorKind::Duplicate(message.name.clone()).at("segments"));
        }
        if bits.insert(message.id, message.name.as_str()).is_some() {
            return Err(SnapshotErrorKind::Duplicate(format!("id {}", message.id)).at("segments"));
        }
    }
    let mut segments = Segments::new();
    for (id, name) in bits {
        let matcher = named
            .get(name)
            .ok_or_else(|| unknown("segment", name))
            .and_then(|condition| Ok(Matcher::compile(condition, &named)?))
            .at(format!("segment `{name}`"))?;
        segments.insert(
            name.to_owned(),
            Segment {
                bit: 1 << id,
                matcher,
            },
        );
    }
    Ok(segments)
}

fn condition_of(message: &v1::Condition) -> Result<Condition, SnapshotErrorKind> {
    use v1::condition::Test;
    let test = message.test.as_ref();
    Ok(
        match test.ok_or(SnapshotErrorKind::Missing("test of a condition"))? {
            Test::All(parts) => Condition::All(parts_of(parts)?),
            Test::Any(parts) => Condition::Any(parts_of(parts)?),
            Test::Not(part) => Condition::Not(Box::new(condition_of(part)?)),
            Test::Equals(test) => Condition::Equals {
                attribute: test.attribute.clone(),
                value: literal_of(test.value.as_ref())?,
            },
            Test::In(test) => Condition::In {
                attribute: test.attribute.clone(),
                values: literals_of(&test.values)?,
            },
            Test::Range(range) => range_of(range),
            Test::Prefix(test) => Condition::Prefix {
                attribute: test.attribute.clone(),
                text: test.text.clone(),
            },
            Test::Suffix(test) => Condition::Suffix {
                attribute: test.attribute.clone(),
                text: test.text.clone(),
            },
            Test::Matches(test) => Condition::Matches {
                attribute: test.attribute.clone(),
                pattern: test.text.clone(),
            },
            Test::Semver(test) => Condition::Semver {
                attribute: test.attribute.clone(),
                range: test.text.clone(),
            },
            Test::Present(attribute) => Condition::Present {
                attribute: attribute.clone(),
            },
            Test::Segment(name) => Condition::Segment { name: name.clone() },
        },
    )
}

fn parts_of(parts: &v1::Conditions) -> Result<Vec<Condition>, SnapshotErrorKind> {
    parts.conditions.iter().map(condition_of).collect()
}

/// A bound that is given twice is the narrower one.
fn range_of(range: &v1::NumberRange) -> Condition {
    let lower = match (range.at_least, range.above) {
        (Some(at_least), Some(above)) if at_least > above => Bound::Included(at_least),
        (_, Some(above)) => Bound::Excluded(above),
        (Some(at_least), None) => Bound::Included(at_least),
        (None, None) => Bound::Unbounded,
    };
    let upper = match (range.at_most, range.below) {
        (Some(at_most), Some(below)) if at_most < below => Bound::Included(at_most),
        (_, Some(below)) => Bound::Excluded(below),
        (Some(at_most), None) => Bound::Included(at_most),
        (None, None) => Bound::Unbounded,
    };
    Condition::Range {
        attribute: range.attribute.clone(),
        lower,
        upper,
    }
}

fn literals_of(values: &[v1::AttributeValue]) -> Result<Vec<Literal>, SnapshotErrorKind> {
    values.iter().map(|value| literal_of(Some(value))).collect()
}

fn literal_of(value: Option<&v1::AttributeValue>) -> Result<Literal, SnapshotErrorKind> {
    use v1::attribute_value::Value;
    let value = value.and_then(|value| value.value.as_ref());
    Ok(
        match value.ok_or(SnapshotErrorKind::Missing("value of a condition"))? {
            Value::Text(text) => Literal::Text(text.clone()),
            Value::Number(number) => Literal::Number(*number),
            Value::Boolean(boolean) => Literal::Boolean(*boolean),
        },
    )
}

/// The attributes of a request as conditions see them.
struct RequestAttributes<'a>(&'a BTreeMap<String, v1::AttributeValue>);

impl Attributes for RequestAttributes<'_> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        use v1::attribute_value::Value as Wire;
        Some(match self.0.get(name)?.value.as_ref()? {
            Wire::Text(text) => Value::Text(text),
            Wire::Number(number) => Value::Number(*number),
            Wire::Boolean(boolean) => Value::Boolean(*boolean),
        })
    }
}
