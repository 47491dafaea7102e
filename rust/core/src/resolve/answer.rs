//! The answer to a resolve, written without copying content through a message.
//!
//! Byte for byte what `v1::ResolvePromptResponse` would encode to: the fields that
//! differ between requests, then the fixed fields that the snapshot encoded once.

use std::sync::Arc;

use prost::DecodeError;
use prost::bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, bool, int32, message, skip_field, uint64};
use prost::encoding::{encode_key, encode_varint, encoded_len_varint};

use crate::token::TOKEN_BYTES;
use crate::v1;

/// A `v1::ResolvePromptResponse` whose content is already encoded.
///
/// Only ever written: reading one is for `v1::ResolvePromptResponse`, and decoding into
/// this type skips every field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedResolveResponse {
    /// The token of the answer.
    pub token: [u8; TOKEN_BYTES],
    /// Name of the arm.
    pub arm: Arc<str>,
    /// Why this version.
    pub reason: v1::Reason,
    /// Revision of the configuration that decided.
    pub config_revision: u64,
    /// Milliseconds since a controller last confirmed it.
    pub config_age_ms: u64,
    /// It is older than the controller said it may be.
    pub stale: bool,
    /// A fixed sentence where the reason needs one.
    pub detail: &'static str,
    /// Fields 8 and above: version, content, parameters, schema.
    pub fixed: Bytes,
}

impl Default for EncodedResolveResponse {
    fn default() -> Self {
        Self {
            token: [0; TOKEN_BYTES],
            arm: Arc::from(""),
            reason: v1::Reason::Unspecified,
            config_revision: 0,
            config_age_ms: 0,
            stale: false,
            detail: "",
            fixed: Bytes::new(),
        }
    }
}

impl EncodedResolveResponse {
    /// The same answer as a message that can be read and changed.
    ///
    /// # Errors
    ///
    /// Never for an answer that [`resolve`](super::resolve) gave.
    pub fn to_message(&self) -> Result<v1::ResolvePromptResponse, DecodeError> {
        prost::Message::decode(prost::Message::encode_to_vec(self).as_slice())
    }
}

impl prost::Message for EncodedResolveResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        encode_key(1, WireType::LengthDelimited, buf);
        encode_varint(TOKEN_BYTES as u64, buf);
        buf.put_slice(&self.token);
        encode_text(2, &self.arm, buf);
        if self.reason != v1::Reason::Unspecified {
            int32::encode(3, &i32::from(self.reason), buf);
        }
        if self.config_revision != 0 {
            uint64::encode(4, &self.config_revision, buf);
        }
        if self.config_age_ms != 0 {
            uint64::encode(5, &self.config_age_ms, buf);
        }
        if self.stale {
            bool::encode(6, &true, buf);
        }
        encode_text(7, self.detail, buf);
        buf.put_slice(&self.fixed);
    }

    fn encoded_len(&self) -> usize {
        let number = |tag, number: u64| match number {
            0 => 0,
            number => uint64::encoded_len(tag, &number),
        };
        let reason = match self.reason {
            v1::Reason::Unspecified => 0,
            reason => int32::encoded_len(3, &i32::from(reason)),
        };
        // One byte each for the keys of token and `stale` and for the token's length.
        2 + TOKEN_BYTES
            + text_len(&self.arm)
            + reason
            + number(4, self.config_revision)
            + number(5, self.config_age_ms)
            + 2 * usize::from(self.stale)
            + text_len(self.detail)
            + self.fixed.len()
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buf, context)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// One item of a batch: an answer or why there is none; a `v1::ResolvedItem`.
///
/// Only ever written, as [`EncodedResolveResponse`].
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedResolvedItem(pub Result<EncodedResolveResponse, v1::ItemError>);

impl Default for EncodedResolvedItem {
    fn default() -> Self {
        Self(Err(v1::ItemError::default()))
    }
}

impl prost::Message for EncodedResolvedItem {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        match &self.0 {
            Ok(answer) => message::encode(1, answer, buf),
            Err(error) => message::encode(2, error, buf),
        }
    }

    fn encoded_len(&self) -> usize {
        match &self.0 {
            Ok(answer) => message::encoded_len(1, answer),
            Err(error) => message::encoded_len(2, error),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buf, context)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The answers of a batch, all under one configuration; a `v1::ResolvePromptsResponse`.
///
/// Only ever written, as [`EncodedResolveResponse`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EncodedResolvePromptsResponse {
    /// One per request, in their order.
    pub items: Vec<EncodedResolvedItem>,
    /// Revision of the configuration that decided all of them.
    pub config_revision: u64,
}

impl prost::Message for EncodedResolvePromptsResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        message::encode_repeated(1, &self.items, buf);
        if self.config_revision != 0 {
            uint64::encode(2, &self.config_revision, buf);
        }
    }

    fn encoded_len(&self) -> usize {
        let revision = match self.config_revision {
            0 => 0,
            revision => uint64::encoded_len(2, &revision),
        };
        message::encoded_len_repeated(1, &self.items) + revision
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buf, context)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Writes a text field as prost does for a `String`: nothing where it is empty.
fn encode_text(tag: u32, text: &str, buf: &mut impl BufMut) {
    if !text.is_empty() {
        encode_key(tag, WireType::LengthDelimited, buf);
        encode_varint(text.len() as u64, buf);
        buf.put_slice(text.as_bytes());
    }
}

/// The length of a text field whose tag is below 16.
fn text_len(text: &str) -> usize {
    match text.len() {
        0 => 0,
        length => 1 + encoded_len_varint(length as u64) + length,
    }
}
