//! The hash behind slots and slices, and the two numbers cut from it.
//!
//! The bytes hashed are length-prefixed, so ("ab", "c") and ("a", "bc") never
//! collide by construction. Changing anything here moves users between prompts:
//! it needs a new [`HASH_VERSION`] and new golden vectors.

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// The version of the hashed byte form, itself the first byte hashed.
pub const HASH_VERSION: u8 = 1;

/// The number of slots on the ring: one slot is 0.0001 % of the units.
pub const SLOT_COUNT: u32 = 1_000_000;

/// The number of slices that units are grouped into for variance.
pub const SLICE_COUNT: u8 = 64;

/// Inputs up to this many bytes are hashed from the stack in one pass.
const STACK_BYTES: usize = 160;

/// A unit's place on the ring of [`SLOT_COUNT`] slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Wraps a slot number, or returns `None` at [`SLOT_COUNT`] and above.
    pub const fn new(number: u32) -> Option<Self> {
        if number < SLOT_COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The slot number, below [`SLOT_COUNT`].
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Maps a 64-bit hash onto the ring with the least bias (multiply-shift).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the product shifted by 64 is below SLOT_COUNT"
    )]
    const fn from_hash(hash: u64) -> Self {
        Self(((hash as u128 * SLOT_COUNT as u128) >> 64) as u32)
    }
}

/// One of the [`SLICE_COUNT`] groups of units used to estimate variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Slice(u8);

impl Slice {
    /// Wraps a slice number, or returns `None` at [`SLICE_COUNT`] and above.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SLICE_COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The slice number, below [`SLICE_COUNT`].
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The slice number as an index into an array of [`SLICE_COUNT`] entries.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Returns the slot of a unit in the rollout that owns `rollout_salt`.
///
/// Two rollouts have different salts, so their canaries are independent.
pub fn slot(rollout_salt: &str, unit_kind: &str, unit: &str) -> Slot {
    Slot::from_hash(hash("slot", rollout_salt, unit_kind, unit))
}

/// Returns the slice of a unit in the namespace that owns `namespace_salt`.
///
/// The domain differs from that of [`slot`], so even a 1 % arm is spread over all
/// slices. The namespace salt never changes, so a unit keeps its slice for life.
pub fn slice(namespace_salt: &str, unit_kind: &str, unit: &str) -> Slice {
    // The top six bits, which are always below 64.
    Slice(hash("slice", namespace_salt, unit_kind, unit).to_be_bytes()[0] >> 2)
}

/// XXH3-64 with seed 0 over [`HASH_VERSION`] and the four length-prefixed parts.
///
/// Each part is its length in bytes (u32, little-endian) and its UTF-8 bytes.
/// Inputs of ordinary size are hashed from the stack; longer ones are streamed.
pub fn hash(domain: &str, salt: &str, unit_kind: &str, unit: &str) -> u64 {
    let parts = [domain, salt, unit_kind, unit];
    let mut buffer = [0; STACK_BYTES];
    match fill(&mut buffer, parts) {
        Some(length) => xxh3_64(&buffer[..length]),
        None => stream(parts),
    }
}

/// Writes the hashed form to the buffer and returns its length, or `None` if it
/// does not fit.
fn fill(buffer: &mut [u8; STACK_BYTES], parts: [&str; 4]) -> Option<usize> {
    buffer[0] = HASH_VERSION;
    let mut end = 1;
    for part in parts {
        let text = end + size_of::<u32>();
        buffer
            .get_mut(end..text)?
            .copy_from_slice(&prefix(part).to_le_bytes());
        end = text.checked_add(part.len())?;
        buffer.get_mut(text..end)?.copy_from_slice(part.as_bytes());
    }
    Some(end)
}

#[cold]
fn stream(parts: [&str; 4]) -> u64 {
    let mut state = Xxh3Default::new();
    state.update(&[HASH_VERSION]);
    for part in parts {
        state.update(&prefix(part).to_le_bytes());
        state.update(part.as_bytes());
    }
    state.digest()
}

/// The length prefix; saturates for texts of 4 GiB, which no message can carry.
fn prefix(part: &str) -> u32 {
    u32::try_from(part.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_hash_are_the_ends_of_the_ring() {
        assert_eq!(Slot::from_hash(0).get(), 0);
        assert_eq!(Slot::from_hash(u64::MAX).get(), SLOT_COUNT - 1);
        assert_eq!(Slot::new(SLOT_COUNT), None);
        assert_eq!(Slice::new(SLICE_COUNT), None);
    }

    #[test]
    fn a_small_arm_is_spread_over_all_slices() {
        let mut seen = [0_u32; SLICE_COUNT as usize];
        for number in 0..200_000 {
            let unit = format!("user-{number}");
            if slot("rollout", "user", &unit).get() < SLOT_COUNT / 100 {
                seen[slice("namespace", "user", &unit).index()] += 1;
            }
        }
        // About 31 units a slice; Poisson leaves 5..70 far behind.
        assert!(seen.iter().all(|count| (5..70).contains(count)), "{seen:?}");
    }

    proptest! {
        #[test]
        fn streaming_equals_the_stack(
            domain in ".{0,20}", salt in ".{0,40}", kind in ".{0,10}", unit in ".{0,60}"
        ) {
            let parts = [domain.as_str(), &salt, &kind, &unit];
            let mut buffer = [0; STACK_BYTES];
            if let Some(length) = fill(&mut buffer, parts) {
                prop_assert_eq!(xxh3_64(&buffer[..length]), stream(parts));
            }
        }

        #[test]
        fn moving_a_byte_between_parts_changes_the_hash(text in "[a-z]{12,40}", at in 1..12_usize) {
            let (left, right) = text.split_at(at);
            prop_assert_ne!(hash("d", left, "k", right), hash("d", &text, "k", ""));
        }
    }
}
