//! The fields of a token and their 36 bytes between key id and MAC.
//!
//! All integers are little-endian; offsets are those of `evidence.md`, "Token". This
//! file neither signs nor verifies.

use crate::assign::Slice;

/// `issued_s` has five bytes on the wire.
const MAX_ISSUED_S: u64 = (1 << 40) - 1;

/// What a token says about the answer it was issued for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenFields {
    /// The environment-wide rollout id; 0 means no rollout.
    pub rollout: u32,
    /// The environment-wide version id, which determines the prompt.
    pub version: u32,
    /// The allocation epoch of the first assignment; a pinned answer keeps it.
    pub origin_epoch: u32,
    /// The allocation epoch in force when the answer was served.
    pub serve_epoch: u32,
    /// The index of the arm within the rollout.
    pub arm: u8,
    /// How the answer came about.
    pub flags: Flags,
    /// The variance slice of the unit.
    pub slice: Slice,
    /// One bit per segment of the rollout that the unit was in.
    pub segment_mask: u16,
    /// Seconds since the Unix epoch at issue.
    pub issued_s: u64,
    /// The keyed tag of the unit, from [`Key::unit_tag`](super::Key::unit_tag).
    pub unit_tag: u16,
    /// Random bytes that make the token unique.
    pub nonce: [u8; 8],
}

impl TokenFields {
    pub(super) fn clamped(self) -> Self {
        let issued_s = self.issued_s.min(MAX_ISSUED_S);
        Self { issued_s, ..self }
    }

    /// Writes the 36 bytes; `out` has exactly that length.
    pub(super) fn write(&self, out: &mut [u8]) {
        out[0..4].copy_from_slice(&self.rollout.to_le_bytes());
        out[4..8].copy_from_slice(&self.version.to_le_bytes());
        out[8..12].copy_from_slice(&self.origin_epoch.to_le_bytes());
        out[12..16].copy_from_slice(&self.serve_epoch.to_le_bytes());
        out[16] = self.arm;
        out[17] = self.flags.bits();
        out[18] = self.slice.get();
        out[19..21].copy_from_slice(&self.segment_mask.to_le_bytes());
        out[21..26].copy_from_slice(&self.issued_s.to_le_bytes()[..5]);
        out[26..28].copy_from_slice(&self.unit_tag.to_le_bytes());
        out[28..36].copy_from_slice(&self.nonce);
    }

    /// Reads the 36 bytes, or returns `None` for another length or an unknown slice.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            rollout: u32::from_le_bytes(array(bytes, 0)?),
            version: u32::from_le_bytes(array(bytes, 4)?),
            origin_epoch: u32::from_le_bytes(array(bytes, 8)?),
            serve_epoch: u32::from_le_bytes(array(bytes, 12)?),
            arm: *bytes.get(16)?,
            flags: Flags::from_bits(*bytes.get(17)?),
            slice: Slice::new(*bytes.get(18)?)?,
            segment_mask: u16::from_le_bytes(array(bytes, 19)?),
            issued_s: issued(array(bytes, 21)?),
            unit_tag: u16::from_le_bytes(array(bytes, 26)?),
            nonce: array(bytes, 28)?,
        })
    }
}

fn array<const N: usize>(bytes: &[u8], start: usize) -> Option<[u8; N]> {
    bytes.get(start..)?.first_chunk().copied()
}

fn issued(bytes: [u8; 5]) -> u64 {
    let mut wide = [0; 8];
    wide[..5].copy_from_slice(&bytes);
    u64::from_le_bytes(wide)
}

/// How the answer behind a token came about, as bits.
///
/// Bits without a name are kept: a newer sidecar may have set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u8);

impl Flags {
    /// The outcome belongs to a randomised, eligible unit and counts as evidence.
    pub const ANALYSABLE: Self = Self(1);
    /// The answer followed a pin.
    pub const PINNED: Self = Self(1 << 1);
    /// The conversation has seen two versions.
    pub const MIXED: Self = Self(1 << 2);
    /// The application was asked for a score.
    pub const SCORE_REQUESTED: Self = Self(1 << 3);
    /// The answer counts as shown when it is used, not when it was resolved.
    pub const ON_USE: Self = Self(1 << 4);

    /// Wraps the wire byte.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The wire byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Tells whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Why the answer is not analysable: the number of a `v1::Exclusion`, in the top
    /// three bits; 0 where none was noted.
    pub const fn exclusion(self) -> u8 {
        self.0 >> 5
    }

    /// The flags with the number of an exclusion, of which the low three bits are kept.
    #[must_use]
    pub const fn with_exclusion(self, exclusion: u8) -> Self {
        Self(self.0 & 0x1f | exclusion << 5)
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
