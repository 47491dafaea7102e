//! The laws of tokens: a round trip keeps every field, and any flipped bit is refused.

use proptest::prelude::*;

use super::*;
use crate::assign::Slice;

const NOW_S: u64 = 1_795_000_000;
const DAY_S: u64 = 86_400;

fn key(id: u8) -> Key {
    Key::new(id, [id.wrapping_mul(7).wrapping_add(3); 32])
}

fn ring(ids: impl IntoIterator<Item = u8>) -> KeyRing {
    KeyRing::new(ids.into_iter().map(key)).unwrap()
}

prop_compose! {
    fn fields()(
        (rollout, version, origin_epoch, serve_epoch) in any::<(u32, u32, u32, u32)>(),
        (arm, bits, segment_mask, unit_tag) in any::<(u8, u8, u16, u16)>(),
        slice in 0_u8..64,
        issued_s in NOW_S - DAY_S..=NOW_S + CLOCK_TOLERANCE_S,
        nonce: [u8; 8],
    ) -> TokenFields {
        let (flags, slice) = (Flags::from_bits(bits), Slice::new(slice).unwrap());
        TokenFields {
            rollout, version, origin_epoch, serve_epoch, arm, flags, slice, segment_mask, issued_s,
            unit_tag, nonce,
        }
    }
}

fn some_token(issued_s: u64) -> Token {
    let key = key(1);
    let fields = TokenFields {
        rollout: 7,
        version: 9,
        origin_epoch: 1,
        serve_epoch: 2,
        arm: 1,
        flags: Flags::ANALYSABLE.with(Flags::PINNED),
        slice: Slice::new(63).unwrap(),
        segment_mask: 5,
        issued_s,
        unit_tag: key.unit_tag("alice"),
        nonce: *b"12345678",
    };
    Token::issue(fields, &key)
}

proptest! {
    #[test]
    fn a_round_trip_keeps_every_field(fields in fields(), id: u8) {
        let token = Token::issue(fields, &key(id));
        let opened = Token::open(token.as_bytes(), &ring([id]), NOW_S, DAY_S).unwrap();
        prop_assert_eq!(opened.fields(), &fields);
        let text = token.to_text();
        prop_assert_eq!(text.len(), TOKEN_TEXT_BYTES);
        prop_assert_eq!(Token::open_text(&text, &ring([id]), NOW_S, DAY_S), Ok(token));
    }

    #[test]
    fn any_flipped_bit_is_refused(fields in fields(), id: u8) {
        // Every key is in the ring, so a changed key id meets a real key.
        let keys = ring(0..=255);
        let token = Token::issue(fields, &key(id));
        for bit in 0..TOKEN_BYTES * 8 {
            let mut bytes = *token.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 { TokenError::Malformed } else { TokenError::Forged };
            prop_assert_eq!(Token::open(&bytes, &keys, NOW_S, DAY_S), Err(expected), "bit {}", bit);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), text: String) {
        prop_assert!(Token::open(&bytes, &ring(0..=255), NOW_S, DAY_S).is_err());
        prop_assert!(Token::open_text(&text, &ring(0..=255), NOW_S, DAY_S).is_err());
    }
}

#[test]
fn each_refusal_has_its_own_kind() {
    let token = some_token(NOW_S);
    let keys = ring([1, 2]);
    let open = |now_s, max_age_s| Token::open(token.as_bytes(), &keys, now_s, max_age_s);
    assert_eq!(
        Token::open(&token.as_bytes()[..47], &keys, NOW_S, DAY_S),
        Err(TokenError::Malformed)
    );
    assert_eq!(
        Token::open(token.as_bytes(), &ring([2]), NOW_S, DAY_S),
        Err(TokenError::UnknownKey(1))
    );
    assert_eq!(open(NOW_S + 10, 10), Ok(token));
    assert_eq!(open(NOW_S + 11, 10), Err(TokenError::Expired { age_s: 11 }));
    assert_eq!(open(NOW_S - CLOCK_TOLERANCE_S, 0), Ok(token));
    assert_eq!(
        open(NOW_S - CLOCK_TOLERANCE_S - 1, DAY_S),
        Err(TokenError::Future {
            ahead_s: CLOCK_TOLERANCE_S + 1
        })
    );
}

#[test]
fn padding_and_the_other_alphabet_are_malformed() {
    let keys = ring([1]);
    let text = some_token(NOW_S).to_text();
    for wrong in [
        format!("{text}="),
        text.replacen(&text[..1], "+", 1),
        format!("{}é", &text[..62]),
    ] {
        assert_eq!(
            Token::open_text(&wrong, &keys, NOW_S, DAY_S),
            Err(TokenError::Malformed)
        );
    }
}

#[test]
fn a_token_belongs_to_its_unit_only() {
    let token = some_token(NOW_S);
    assert!(token.belongs_to("alice", &ring([1])));
    assert!(!token.belongs_to("bob", &ring([1])));
    assert!(!token.belongs_to("alice", &ring([2])));
}

#[test]
fn secrets_stay_out_of_debug_output() {
    assert_eq!(format!("{:?}", key(1)), "Key { id: 1, .. }");
}

#[test]
fn the_time_of_issue_saturates() {
    assert_eq!(some_token(u64::MAX).fields().issued_s, (1 << 40) - 1);
}

#[test]
fn two_keys_may_not_share_an_id() {
    let duplicate = KeyRing::new([key(3), key(1), key(3)]);
    assert_eq!(duplicate.unwrap_err(), KeyRingError::Duplicate(3));
}
