//! Compiled conditions, matched on every request.
//!
//! Matching allocates nothing, with two exceptions: the regex engine's scratch space the
//! first time a thread meets a pattern, and versions with a long pre-release where the
//! range names a pre-release.

use std::ops::{Bound, RangeBounds};

use regex::Regex;

use super::condition::Literal;
use super::set::Set;
use super::version::VersionRange;

/// The value of an attribute in a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text, compared byte by byte.
    Text(&'a str),
    /// A number; one that is not finite matches no condition but `Present`.
    Number(f64),
    /// A truth value.
    Boolean(bool),
}

/// Attributes of a request, by name.
pub trait Attributes {
    /// The value of the attribute, or `None` when the request does not have it.
    fn get(&self, name: &str) -> Option<Value<'_>>;
}

/// A short list of pairs; the first of two equal names counts.
impl Attributes for [(&str, Value<'_>)] {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let found = self.iter().find(|(known, _)| *known == name)?;
        Some(found.1)
    }
}

/// A compiled condition; [`Matcher::compile`] makes it.
#[derive(Debug, Clone)]
pub struct Matcher(pub(super) Node);

impl Matcher {
    /// Tells whether the request is in the segment.
    pub fn matches<A: Attributes + ?Sized>(&self, attributes: &A) -> bool {
        self.0.holds(attributes)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    All(Box<[Self]>),
    Any(Box<[Self]>),
    Not(Box<Self>),
    Test { attribute: Box<str>, test: Test },
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Equals(Literal),
    In(Box<Set>),
    Range(Bound<f64>, Bound<f64>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Matches(Regex),
    Semver(Box<VersionRange>),
    Present,
}

impl Node {
    /// The recursion is as deep as the condition, which compilation bounds.
    fn holds<A: Attributes + ?Sized>(&self, attributes: &A) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(attributes)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(attributes)),
            Self::Not(part) => !part.holds(attributes),
            Self::Test { attribute, test } => attributes
                .get(attribute)
                .is_some_and(|value| test.holds(value)),
        }
    }
}

impl Test {
    fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Equals(Literal::Text(expected)), Value::Text(text)) => expected == text,
            (Self::Equals(Literal::Number(expected)), Value::Number(number)) => {
                (*expected..=*expected).contains(&number)
            }
            (Self::Equals(Literal::Boolean(expected)), Value::Boolean(boolean)) => {
                *expected == boolean
            }
            (Self::In(set), value) => set.contains(value),
            (Self::Range(lower, upper), Value::Number(number)) => {
                number.is_finite() && (*lower, *upper).contains(&number)
            }
            (Self::Prefix(prefix), Value::Text(text)) => text.starts_with(&**prefix),
            (Self::Suffix(suffix), Value::Text(text)) => text.ends_with(&**suffix),
            (Self::Matches(pattern), Value::Text(text)) => pattern.is_match(text),
            (Self::Semver(range), Value::Text(text)) => range.contains(text),
            (Self::Present, _) => true,
            _ => false,
        }
    }
}
