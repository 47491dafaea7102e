//! Holds tokens to the bytes that Python's `blake3` package generated.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pitcanary_core::assign::Slice;
use pitcanary_core::token::{Flags, Key, KeyRing, Token, TokenFields};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    secret: String,
    fields: Fields,
    unit_tag: u16,
    token: String,
    text: String,
}

#[derive(Deserialize)]
struct Fields {
    key_id: u8,
    rollout: u32,
    version: u32,
    origin_epoch: u32,
    serve_epoch: u32,
    arm: u8,
    flags: u8,
    slice: u8,
    segment_mask: u16,
    issued_s: u64,
    nonce: String,
    unit: String,
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    assert_eq!(hex.len(), 2 * N);
    std::array::from_fn(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
}

fn token_fields(fields: &Fields, unit_tag: u16) -> TokenFields {
    TokenFields {
        rollout: fields.rollout,
        version: fields.version,
        origin_epoch: fields.origin_epoch,
        serve_epoch: fields.serve_epoch,
        arm: fields.arm,
        flags: Flags::from_bits(fields.flags),
        slice: Slice::new(fields.slice).unwrap(),
        segment_mask: fields.segment_mask,
        issued_s: fields.issued_s,
        unit_tag,
        nonce: bytes(&fields.nonce),
    }
}

#[test]
fn issued_bytes_agree() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/token.json"
    );
    let file: File = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(file.cases.len() >= 7);
    for case in file.cases {
        let key = Key::new(case.fields.key_id, bytes(&case.secret));
        assert_eq!(key.unit_tag(&case.fields.unit), case.unit_tag);
        let token = Token::issue(token_fields(&case.fields, case.unit_tag), &key);
        assert_eq!(*token.as_bytes(), bytes(&case.token));
        assert_eq!(token.to_text(), case.text);
        let keys = KeyRing::new([key]).unwrap();
        let opened = Token::open_text(&case.text, &keys, case.fields.issued_s, 0);
        assert_eq!(opened, Ok(token));
        assert!(token.belongs_to(&case.fields.unit, &keys));
    }
}
