//! The pure part of pitcanary: assignment, segments, tokens, sketches, evidence, evaluators.
//!
//! Nothing here reads a clock, does I/O, draws random numbers or knows Python: time
//! and random bytes are arguments, so any answer can be given again from its inputs.

pub mod assign;
pub mod breaker;
pub mod evaluate;
pub mod evidence;
pub mod report;
pub mod resolve;
pub mod segment;
pub mod sketch;
pub mod snapshot;
pub mod template;
pub mod token;
pub mod v1;
