//! Assignment: which slot, slice and arm a unit belongs to.
//!
//! A pure function of salts and names, equal on every sidecar and in every
//! language: `tests/vectors/{assign,ranges}.json` hold both sides to it. It keeps
//! nothing per unit and decides no shares; `rollout.allocation` in the controller
//! computes the ranges that [`Ranges`] looks up.

mod hash;
mod ranges;

pub use hash::{HASH_VERSION, SLICE_COUNT, SLOT_COUNT, Slice, Slot, hash, slice, slot};
pub use ranges::{Range, Ranges, RangesError};
