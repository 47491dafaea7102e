//! The assignment token: 48 bytes that prove what a sidecar once served to a unit.
//!
//! Any sidecar of the environment opens it, minutes or days later, with no state per
//! unit. It hides nothing (its fields are readable) and knows no unit, only a 16-bit
//! keyed tag of one. Replays are the business of the report window, not of this module.

mod fields;
mod key;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

pub use fields::{Flags, TokenFields};
pub use key::{Key, KeyRing, KeyRingError};

/// The length of a token in bytes.
pub const TOKEN_BYTES: usize = 48;

/// The length of a token as base64url text.
pub const TOKEN_TEXT_BYTES: usize = TOKEN_BYTES / 3 * 4;

/// How far ahead of the reader's clock a token may have been issued, in seconds.
pub const CLOCK_TOLERANCE_S: u64 = 300;

/// The part of a token that the MAC covers; the MAC is the rest.
const SIGNED_BYTES: usize = 38;

/// The tokens of another format are refused as malformed.
const FORMAT: u8 = 1;

/// Why a token was refused; each kind is counted on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The bytes are no token of a known format.
    #[error("the token is malformed: send it back exactly as ResolvePrompt returned it")]
    Malformed,
    /// No key of the ring has the token's key id.
    #[error(
        "the token names key `{0}`, which is not in the key ring: it was retired or belongs to another environment"
    )]
    UnknownKey(u8),
    /// The MAC does not match the fields.
    #[error("the token is forged or damaged: its authentication code does not match")]
    Forged,
    /// The token is older than the caller accepts.
    #[error("the token expired: it was issued `{age_s}` s ago")]
    Expired {
        /// The age of the token in seconds.
        age_s: u64,
    },
    /// The token was issued later than the reader's clock plus [`CLOCK_TOLERANCE_S`].
    #[error("the token was issued `{ahead_s}` s in the future: compare the clocks of the sidecars")]
    Future {
        /// How far ahead of the reader's clock, in seconds.
        ahead_s: u64,
    },
}

/// A token whose authentication code is known to match its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    bytes: [u8; TOKEN_BYTES],
    fields: TokenFields,
}

impl Token {
    /// Seals the fields under the key.
    ///
    /// `fields.issued_s` has 40 bits on the wire and saturates there, in the year 36812.
    pub fn issue(fields: TokenFields, key: &Key) -> Self {
        let fields = fields.clamped();
        let mut bytes = [0; TOKEN_BYTES];
        bytes[0] = FORMAT;
        bytes[1] = key.id();
        fields.write(&mut bytes[2..SIGNED_BYTES]);
        let mac = key.mac(&bytes[..SIGNED_BYTES]);
        bytes[SIGNED_BYTES..].copy_from_slice(&mac);
        Self { bytes, fields }
    }

    /// Authenticates a token and returns its fields.
    ///
    /// # Errors
    ///
    /// In this order: [`TokenError::Malformed`], `UnknownKey`, `Forged` (compared in
    /// constant time), `Future`, `Expired`. A token of exactly `max_age_s` is accepted.
    pub fn open(
        bytes: &[u8],
        keys: &KeyRing,
        now_s: u64,
        max_age_s: u64,
    ) -> Result<Self, TokenError> {
        let bytes: [u8; TOKEN_BYTES] = bytes.try_into().map_err(|_| TokenError::Malformed)?;
        if bytes[0] != FORMAT {
            return Err(TokenError::Malformed);
        }
        let key = keys.get(bytes[1]).ok_or(TokenError::UnknownKey(bytes[1]))?;
        let (signed, mac) = bytes.split_at(SIGNED_BYTES);
        if !constant_time_eq::constant_time_eq(&key.mac(signed), mac) {
            return Err(TokenError::Forged);
        }
        let fields = TokenFields::read(&signed[2..]).ok_or(TokenError::Malformed)?;
        check_age(fields.issued_s, now_s, max_age_s)?;
        Ok(Self { bytes, fields })
    }

    /// Opens the base64url form; padding and other alphabets are malformed.
    ///
    /// # Errors
    ///
    /// As [`Token::open`].
    pub fn open_text(
        text: &str,
        keys: &KeyRing,
        now_s: u64,
        max_age_s: u64,
    ) -> Result<Self, TokenError> {
        if text.len() != TOKEN_TEXT_BYTES {
            return Err(TokenError::Malformed);
        }
        let mut bytes = [0; TOKEN_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes);
        match decoded {
            Ok(TOKEN_BYTES) => Self::open(&bytes, keys, now_s, max_age_s),
            _ => Err(TokenError::Malformed),
        }
    }

    /// What the token says.
    pub const fn fields(&self) -> &TokenFields {
        &self.fields
    }

    /// The wire form.
    pub const fn as_bytes(&self) -> &[u8; TOKEN_BYTES] {
        &self.bytes
    }

    /// The wire form as base64url without padding.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }

    /// The id of the key that sealed the token.
    pub const fn key_id(&self) -> u8 {
        self.bytes[1]
    }

    /// Tells whether the token's tag is that of the unit: false for 65,535 of 65,536
    /// other units. A pin whose tag does not match is refused.
    pub fn belongs_to(&self, unit: &str, keys: &KeyRing) -> bool {
        keys.get(self.key_id())
            .is_some_and(|key| key.unit_tag(unit) == self.fields.unit_tag)
    }
}

fn check_age(issued_s: u64, now_s: u64, max_age_s: u64) -> Result<(), TokenError> {
    let ahead_s = issued_s.saturating_sub(now_s);
    if ahead_s > CLOCK_TOLERANCE_S {
        return Err(TokenError::Future { ahead_s });
    }
    let age_s = now_s.saturating_sub(issued_s);
    if age_s > max_age_s {
        return Err(TokenError::Expired { age_s });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
