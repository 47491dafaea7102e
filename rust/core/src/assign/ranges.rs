//! The ring cut into disjoint ranges of slots, each given to an arm.
//!
//! Looks up, never computes shares: the controller sends explicit ranges, so a
//! ramp extends an arm's range and a rollback shrinks it while nobody else moves.

use thiserror::Error;

use super::hash::{SLOT_COUNT, Slot};

/// A half-open range of slots, `start..end`, served by one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first slot of the range.
    pub start: u32,
    /// The slot after the last one; at most [`SLOT_COUNT`].
    pub end: u32,
    /// The index of the arm within its rollout.
    pub arm: u8,
}

/// Why a set of ranges was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RangesError {
    /// A range holds no slot.
    #[error("range `{start}..{end}` is empty: its end must be above its start")]
    Empty {
        /// The first slot of the range.
        start: u32,
        /// The end of the range.
        end: u32,
    },
    /// A range leaves the ring.
    #[error("range `{start}..{end}` ends outside the ring of {SLOT_COUNT} slots")]
    OutOfRing {
        /// The first slot of the range.
        start: u32,
        /// The end of the range.
        end: u32,
    },
    /// Two ranges share a slot.
    #[error("arms `{first}` and `{second}` both claim slot `{slot}`: ranges must be disjoint")]
    Overlap {
        /// The arm of the range that starts first.
        first: u8,
        /// The arm of the range that starts inside it.
        second: u8,
        /// The first slot claimed twice.
        slot: u32,
    },
}

/// Disjoint slot ranges, sorted, with arms looked up by binary search.
///
/// Slots outside every range belong to no arm: the caller serves the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Box<[Range]>);

impl Ranges {
    /// Sorts and checks the ranges; an arm may own several of them.
    ///
    /// # Errors
    ///
    /// When a range is empty, leaves the ring, or shares a slot with another.
    pub fn new(ranges: impl IntoIterator<Item = Range>) -> Result<Self, RangesError> {
        let mut sorted: Box<[Range]> = ranges.into_iter().collect();
        sorted.sort_unstable_by_key(|range| (range.start, range.end, range.arm));
        sorted.iter().copied().try_for_each(check_range)?;
        match sorted.windows(2).find(|pair| pair[1].start < pair[0].end) {
            Some(pair) => Err(RangesError::Overlap {
                first: pair[0].arm,
                second: pair[1].arm,
                slot: pair[1].start,
            }),
            None => Ok(Self(sorted)),
        }
    }

    /// The arm that owns the slot, or `None` when no arm does.
    pub fn arm(&self, slot: Slot) -> Option<u8> {
        let slot = slot.get();
        let after = self.0.partition_point(|range| range.start <= slot);
        let candidate = self.0.get(after.checked_sub(1)?)?;
        (slot < candidate.end).then_some(candidate.arm)
    }

    /// The number of slots that the arm owns over all its ranges.
    pub fn slots_of(&self, arm: u8) -> u32 {
        let owned = self.0.iter().filter(|range| range.arm == arm);
        owned.map(|range| range.end - range.start).sum()
    }

    /// The ranges in ring order.
    pub fn as_slice(&self) -> &[Range] {
        &self.0
    }
}

fn check_range(range: Range) -> Result<(), RangesError> {
    let Range { start, end, .. } = range;
    if start >= end {
        return Err(RangesError::Empty { start, end });
    }
    if end > SLOT_COUNT {
        return Err(RangesError::OutOfRing { start, end });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: u32, end: u32, arm: u8) -> Range {
        Range { start, end, arm }
    }

    proptest! {
        #[test]
        fn lookup_equals_a_scan(cuts in prop::collection::btree_set(0..=SLOT_COUNT, 2..12), probe in 0..SLOT_COUNT) {
            let cuts: Vec<u32> = cuts.into_iter().collect();
            let all: Vec<Range> = (0_u8..)
                .zip(cuts.windows(2))
                .filter(|(arm, _)| arm % 3 != 1)
                .map(|(arm, cut)| range(cut[0], cut[1], arm))
                .collect();
            let ranges = Ranges::new(all.iter().rev().copied()).unwrap();
            for number in cuts.iter().copied().chain([probe]).filter(|slot| *slot < SLOT_COUNT) {
                let scanned = all.iter().find(|r| (r.start..r.end).contains(&number)).map(|r| r.arm);
                prop_assert_eq!(ranges.arm(Slot::new(number).unwrap()), scanned);
            }
        }

        #[test]
        fn growing_an_arm_keeps_its_units(small in 1..=SLOT_COUNT, more in 0..SLOT_COUNT, unit: String) {
            let large = small.saturating_add(more).min(SLOT_COUNT);
            let slot = crate::assign::slot("salt", "user", &unit);
            let before = Ranges::new([range(0, small, 1)]).unwrap().arm(slot);
            let after = Ranges::new([range(0, large, 1)]).unwrap().arm(slot);
            prop_assert!(before.is_none() || before == after);
        }

        #[test]
        fn a_shared_slot_is_refused(start in 0..SLOT_COUNT - 1, length in 1..1000_u32, inside in 0..1000_u32) {
            let end = (start + length).min(SLOT_COUNT);
            let second = start + inside % (end - start);
            let result = Ranges::new([range(second, SLOT_COUNT, 2), range(start, end, 1)]);
            let shared = matches!(result, Err(RangesError::Overlap { slot, .. }) if slot == second);
            prop_assert!(shared, "{result:?}");
        }
    }

    #[test]
    fn an_arm_may_own_several_ranges() {
        let ranges = Ranges::new([range(10, 20, 1), range(0, 10, 0), range(30, 35, 1)]).unwrap();
        assert_eq!((ranges.slots_of(0), ranges.slots_of(1)), (10, 15));
        assert_eq!(ranges.arm(Slot::new(25).unwrap()), None);
        assert_eq!(ranges.as_slice()[0], range(0, 10, 0));
    }
}
