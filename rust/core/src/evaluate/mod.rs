//! Evaluators of model outputs: each looks at a text and keeps nothing of it.
//!
//! An evaluator never puts output text into an error, a log line or a metric, and a
//! failure of its own is told apart from a bad output.

pub mod schema;
