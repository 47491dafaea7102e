//! Exposures of one arm, and how many of them were followed by an outcome.
//!
//! Keyed by the minute in which the token was issued, so that answers too young to
//! have an outcome are not mistaken for lost ones.

use super::cell::{MAX_OBSERVATIONS, natural};
use super::error::EvidenceError;
use super::slices::SliceTable;
use crate::assign::Slice;

/// Exposures and outcomes per slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposures(SliceTable);

impl Default for Exposures {
    fn default() -> Self {
        Self(SliceTable::new(2))
    }
}

impl Exposures {
    /// Counts answers that were shown to a unit of the slice.
    pub fn add_exposure(&mut self, slice: Slice) {
        self.0.row_mut(slice)[0] += 1;
    }

    /// Counts the outcome of an answer. An outcome may travel in another frame than its
    /// exposure, so on its own it is no contradiction.
    pub fn add_outcome(&mut self, slice: Slice) {
        self.0.row_mut(slice)[1] += 1;
    }

    /// Slices with counts, ascending: exposures and outcomes.
    pub fn rows(&self) -> impl Iterator<Item = (Slice, u64, u64)> {
        let rows = self.0.rows();
        rows.map(|(slice, row)| (slice, natural(row[0]), natural(row[1])))
    }

    /// Exposures and outcomes over all slices; saturate at `u64::MAX`.
    pub fn totals(&self) -> (u64, u64) {
        self.rows().fold((0, 0), |sum: (u64, u64), row| {
            (sum.0.saturating_add(row.1), sum.1.saturating_add(row.2))
        })
    }

    /// Adds the counts of another cell.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        self.0.merge(&other.0)?;
        if self.is_within(0) {
            Ok(())
        } else {
            Err(EvidenceError::Overflow("an exposure cell"))
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.0.encode(2)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let cell = Self(SliceTable::decode(bytes, 2, 2)?);
        if cell.is_within(1) && !cell.0.is_empty() {
            Ok(cell)
        } else {
            Err(EvidenceError::Malformed(
                "an exposure cell is empty or too large",
            ))
        }
    }

    /// Whether each row holds at least `least` counts, none too large.
    fn is_within(&self, least: i128) -> bool {
        let counts = 0..=i128::from(MAX_OBSERVATIONS);
        let mut rows = self.0.rows();
        rows.all(|(_, row)| row.iter().all(|n| counts.contains(n)) && row[0] + row[1] >= least)
    }
}
