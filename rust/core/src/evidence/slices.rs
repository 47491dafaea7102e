//! A row of numbers for each slice that has any, from none to all 64.
//!
//! One bit per slice says which rows exist, so a young cell is small, a full one is a
//! plain array, and equal contents are equal values. What the numbers mean is the
//! business of `cell` and `exposure`.

use super::error::EvidenceError;
use crate::assign::{SLICE_COUNT, Slice};
use crate::sketch::varint;

/// Rows of `width` numbers, kept for occupied slices only, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SliceTable {
    occupied: u64,
    width: usize,
    numbers: Vec<i128>,
}

impl SliceTable {
    pub(super) const fn new(width: usize) -> Self {
        Self {
            occupied: 0,
            width,
            numbers: Vec::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The row of a slice, created with zeros when it has none.
    pub(super) fn row_mut(&mut self, slice: Slice) -> &mut [i128] {
        let start = self.start(slice);
        if self.occupied & bit(slice) == 0 {
            let zeros = std::iter::repeat_n(0, self.width);
            self.numbers.splice(start..start, zeros);
            self.occupied |= bit(slice);
        }
        &mut self.numbers[start..start + self.width]
    }

    /// The rows that exist, by ascending slice.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Slice, &[i128])> {
        let slices = (0..SLICE_COUNT)
            .filter_map(Slice::new)
            .filter(|slice| self.occupied & bit(*slice) != 0);
        slices.zip(self.numbers.chunks_exact(self.width))
    }

    /// Adds the rows of a table of the same width.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        for (slice, theirs) in other.rows() {
            for (mine, number) in self.row_mut(slice).iter_mut().zip(theirs) {
                *mine = add(*mine, *number)?;
            }
        }
        Ok(())
    }

    /// Appends the rows: slice delta, then the first `plain` numbers as LEB128 and the
    /// rest as zigzag LEB128.
    pub(super) fn encode(&self, plain: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut previous = 0;
        for (slice, row) in self.rows() {
            varint::write(&mut out, u128::from(slice.get() - previous));
            previous = slice.get();
            for (column, number) in row.iter().enumerate() {
                let coded = if column < plain {
                    number.cast_unsigned()
                } else {
                    zigzag(*number)
                };
                varint::write(&mut out, coded);
            }
        }
        out
    }

    /// Reads what [`SliceTable::encode`] wrote; at most 64 rows, whatever the bytes say.
    pub(super) fn decode(
        mut bytes: &[u8],
        width: usize,
        plain: usize,
    ) -> Result<Self, EvidenceError> {
        let mut table = Self::new(width);
        let mut previous = None;
        while !bytes.is_empty() {
            let slice = next_slice(previous, read(&mut bytes)?)?;
            previous = Some(slice.get());
            table.occupied |= bit(slice);
            for column in 0..width {
                let coded = read(&mut bytes)?;
                let number = if column < plain {
                    i128::try_from(coded).map_err(|_| TOO_LARGE)?
                } else {
                    unzigzag(coded)
                };
                table.numbers.push(number);
            }
        }
        Ok(table)
    }

    /// Where the row of a slice starts, or would start.
    fn start(&self, slice: Slice) -> usize {
        let below = self.occupied & (bit(slice) - 1);
        below.count_ones() as usize * self.width
    }
}

const TOO_LARGE: EvidenceError = EvidenceError::Malformed("a count is too large");

const fn bit(slice: Slice) -> u64 {
    1 << slice.get()
}

fn next_slice(previous: Option<u8>, delta: u128) -> Result<Slice, EvidenceError> {
    let delta = u8::try_from(delta).ok();
    let number = match (previous, delta) {
        (None, delta) => delta,
        (Some(_), Some(0)) => None,
        (Some(previous), delta) => delta.and_then(|delta| previous.checked_add(delta)),
    };
    number.and_then(Slice::new).ok_or(EvidenceError::Malformed(
        "slices are not ascending below 64",
    ))
}

/// Adds two sums; overflow is refused, never wrapped.
pub(super) fn add(left: i128, right: i128) -> Result<i128, EvidenceError> {
    left.checked_add(right)
        .ok_or(EvidenceError::Overflow("a slice"))
}

/// Maps signed numbers to small unsigned ones: 0, −1, 1, −2 … become 0, 1, 2, 3 …
pub(super) const fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

pub(super) const fn unzigzag(coded: u128) -> i128 {
    (coded >> 1).cast_signed() ^ -((coded & 1).cast_signed())
}

/// Takes a number off the front of the bytes.
pub(super) fn read(bytes: &mut &[u8]) -> Result<u128, EvidenceError> {
    varint::read(bytes).ok_or(EvidenceError::Malformed(
        "a number is cut short or too long",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table() -> impl Strategy<Value = SliceTable> {
        let rows = prop::collection::btree_map(0..SLICE_COUNT, (0..i64::MAX, any::<i64>()), 0..64);
        rows.prop_map(|rows| {
            let mut table = SliceTable::new(2);
            // Descending, so that every insertion moves the rows before it.
            for (slice, (plain, signed)) in rows.into_iter().rev() {
                let row = table.row_mut(Slice::new(slice).unwrap());
                row.copy_from_slice(&[i128::from(plain), i128::from(signed)]);
            }
            table
        })
    }

    proptest! {
        #[test]
        fn zigzag_is_a_bijection(number: i128) {
            prop_assert_eq!(unzigzag(zigzag(number)), number);
        }

        #[test]
        fn small_numbers_of_either_sign_have_small_codes(number in -64..64_i128) {
            prop_assert!(zigzag(number) < 128);
        }

        #[test]
        fn a_round_trip_keeps_the_table(table in table()) {
            let bytes = table.encode(1);
            prop_assert_eq!(SliceTable::decode(&bytes, 2, 1), Ok(table));
        }

        #[test]
        fn what_is_read_is_written_the_same_way(bytes: Vec<u8>) {
            if let Ok(table) = SliceTable::decode(&bytes, 2, 1) {
                prop_assert_eq!(table.encode(1), bytes);
            }
        }

        #[test]
        fn merging_adds_row_by_row(left in table(), right in table()) {
            let mut merged = left.clone();
            merged.merge(&right).unwrap();
            for slice in (0..SLICE_COUNT).filter_map(Slice::new) {
                let row = |table: &SliceTable| {
                    let mut rows = table.rows();
                    rows.find(|(found, _)| *found == slice).map(|(_, row)| [row[0], row[1]])
                };
                let sum = match (row(&left), row(&right)) {
                    (Some(a), Some(b)) => Some([a[0] + b[0], a[1] + b[1]]),
                    (a, b) => a.or(b),
                };
                prop_assert_eq!(row(&merged), sum);
            }
        }
    }

    #[test]
    fn slices_must_ascend_below_64() {
        let refused = Err(EvidenceError::Malformed(
            "slices are not ascending below 64",
        ));
        assert_eq!(SliceTable::decode(&[64, 1], 1, 1), refused);
        assert_eq!(SliceTable::decode(&[5, 1, 0, 1], 1, 1), refused);
        assert_eq!(SliceTable::decode(&[63, 1, 1, 1], 1, 1), refused);
    }
}
