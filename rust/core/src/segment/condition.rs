//! Conditions as a user writes them, before they are compiled.

use std::ops::Bound;

/// A value that a condition compares an attribute with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// Text, compared byte by byte.
    Text(String),
    /// A finite number.
    Number(f64),
    /// A truth value.
    Boolean(bool),
}

/// A test of a request's attributes.
///
/// A test of a missing attribute, or of one of another type, is false. So `Not` of such
/// a test is true: "not from France" includes requests that name no country, and "from
/// a country other than France" is `All([Present, Not(Equals)])`.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every one holds.
    All(Vec<Self>),
    /// At least one holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// The attribute equals the value.
    Equals {
        /// Name of the attribute.
        attribute: String,
        /// What it must equal, in type too.
        value: Literal,
    },
    /// The attribute is one of the values.
    In {
        /// Name of the attribute.
        attribute: String,
        /// The values, in any order and of any types.
        values: Vec<Literal>,
    },
    /// The number lies between the bounds.
    Range {
        /// Name of the attribute.
        attribute: String,
        /// The lower bound.
        lower: Bound<f64>,
        /// The upper bound.
        upper: Bound<f64>,
    },
    /// The text starts with the prefix.
    Prefix {
        /// Name of the attribute.
        attribute: String,
        /// What it starts with.
        text: String,
    },
    /// The text ends with the suffix.
    Suffix {
        /// Name of the attribute.
        attribute: String,
        /// What it ends with.
        text: String,
    },
    /// The text holds a match of a linear-time regular expression.
    ///
    /// Anchored only where the pattern says so: write `^…$` to match the whole text.
    Matches {
        /// Name of the attribute.
        attribute: String,
        /// A pattern in the syntax of the `regex` crate, so without look-around.
        pattern: String,
    },
    /// The text is a semantic version in the range.
    ///
    /// As in Cargo, a pre-release is in a range only if the range itself names a
    /// pre-release of the same major, minor and patch.
    Semver {
        /// Name of the attribute.
        attribute: String,
        /// The range, for example `>=1.2, <2`.
        range: String,
    },
    /// The attribute is present, whatever its value.
    Present {
        /// Name of the attribute.
        attribute: String,
    },
    /// The condition of another segment holds.
    Segment {
        /// The name of that segment.
        name: String,
    },
}
