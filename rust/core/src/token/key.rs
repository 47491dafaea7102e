//! The keys that seal tokens, and the ring of those still accepted.
//!
//! Keys belong to an environment and arrive with the configuration; which one seals
//! new tokens is decided there. Secrets never show in `Debug` output.

use std::fmt;

use thiserror::Error;

/// Separates unit tags from MACs, so a tag never reveals bytes of a MAC.
const TAG_CONTEXT: &str = "pitcanary 2026-11 token unit tag";

/// The bytes of the truncated MAC.
const MAC_BYTES: usize = 10;

/// A secret and its one-byte id.
#[derive(Clone)]
pub struct Key {
    id: u8,
    secret: [u8; 32],
    tag_secret: [u8; 32],
}

impl Key {
    /// Wraps a secret of 32 random bytes.
    pub fn new(id: u8, secret: [u8; 32]) -> Self {
        let tag_secret = blake3::derive_key(TAG_CONTEXT, &secret);
        Self {
            id,
            secret,
            tag_secret,
        }
    }

    /// The id that tokens name.
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// A 16-bit keyed tag of a unit, which binds a token to it without naming it.
    pub fn unit_tag(&self, unit: &str) -> u16 {
        let hash = blake3::keyed_hash(&self.tag_secret, unit.as_bytes());
        let [low, high, ..] = *hash.as_bytes();
        u16::from_le_bytes([low, high])
    }

    /// The first bytes of the keyed BLAKE3 hash.
    pub(super) fn mac(&self, signed: &[u8]) -> [u8; MAC_BYTES] {
        let hash = blake3::keyed_hash(&self.secret, signed);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&hash.as_bytes()[..MAC_BYTES]);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a key ring was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// Two keys have one id.
    #[error("key id `{0}` appears twice: give every key of an environment its own id")]
    Duplicate(u8),
}

/// The keys whose tokens are accepted, looked up by id.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(Box<[Key]>);

impl KeyRing {
    /// Collects keys with distinct ids.
    ///
    /// # Errors
    ///
    /// When two keys have one id.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, KeyRingError> {
        let mut sorted: Box<[Key]> = keys.into_iter().collect();
        sorted.sort_by_key(Key::id);
        match sorted.windows(2).find(|pair| pair[0].id == pair[1].id) {
            Some(pair) => Err(KeyRingError::Duplicate(pair[0].id)),
            None => Ok(Self(sorted)),
        }
    }

    /// The key with the id.
    pub fn get(&self, id: u8) -> Option<&Key> {
        let position = self.0.binary_search_by_key(&id, Key::id).ok()?;
        self.0.get(position)
    }
}
