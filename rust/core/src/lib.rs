//! The pure part of pitcanary: assignment, segments, tokens, sketches, evidence, evaluators.
