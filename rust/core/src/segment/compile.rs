//! Checks a condition and compiles it, or names the part that is wrong.
//!
//! Named segments are expanded in place, so a matcher stands alone; the limits count
//! the expanded condition, which keeps references from multiplying without bound.

use std::collections::BTreeMap;
use std::ops::Bound;

use regex::RegexBuilder;
use thiserror::Error;

use super::condition::{Condition, Literal};
use super::matcher::{Matcher, Node, Test};
use super::set::Set;
use super::version::VersionRange;

/// The deepest nesting of `All`, `Any`, `Not` and segments.
pub const MAX_DEPTH: usize = 16;

/// The most conditions and set values in a segment, named segments expanded.
pub const MAX_CONDITIONS: usize = 10_000;

/// The most bytes of names and texts in a segment, named segments expanded.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;

/// The most bytes a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// A condition that was refused, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("condition `{path}`: {kind}")]
pub struct SegmentError {
    /// The way to the condition, for example `all[1].not.matches`.
    pub path: String,
    /// What is wrong with it.
    pub kind: SegmentErrorKind,
}

/// Why a condition was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SegmentErrorKind {
    /// `All`, `Any` or `In` without members.
    #[error("it is empty: name at least one member")]
    Empty,
    /// A test without the name of an attribute.
    #[error("the name of the attribute is empty")]
    NoAttribute,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_CONDITIONS`] conditions and set values.
    #[error("the segment has more than {MAX_CONDITIONS} conditions and values")]
    TooMany,
    /// More than [`MAX_TEXT_BYTES`] of text.
    #[error("the segment has more than {MAX_TEXT_BYTES} bytes of names and texts")]
    TooLong,
    /// NaN or an infinity.
    #[error("numbers must be finite")]
    NotFinite,
    /// A range that no number is in.
    #[error("no number is in the range: check its bounds")]
    EmptyRange,
    /// A pattern that the linear engine refuses, with the engine's reason.
    #[error("the pattern is refused: {0}")]
    Pattern(String),
    /// Not a range of semantic versions.
    #[error("`{0}` is not a range of semantic versions; write for example `>=1.2, <2`")]
    VersionRange(String),
    /// A segment that is not defined.
    #[error("segment `{0}` is not defined")]
    UnknownSegment(String),
    /// A segment that contains itself.
    #[error("segment `{0}` contains itself")]
    Cycle(String),
}

impl SegmentErrorKind {
    fn at(self, path: &str) -> SegmentError {
        let path = path.to_owned();
        SegmentError { path, kind: self }
    }
}

impl SegmentError {
    fn inside(self, parent: &str) -> Self {
        let path = format!("{parent}.{}", self.path);
        Self { path, ..self }
    }
}

impl Matcher {
    /// Compiles a condition; `named` holds the conditions of other segments by name.
    ///
    /// # Errors
    ///
    /// When a part is meaningless or a limit is passed; the error names the part.
    pub fn compile(
        condition: &Condition,
        named: &BTreeMap<String, Condition>,
    ) -> Result<Self, SegmentError> {
        let mut compiler = Compiler {
            named,
            open: Vec::new(),
            conditions: 0,
            text_bytes: 0,
        };
        compiler.node(condition, 0).map(Self)
    }
}

struct Compiler<'a> {
    named: &'a BTreeMap<String, Condition>,
    /// Names of the segments being expanded.
    open: Vec<&'a str>,
    conditions: usize,
    text_bytes: usize,
}

impl<'a> Compiler<'a> {
    fn node(&mut self, condition: &'a Condition, depth: usize) -> Result<Node, SegmentError> {
        if depth > MAX_DEPTH {
            return Err(SegmentErrorKind::TooDeep.at(step(condition)));
        }
        self.count(1).map_err(|kind| kind.at(step(condition)))?;
        match condition {
            Condition::All(parts) => self.parts("all", parts, depth).map(Node::All),
            Condition::Any(parts) => self.parts("any", parts, depth).map(Node::Any),
            Condition::Not(part) => {
                let part = self.node(part, depth + 1);
                let part = part.map_err(|error| error.inside("not"))?;
                Ok(Node::Not(Box::new(part)))
            }
            Condition::Segment { name } => self.segment(name, depth),
            test => self.test(test).map_err(|kind| kind.at(step(condition))),
        }
    }

    fn parts(
        &mut self,
        name: &str,
        parts: &'a [Condition],
        depth: usize,
    ) -> Result<Box<[Node]>, SegmentError> {
        if parts.is_empty() {
            return Err(SegmentErrorKind::Empty.at(name));
        }
        let nodes = parts.iter().enumerate().map(|(index, part)| {
            let node = self.node(part, depth + 1);
            node.map_err(|error| error.inside(&format!("{name}[{index}]")))
        });
        nodes.collect()
    }

    fn segment(&mut self, name: &'a str, depth: usize) -> Result<Node, SegmentError> {
        let at = format!("segment({name})");
        if self.open.contains(&name) {
            return Err(SegmentErrorKind::Cycle(name.to_owned()).at(&at));
        }
        let Some(condition) = self.named.get(name) else {
            return Err(SegmentErrorKind::UnknownSegment(name.to_owned()).at(&at));
        };
        self.open.push(name);
        let node = self.node(condition, depth + 1);
        self.open.pop();
        node.map_err(|error| error.inside(&at))
    }

    fn test(&mut self, condition: &Condition) -> Result<Node, SegmentErrorKind> {
        let (attribute, test) = match condition {
            Condition::Equals { attribute, value } => {
                self.literal(value)?;
                (attribute, Test::Equals(value.clone()))
            }
            Condition::In { attribute, values } => (attribute, self.set(values)?),
            Condition::Range {
                attribute,
                lower,
                upper,
            } => (attribute, range(*lower, *upper)?),
            Condition::Prefix { attribute, text } => {
                (attribute, Test::Prefix(self.text(text)?.into()))
            }
            Condition::Suffix { attribute, text } => {
                (attribute, Test::Suffix(self.text(text)?.into()))
            }
            Condition::Matches { attribute, pattern } => {
                (attribute, pattern_test(self.text(pattern)?)?)
            }
            Condition::Semver { attribute, range } => (attribute, semver_test(self.text(range)?)?),
            Condition::Present { attribute } => (attribute, Test::Present),
            Condition::All(_)
            | Condition::Any(_)
            | Condition::Not(_)
            | Condition::Segment { .. } => {
                return Err(SegmentErrorKind::NoAttribute);
            }
        };
        if attribute.is_empty() {
            return Err(SegmentErrorKind::NoAttribute);
        }
        let attribute = self.text(attribute)?.into();
        Ok(Node::Test { attribute, test })
    }

    fn set(&mut self, values: &[Literal]) -> Result<Test, SegmentErrorKind> {
        if values.is_empty() {
            return Err(SegmentErrorKind::Empty);
        }
        self.count(values.len())?;
        values.iter().try_for_each(|value| self.literal(value))?;
        Ok(Test::In(Box::new(Set::new(values))))
    }

    fn literal(&mut self, value: &Literal) -> Result<(), SegmentErrorKind> {
        match value {
            Literal::Text(text) => self.text(text).map(drop),
            Literal::Number(number) => finite(*number),
            Literal::Boolean(_) => Ok(()),
        }
    }

    fn text<'t>(&mut self, text: &'t str) -> Result<&'t str, SegmentErrorKind> {
        self.text_bytes = self.text_bytes.saturating_add(text.len());
        if self.text_bytes > MAX_TEXT_BYTES {
            return Err(SegmentErrorKind::TooLong);
        }
        Ok(text)
    }

    fn count(&mut self, more: usize) -> Result<(), SegmentErrorKind> {
        self.conditions = self.conditions.saturating_add(more);
        if self.conditions > MAX_CONDITIONS {
            return Err(SegmentErrorKind::TooMany);
        }
        Ok(())
    }
}

fn range(lower: Bound<f64>, upper: Bound<f64>) -> Result<Test, SegmentErrorKind> {
    for bound in [lower, upper] {
        if let Bound::Included(number) | Bound::Excluded(number) = bound {
            finite(number)?;
        }
    }
    let empty = match (lower, upper) {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Included(high) | Bound::Excluded(high),
        ) => low >= high,
        _ => false,
    };
    if empty {
        return Err(SegmentErrorKind::EmptyRange);
    }
    Ok(Test::Range(lower, upper))
}

fn finite(number: f64) -> Result<(), SegmentErrorKind> {
    if number.is_finite() {
        Ok(())
    } else {
        Err(SegmentErrorKind::NotFinite)
    }
}

fn pattern_test(pattern: &str) -> Result<Test, SegmentErrorKind> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .build();
    match regex {
        Ok(regex) => Ok(Test::Matches(regex)),
        Err(error) => Err(SegmentErrorKind::Pattern(error.to_string())),
    }
}

fn semver_test(text: &str) -> Result<Test, SegmentErrorKind> {
    match VersionRange::new(text) {
        Some(range) => Ok(Test::Semver(Box::new(range))),
        None => Err(SegmentErrorKind::VersionRange(text.to_owned())),
    }
}

/// What a path calls the condition.
fn step(condition: &Condition) -> &'static str {
    match condition {
        Condition::All(_) => "all",
        Condition::Any(_) => "any",
        Condition::Not(_) => "not",
        Condition::Equals { .. } => "equals",
        Condition::In { .. } => "in",
        Condition::Range { .. } => "range",
        Condition::Prefix { .. } => "prefix",
        Condition::Suffix { .. } => "suffix",
        Condition::Matches { .. } => "matches",
        Condition::Semver { .. } => "semver",
        Condition::Present { .. } => "present",
        Condition::Segment { .. } => "segment",
    }
}
