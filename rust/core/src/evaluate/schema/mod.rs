//! Tells whether a model's output is JSON that its version's schema accepts.
//!
//! A schema passes the policy once, when it is published: no reference leaves the
//! document, patterns run in linear time, and size, depth and `$ref` expansion are
//! bounded. So an accepted schema cannot stall a sidecar, whatever the model writes.
//! Verdicts and errors never hold text of an output.

mod kind;
mod limits;
mod paths;

use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use thiserror::Error;

pub use kind::InvalidKind;
pub use limits::{
    MAX_DEPTH, MAX_OUTPUT_BYTES, MAX_PATHS, MAX_PATTERNS, MAX_REFERENCE_DEPTH, MAX_SCHEMA_BYTES,
};

/// The most bytes a compiled pattern may take, and its cache while matching.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// The most work of one check: schema paths times output bytes.
///
/// Every two bytes can hold one value, and a value meets each path at most once.
const MAX_WORK: usize = 16 * 1024 * 1024;

/// The most work for which the kind of an invalid output is looked up; finding it costs
/// hundreds of times more than finding out that there is one.
const MAX_KIND_WORK: usize = 64 * 1024;

/// Why a schema was refused at publish.
///
/// Paths are JSON Pointers into the schema. Values of the schema are not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is longer than [`MAX_SCHEMA_BYTES`].
    #[error("the schema has `{0}` bytes; at most {MAX_SCHEMA_BYTES} are allowed")]
    TooLarge(usize),
    /// The text is not JSON.
    #[error("the schema is not JSON: see line `{line}`, column `{column}`")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("the schema is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// `$schema` names another draft than 7, 2019-09 and 2020-12.
    #[error("`{path}` names a draft that is not supported: use draft-07, 2019-09 or 2020-12")]
    UnsupportedDraft {
        /// Where the draft is named.
        path: String,
    },
    /// A reference leaves the document.
    #[error(
        "`{path}` refers to another document, which is never fetched: copy its content into `$defs`"
    )]
    RemoteReference {
        /// Where the reference is; empty when the engine does not tell.
        path: String,
    },
    /// A reference points nowhere, or a URI is malformed.
    #[error("`{path}` refers to something that the schema does not define")]
    BadReference {
        /// Where the reference is; empty when the engine does not tell.
        path: String,
    },
    /// References lead to one another more than [`MAX_REFERENCE_DEPTH`] deep.
    #[error("references are chained more than {MAX_REFERENCE_DEPTH} deep")]
    ReferencesTooDeep,
    /// With references followed, the schema has more than [`MAX_PATHS`] parts.
    #[error(
        "with references followed, the schema has more than {MAX_PATHS} parts: let fewer subschemas refer to the same ones"
    )]
    TooManyPaths,
    /// The schema has more than [`MAX_PATTERNS`] patterns.
    #[error("the schema has more than {MAX_PATTERNS} patterns")]
    TooManyPatterns,
    /// A pattern needs look-around or back-references, is malformed, or is too large.
    #[error(
        "the pattern at `{path}` cannot run in linear time: avoid look-around, back-references and large repetitions"
    )]
    Pattern {
        /// Where the pattern is.
        path: String,
    },
    /// The schema does not conform to its draft.
    #[error("`{path}` is not valid in a schema: {reason}")]
    Invalid {
        /// Where in the schema.
        path: String,
        /// What the draft demands.
        reason: String,
    },
}

/// Whether `format` is checked or only noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Formats {
    /// As the draft says: checked in draft 7, noted in 2019-09 and 2020-12.
    #[default]
    ByDraft,
    /// Checked in every draft.
    Checked,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchemaVerdict {
    /// The output is JSON that the schema accepts.
    Valid,
    /// The output is not JSON.
    NotJson,
    /// The output is JSON that the schema does not accept.
    Invalid {
        /// The first reason found.
        kind: InvalidKind,
    },
    /// The output could not be checked: never the candidate's failure.
    ValidatorError,
}

/// A schema that passed the publish policy, compiled.
///
/// ```
/// use pitcanary_core::evaluate::schema::{OutputSchema, SchemaVerdict};
///
/// let schema = OutputSchema::publish(r#"{"type": "object", "required": ["answer"]}"#)?;
/// assert_eq!(schema.check(r#"{"answer": 42}"#), SchemaVerdict::Valid);
/// assert_eq!(schema.check("Sure! Here it is:"), SchemaVerdict::NotJson);
/// # Ok::<(), pitcanary_core::evaluate::schema::SchemaError>(())
/// ```
#[derive(Debug)]
pub struct OutputSchema {
    validator: Validator,
    paths: paths::Paths,
}

impl OutputSchema {
    /// Checks a schema against the policy and compiles it, formats by draft.
    ///
    /// Without `$schema`, the draft is 2020-12.
    ///
    /// # Errors
    ///
    /// The first rule that the schema breaks.
    pub fn publish(text: &str) -> Result<Self, SchemaError> {
        Self::publish_with(text, Formats::ByDraft)
    }

    /// As [`OutputSchema::publish`], with a choice on formats.
    ///
    /// # Errors
    ///
    /// The first rule that the schema breaks.
    pub fn publish_with(text: &str, formats: Formats) -> Result<Self, SchemaError> {
        let schema = limits::parse(text)?;
        let paths = paths::count(&schema)?;
        let mut options = jsonschema::options().offline().with_pattern_options(
            PatternOptions::regex()
                .size_limit(MAX_PATTERN_BYTES)
                .dfa_size_limit(MAX_PATTERN_BYTES),
        );
        if formats == Formats::Checked {
            options = options.should_validate_formats(true);
        }
        let validator = options
            .build(&schema)
            .map_err(|error| kind::refused(&error))?;
        Ok(Self { validator, paths })
    }

    /// Checks one output.
    ///
    /// Outputs beyond [`MAX_OUTPUT_BYTES`], nested deeper than 127 levels, or too long
    /// for how much the schema expands are [`SchemaVerdict::ValidatorError`].
    pub fn check(&self, output: &str) -> SchemaVerdict {
        let work = self.paths.count.saturating_mul(output.len());
        if output.len() > MAX_OUTPUT_BYTES || work > MAX_WORK {
            return SchemaVerdict::ValidatorError;
        }
        match serde_json::from_str(output) {
            Ok(value) => self.judge(&value, work),
            Err(error) if limits::is_ours(&error) => SchemaVerdict::ValidatorError,
            Err(_) => SchemaVerdict::NotJson,
        }
    }

    fn judge(&self, value: &Value, work: usize) -> SchemaVerdict {
        // A panic in the engine is its failure, not the output's.
        let judged = catch_unwind(AssertUnwindSafe(|| {
            if self.validator.is_valid(value) {
                return SchemaVerdict::Valid;
            }
            let kind = if work <= MAX_KIND_WORK && !self.paths.recursive {
                self.kind(value)
            } else {
                InvalidKind::Unspecified
            };
            SchemaVerdict::Invalid { kind }
        }));
        judged.unwrap_or(SchemaVerdict::ValidatorError)
    }

    fn kind(&self, value: &Value) -> InvalidKind {
        match self.validator.validate(value) {
            Ok(()) => InvalidKind::Unspecified,
            Err(error) => InvalidKind::from(error.kind()),
        }
    }
}

#[cfg(test)]
mod tests;
