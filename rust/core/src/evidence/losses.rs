//! What was refused or dropped on the way to the controller.
//!
//! Losses belong to an environment, not to a rollout: a refused token names none that
//! could be believed.

use std::collections::BTreeMap;

use super::error::EvidenceError;

/// Counts of what is not in the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    /// Outcomes refused, by the number of the `v1::RejectCode`; no count is zero.
    pub rejected: BTreeMap<u32, u64>,
    /// Outcomes dropped because a buffer was full.
    pub dropped_outcomes: u64,
    /// Frames dropped because the spool was full.
    pub dropped_frames: u64,
    /// Entries that left the deduplication window before their token expired.
    pub deduplication_evictions: u64,
    /// Outcomes whose rollout, generation or version no longer exists.
    pub foreign: u64,
}

impl Losses {
    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts a refused outcome.
    pub fn add_rejected(&mut self, code: u32) {
        let count = self.rejected.entry(code).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds other losses.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        for (code, count) in &other.rejected {
            add_count(self.rejected.entry(*code).or_default(), *count)?;
        }
        add_count(&mut self.dropped_outcomes, other.dropped_outcomes)?;
        add_count(&mut self.dropped_frames, other.dropped_frames)?;
        add_count(
            &mut self.deduplication_evictions,
            other.deduplication_evictions,
        )?;
        add_count(&mut self.foreign, other.foreign)
    }
}

/// Adds to a count; overflow is refused.
pub(super) fn add_count(count: &mut u64, more: u64) -> Result<(), EvidenceError> {
    *count = count
        .checked_add(more)
        .ok_or(EvidenceError::Overflow("a count"))?;
    Ok(())
}
