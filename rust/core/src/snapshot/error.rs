//! Why a configuration was refused, and where.

use std::fmt;

use thiserror::Error;

use crate::assign::RangesError;
use crate::evaluate::schema::SchemaError;
use crate::segment::SegmentError;
use crate::template::TemplateError;
use crate::token::KeyRingError;

/// A configuration that a sidecar must not serve; it keeps the last good one.
///
/// The text is what a NACK carries: it names places and numbers, never prompt text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {kind}")]
pub struct SnapshotError {
    /// Where, for example `rollout 7, metric 2`.
    pub place: String,
    /// What is wrong there.
    pub kind: SnapshotErrorKind,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SnapshotErrorKind {
    /// The sidecar is older than the configuration needs.
    #[error("capability `{0}` is required, which this sidecar lacks: upgrade it")]
    Capability(String),
    /// A part that the protocol requires is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Two entries have one number or name.
    #[error("`{0}` appears twice")]
    Duplicate(String),
    /// A number is outside its range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// A name or number refers to nothing.
    #[error("{what} `{name}` is not in the configuration")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its name or number.
        name: String,
    },
    /// A metric that cannot be counted.
    #[error("the metric cannot be counted: {0}")]
    Metric(&'static str),
    /// The keys of the tokens.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    /// The slots of the arms.
    #[error(transparent)]
    Ranges(#[from] RangesError),
    /// The condition of a segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The output schema of a version.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The template of a version.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl SnapshotErrorKind {
    /// The error at a place.
    pub(super) fn at(self, place: impl fmt::Display) -> SnapshotError {
        SnapshotError {
            place: place.to_string(),
            kind: self,
        }
    }
}

/// Says where a failed step was.
pub(super) trait At<T> {
    fn at(self, place: impl fmt::Display) -> Result<T, SnapshotError>;
}

impl<T, E: Into<SnapshotErrorKind>> At<T> for Result<T, E> {
    fn at(self, place: impl fmt::Display) -> Result<T, SnapshotError> {
        self.map_err(|error| error.into().at(place))
    }
}

/// The error of a name or number that refers to nothing.
pub(super) fn unknown<N: ToString + ?Sized>(what: &'static str, name: &N) -> SnapshotErrorKind {
    SnapshotErrorKind::Unknown {
        what,
        name: name.to_string(),
    }
}
