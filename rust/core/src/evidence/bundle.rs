//! A bundle of counts that merges with any other.
//!
//! A commutative monoid: merging in any order, in any grouping, over any split of the
//! same recording gives equal bundles and, through `wire`, equal bytes. What a bundle
//! arrived with (source, number, tick) is kept elsewhere.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::cell::{Cell, Shape};
use super::error::EvidenceError;
use super::exposure::Exposures;
use super::key::{CellKey, ExclusionKey, ExposureKey, HistogramKey, MissingKey, UnitKey};
use super::losses::{Losses, add_count};
use super::units::UnitSet;
use crate::sketch::Sketch;

/// Everything counted about any number of rollouts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// Counts per slice; none is empty.
    pub cells: BTreeMap<CellKey, Cell>,
    /// Distributions; none is empty.
    pub histograms: BTreeMap<HistogramKey, Sketch>,
    /// Exposures and outcomes; none is empty.
    pub exposures: BTreeMap<ExposureKey, Exposures>,
    /// Units first seen; none is empty.
    pub units: BTreeMap<UnitKey, UnitSet>,
    /// Answers outside the comparison; none is zero.
    pub exclusions: BTreeMap<ExclusionKey, u64>,
    /// Observations that a metric did not get; none is zero.
    pub missing: BTreeMap<MissingKey, u64>,
    /// What was refused or dropped.
    pub losses: Losses,
}

impl Bundle {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The cell of a key, created in this shape when there is none. A cell of another
    /// shape is returned as it is, and refuses observations of this one.
    pub fn cell(&mut self, key: CellKey, shape: Shape) -> &mut Cell {
        self.cells.entry(key).or_insert_with(|| Cell::new(shape))
    }

    /// Adds the counts of another bundle.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Overflow`] or [`EvidenceError::Shape`]; both bundles are then
    /// lost, so a half-merged one is never seen.
    pub fn merge(mut self, other: Self) -> Result<Self, EvidenceError> {
        for (key, cell) in other.cells {
            self.merge_cell(key, cell)?;
        }
        merge_all(&mut self.histograms, other.histograms, |mine, theirs| {
            Ok(mine.merge(&theirs)?)
        })?;
        merge_all(&mut self.exposures, other.exposures, |mine, theirs| {
            mine.merge(&theirs)
        })?;
        merge_all(&mut self.units, other.units, |mine, theirs| {
            mine.merge(&theirs);
            Ok(())
        })?;
        merge_all(&mut self.exclusions, other.exclusions, add_count)?;
        merge_all(&mut self.missing, other.missing, add_count)?;
        self.losses.merge(&other.losses)?;
        Ok(self)
    }

    fn merge_cell(&mut self, key: CellKey, cell: Cell) -> Result<(), EvidenceError> {
        match self.cells.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(cell);
                Ok(())
            }
            Entry::Occupied(entry) if entry.get().shape() != cell.shape() => {
                Err(EvidenceError::Shape {
                    rollout: key.rollout,
                    metric: key.metric,
                })
            }
            Entry::Occupied(mut entry) => entry.get_mut().merge(&cell),
        }
    }

    /// One bundle per rollout, by ascending number; together they are this bundle.
    ///
    /// Losses belong to no rollout: they come with rollout 0.
    pub fn split(self) -> BTreeMap<u32, Self> {
        let mut parts: BTreeMap<u32, Self> = BTreeMap::new();
        for (key, cell) in self.cells {
            parts
                .entry(key.rollout)
                .or_default()
                .cells
                .insert(key, cell);
        }
        for (key, sketch) in self.histograms {
            let part = parts.entry(key.rollout).or_default();
            part.histograms.insert(key, sketch);
        }
        for (key, exposures) in self.exposures {
            let part = parts.entry(key.rollout).or_default();
            part.exposures.insert(key, exposures);
        }
        for (key, units) in self.units {
            parts
                .entry(key.rollout)
                .or_default()
                .units
                .insert(key, units);
        }
        for (key, count) in self.exclusions {
            let part = parts.entry(key.rollout).or_default();
            part.exclusions.insert(key, count);
        }
        for (key, count) in self.missing {
            parts
                .entry(key.rollout)
                .or_default()
                .missing
                .insert(key, count);
        }
        if !self.losses.is_empty() {
            parts.entry(0).or_default().losses = self.losses;
        }
        parts
    }
}

/// Moves every entry over, combining those whose key is there already.
fn merge_all<K: Ord, V>(
    mine: &mut BTreeMap<K, V>,
    theirs: BTreeMap<K, V>,
    combine: impl Fn(&mut V, V) -> Result<(), EvidenceError>,
) -> Result<(), EvidenceError> {
    for (key, value) in theirs {
        match mine.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => combine(entry.get_mut(), value)?,
        }
    }
    Ok(())
}
