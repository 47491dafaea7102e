//! Segments: named conditions over the attributes of a request.
//!
//! A [`Condition`] is checked and compiled once, when a configuration arrives, and then
//! matched on every request without allocating. It sees attributes only, never prompts
//! or model outputs, and computes nothing but yes or no; which version a segment gets
//! is the snapshot's business.

mod compile;
mod condition;
mod matcher;
mod set;
mod version;

pub use compile::{MAX_CONDITIONS, MAX_DEPTH, MAX_TEXT_BYTES, SegmentError, SegmentErrorKind};
pub use condition::{Condition, Literal};
pub use matcher::{Attributes, Matcher, Value};

#[cfg(test)]
mod tests;
