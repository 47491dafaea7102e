//! The units of a rollout that the sample-ratio test counts: a K-minimum-values set.
//!
//! Keeps the 32,768 smallest keyed hashes with the epoch and the arm in which each
//! unit was first seen. Hashes know nothing of arms, so these units are a random
//! sample, counted exactly. The set never holds a unit itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// How many units a set keeps.
pub const UNIT_SET_SIZE: usize = 32_768;

/// Arms are numbered below this where units are sampled: bit 7 has another meaning.
pub const MAX_ARMS: u8 = 0x80;

/// Where a unit was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The allocation epoch in which it was first seen.
    pub epoch: u32,
    /// The lowest arm in which it was seen in that epoch, below [`MAX_ARMS`].
    pub arm: u8,
    /// Whether it was seen in several arms in that epoch.
    pub several: bool,
}

impl Sighting {
    /// A unit seen in one arm.
    pub const fn new(epoch: u32, arm: u8) -> Self {
        Self {
            epoch,
            arm,
            several: false,
        }
    }

    /// What two observers know together: the earlier epoch counts, and within one epoch
    /// both arms. Order and grouping do not matter.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.epoch != other.epoch {
            return if self.epoch < other.epoch {
                self
            } else {
                other
            };
        }
        Self {
            epoch: self.epoch,
            arm: self.arm.min(other.arm),
            several: self.several || other.several || self.arm != other.arm,
        }
    }
}

/// The units with the smallest hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitSet(BTreeMap<u64, Sighting>);

impl UnitSet {
    /// Adds a sighting; true when the set learned something from it.
    pub fn insert(&mut self, hash: u64, sighting: Sighting) -> bool {
        if self.is_beyond(hash) {
            return false;
        }
        let learned = match self.0.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(sighting);
                true
            }
            Entry::Occupied(mut entry) => {
                let joined = entry.get().join(sighting);
                entry.insert(joined) != joined
            }
        };
        if self.0.len() > UNIT_SET_SIZE {
            self.0.pop_last();
        }
        learned
    }

    /// Adds the sightings of another set; true when the set learned something.
    pub fn merge(&mut self, other: &Self) -> bool {
        let mut learned = false;
        for (hash, sighting) in &other.0 {
            learned |= self.insert(*hash, *sighting);
        }
        learned
    }

    /// What is known of a unit.
    pub fn get(&self, hash: u64) -> Option<Sighting> {
        self.0.get(&hash).copied()
    }

    /// Hashes with what is known of them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Sighting)> {
        self.0.iter().map(|(hash, sighting)| (*hash, *sighting))
    }

    /// How many units the set holds.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the set holds no unit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Units per epoch and arm, ascending, with how many of them were seen in several
    /// arms. A unit counts in the epoch and the arm in which it was first seen.
    pub fn counts(&self) -> BTreeMap<(u32, u8), UnitCount> {
        let mut counts: BTreeMap<(u32, u8), UnitCount> = BTreeMap::new();
        for sighting in self.0.values() {
            let count = counts.entry((sighting.epoch, sighting.arm)).or_default();
            count.units += 1;
            count.several += u64::from(sighting.several);
        }
        counts
    }

    /// Whether a full set has no room for the hash.
    fn is_beyond(&self, hash: u64) -> bool {
        self.0.len() >= UNIT_SET_SIZE
            && self
                .0
                .last_key_value()
                .is_some_and(|(last, _)| hash > *last)
    }
}

/// Units of one epoch and arm within the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnitCount {
    /// How many units.
    pub units: u64,
    /// How many of them were seen in several arms.
    pub several: u64,
}
