//! The logic-less syntax: text and `{{name}}`.
//!
//! A name is a letter or `_`, then letters, digits and `_`, with blanks around it
//! allowed. `\{{` writes two literal braces. Any other `{{` is an error rather than
//! text, because a mistyped placeholder would reach the model unseen.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{MAX_OUTPUT_BYTES, TemplateError, whole};

/// A compiled plain template.
#[derive(Debug)]
pub(super) struct Plain(Box<[Segment]>);

#[derive(Debug)]
enum Segment {
    Text(Box<str>),
    Variable(Box<str>),
}

impl Plain {
    /// Returns the template and the names in it.
    pub(super) fn compile(source: &str) -> Result<(Self, BTreeSet<String>), TemplateError> {
        let mut segments = Vec::new();
        let mut names = BTreeSet::new();
        let mut text = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(unescaped) = before.strip_suffix('\\') {
                text.push_str(unescaped);
                text.push_str("{{");
                rest = after;
                continue;
            }
            let Some((name, after)) = placeholder(after) else {
                return Err(malformed(source, after));
            };
            text.push_str(before);
            segments.push(Segment::Text(std::mem::take(&mut text).into()));
            segments.push(Segment::Variable(name.into()));
            names.insert(name.to_owned());
            rest = after;
        }
        text.push_str(rest);
        segments.push(Segment::Text(text.into()));
        Ok((Self(segments.into()), names))
    }

    pub(super) fn render(&self, variables: &Map<String, Value>) -> Result<String, TemplateError> {
        let mut out = String::new();
        for segment in &self.0 {
            match segment {
                Segment::Text(text) => out.push_str(text),
                Segment::Variable(name) => match variables.get(&**name) {
                    Some(value) => write_value(&mut out, value),
                    None => return Err(TemplateError::UnknownVariable(name.to_string())),
                },
            }
            if out.len() > MAX_OUTPUT_BYTES {
                return Err(TemplateError::OutputTooLong);
            }
        }
        Ok(out)
    }
}

/// Text as it is, whole numbers without a point at any depth, null as nothing, the rest
/// as JSON.
fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        Value::Number(number) => match whole(number) {
            Some(integer) => out.push_str(&integer.to_string()),
            None => out.push_str(&number.to_string()),
        },
        other => out.push_str(&with_whole_numbers(other).to_string()),
    }
}

fn with_whole_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => whole(number).map_or_else(|| value.clone(), Value::from),
        Value::Array(items) => items.iter().map(with_whole_numbers).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), with_whole_numbers(field)))
            .collect(),
        other => other.clone(),
    }
}

/// Splits a name and its closing braces off the text behind `{{`.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.split_once("}}")?;
    let name = inside.trim_matches([' ', '\t']);
    let first = name.bytes().next()?;
    let named = (first.is_ascii_alphabetic() || first == b'_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    named.then_some((name, after))
}

/// The error for the `{{` right before `after`, which is a tail of the source.
fn malformed(source: &str, after: &str) -> TemplateError {
    let before = &source[..source.len() - after.len()];
    TemplateError::Syntax {
        line: before.matches('\n').count() + 1,
        reason: "`{{` must be followed by a name and `}}`; write `\\{{` for the braces themselves"
            .to_owned(),
    }
}
