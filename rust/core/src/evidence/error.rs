//! Why counts were refused.

use thiserror::Error;

use crate::sketch::SketchError;

/// Why evidence could not be recorded, merged or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A sum or a count left the range of its integer.
    #[error("a count or sum of `{0}` overflows: nothing was merged")]
    Overflow(&'static str),
    /// One key was counted as two kinds of metric.
    #[error(
        "a cell of rollout `{rollout}`, metric `{metric}` was counted in two ways: the senders disagree on the kind of the metric"
    )]
    Shape {
        /// The rollout of the cell.
        rollout: u32,
        /// The metric of the cell.
        metric: u32,
    },
    /// The bytes are not a message of the expected type.
    #[error("the encoded evidence is no valid protobuf message")]
    Protobuf,
    /// Part of the message is cut short, out of range or contradicts itself.
    #[error("the encoded evidence is malformed: {0}")]
    Malformed(&'static str),
    /// The keys of a list are not strictly ascending.
    #[error("the encoded `{0}` are not in strictly ascending order of their keys")]
    Order(&'static str),
    /// A histogram was refused.
    #[error("a histogram of the evidence is refused: {0}")]
    Histogram(#[from] SketchError),
}

impl From<prost::DecodeError> for EvidenceError {
    fn from(_: prost::DecodeError) -> Self {
        Self::Protobuf
    }
}
