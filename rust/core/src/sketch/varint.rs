//! Whole numbers in as few bytes as they need: LEB128, shortest form only.
//!
//! A reader accepts one form per number, so equal sketches are equal bytes.

/// Appends a number, seven bits a byte, lowest first.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low seven bits are meant"
)]
pub(crate) fn write(out: &mut Vec<u8>, mut number: u128) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front; `None` when it is cut short, too large for `u128`, or
/// not in its shortest form.
pub(crate) fn read(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..u128::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let digit = u128::from(byte & 0x7f);
        number |= digit << shift;
        if number >> shift != digit {
            return None;
        }
        if byte & 0x80 == 0 {
            return (digit > 0 || shift == 0).then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_round_trip_keeps_the_number(number: u128, shift in 0..128_u32, tail: Vec<u8>) {
            let mut bytes = Vec::new();
            write(&mut bytes, number >> shift);
            bytes.extend(&tail);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read(&mut rest), Some(number >> shift));
            prop_assert_eq!(rest, tail.as_slice());
        }

        #[test]
        fn what_is_read_is_written_the_same_way(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            if let Some(number) = read(&mut rest) {
                let mut written = Vec::new();
                write(&mut written, number);
                prop_assert_eq!(&written, &bytes[..bytes.len() - rest.len()]);
            }
        }
    }

    #[test]
    fn longer_forms_and_larger_numbers_are_refused() {
        assert_eq!(read(&mut [0x80, 0].as_slice()), None);
        assert_eq!(read(&mut [0xff; 19].as_slice()), None);
        assert_eq!(read(&mut [0xff].as_slice()), None);
        assert_eq!(read(&mut [].as_slice()), None);
    }
}
