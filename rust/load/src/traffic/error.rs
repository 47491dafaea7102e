//! Why traffic could not be sent.

use tonic::Code;

/// Ends a run; everything counted before it has been reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrafficError {
    /// A target is not an address.
    #[error("`{target}` is not an address: use `unix:/path` or `http://host:port`")]
    Target {
        /// As it was given.
        target: String,
    },
    /// An arm without outcomes to draw from.
    #[error("there is no table of outcomes for arm `{arm}`: give one that is not empty")]
    NoTable {
        /// The arm that a resolve gave.
        arm: String,
    },
    /// A row of a table is not a report.
    #[error("row {row} of arm `{arm}` is not an encoded ReportOutcomeRequest")]
    Row {
        /// The arm.
        arm: String,
        /// Counted from 0.
        row: usize,
    },
    /// There must be someone to ask.
    #[error("`{field}` must be at least 1")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// The sidecar refused a call.
    #[error("request {index}: {call} was refused with {code:?}: {message}")]
    Refused {
        /// Which request.
        index: u64,
        /// `ResolvePrompt` or `ReportOutcome`.
        call: &'static str,
        /// The gRPC status.
        code: Code,
        /// What the sidecar said.
        message: String,
    },
    /// The runtime could not be started.
    #[error("the runtime could not be started: {0}")]
    Runtime(#[from] std::io::Error),
}
