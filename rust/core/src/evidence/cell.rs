//! Counts of one metric for one arm, split by the 64 slices of the units.
//!
//! Integers only: adding in any order, in any grouping, gives the same value. A cell
//! does not know its key (`key`) nor which test reads it (`kernel`).

use super::error::EvidenceError;
use super::slices::{SliceTable, add, read, unzigzag, zigzag};
use crate::assign::Slice;
use crate::sketch::varint;

/// Observations are clamped to ± this value in their scaled unit: 31 years in
/// microseconds, a million currency units. Its square fits 10⁸ times into an `i128`.
pub const OBSERVATION_LIMIT: i64 = 1_000_000_000_000_000;

/// No slice holds more observations than this, so that sums fit an `i128`.
pub const MAX_OBSERVATIONS: u64 = i64::MAX.cast_unsigned();

/// A threshold set has at most this many buckets.
pub const MAX_BUCKETS: usize = 64;

const SQUARE_LIMIT: i128 = (OBSERVATION_LIMIT as i128) * (OBSERVATION_LIMIT as i128);

/// How a metric is counted, which decides the columns of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Each column counts some of the observations: one column for a rate, one per
    /// bucket for an exceedance metric, from the lowest bucket to the highest.
    Counts(u8),
    /// A sum per slice, and Σx² of the cell.
    Mean,
    /// Two sums per slice, and Σa², Σb², Σab of the cell.
    Ratio,
}

impl Shape {
    /// Columns per slice, beside the number of observations.
    pub const fn values(self) -> usize {
        match self {
            Self::Counts(columns) => columns as usize,
            Self::Mean => 1,
            Self::Ratio => 2,
        }
    }

    /// Second moments of the whole cell.
    pub const fn moments(self) -> usize {
        match self {
            Self::Counts(_) => 0,
            Self::Mean => 1,
            Self::Ratio => 3,
        }
    }

    /// The shape with these columns and moments; `None` if there is none.
    fn of(values: u32, moments: usize) -> Option<Self> {
        match (values, moments) {
            (1, 1) => Some(Self::Mean),
            (2, 3) => Some(Self::Ratio),
            (1.., 0) => u8::try_from(values)
                .ok()
                .filter(|columns| usize::from(*columns) <= MAX_BUCKETS)
                .map(Self::Counts),
            _ => None,
        }
    }
}

/// One observation, as its metric counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The first so many columns count it: 0 or 1 for a rate, for an exceedance metric
    /// the number of buckets that the value lies above.
    Counted(u8),
    /// A value in the metric's scaled unit.
    Value(i64),
    /// Numerator and denominator, neither negative.
    Pair(i64, i64),
}

/// Counts of one metric for one arm under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    shape: Shape,
    slices: SliceTable,
    moments: [i128; 3],
}

impl Cell {
    /// A cell without observations.
    pub const fn new(shape: Shape) -> Self {
        Self {
            shape,
            // The first column is the number of observations.
            slices: SliceTable::new(1 + shape.values()),
            moments: [0; 3],
        }
    }

    /// How the cell counts.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Counts one observation, clamped to [`OBSERVATION_LIMIT`].
    ///
    /// Returns false, and counts nothing, for an observation of another shape.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Overflow`] for a moment that leaves its integer.
    pub fn add(&mut self, slice: Slice, observation: Observation) -> Result<bool, EvidenceError> {
        match (self.shape, observation) {
            (Shape::Counts(columns), Observation::Counted(first)) if first <= columns => {
                let row = self.slices.row_mut(slice);
                for number in &mut row[..=usize::from(first)] {
                    *number += 1;
                }
            }
            (Shape::Mean, Observation::Value(value)) => self.add_values(slice, [value])?,
            (Shape::Ratio, Observation::Pair(a, b)) if a >= 0 && b >= 0 => {
                self.add_values(slice, [a, b])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_values<const N: usize>(
        &mut self,
        slice: Slice,
        values: [i64; N],
    ) -> Result<(), EvidenceError> {
        let values =
            values.map(|value| i128::from(value.clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)));
        let mut moments = self.moments;
        for (moment, square) in moments.iter_mut().zip(squares(values)) {
            *moment = add(*moment, square)?;
        }
        self.moments = moments;
        let row = self.slices.row_mut(slice);
        row[0] += 1;
        for (number, value) in row[1..].iter_mut().zip(values) {
            *number += value;
        }
        Ok(())
    }

    /// Adds the observations of a cell of the same shape.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Overflow`]; the cell may then hold a part of the other.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), EvidenceError> {
        self.slices.merge(&other.slices)?;
        for (mine, theirs) in self.moments.iter_mut().zip(other.moments) {
            *mine = add(*mine, theirs)?;
        }
        let within = |(_, row): (Slice, &[i128])| row[0] <= i128::from(MAX_OBSERVATIONS);
        if self.slices.rows().all(within) {
            Ok(())
        } else {
            Err(EvidenceError::Overflow("a cell"))
        }
    }

    /// Slices with observations, ascending: their number and one sum per column.
    pub fn rows(&self) -> impl Iterator<Item = (Slice, u64, &[i128])> {
        let rows = self.slices.rows();
        rows.map(|(slice, row)| (slice, natural(row[0]), &row[1..]))
    }

    /// Number of observations over all slices; saturates at `u64::MAX`.
    pub fn count(&self) -> u64 {
        let counts = self.rows().map(|(_, n, _)| n);
        counts.fold(0, u64::saturating_add)
    }

    /// Sum of a column over all slices; 0 for a column that the shape does not have.
    pub fn sum(&self, column: usize) -> i128 {
        let column = |row: &[i128]| row.get(column).copied().unwrap_or(0);
        self.rows().map(|(_, _, row)| column(row)).sum()
    }

    /// The second moments of the shape: none, Σx², or Σa², Σb², Σab.
    pub fn moments(&self) -> &[i128] {
        &self.moments[..self.shape.moments()]
    }

    /// Whether nothing was counted.
    pub const fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The slices as `Cell.slices` of the protocol carries them.
    pub(super) fn encode_slices(&self) -> Vec<u8> {
        self.slices.encode(1)
    }

    /// The moments as `Cell.moments` of the protocol carries them.
    pub(super) fn encode_moments(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for moment in self.moments() {
            varint::write(&mut out, zigzag(*moment));
        }
        out
    }

    /// Reads a cell and refuses one that no observations can have produced.
    pub(super) fn decode(
        values: u32,
        slices: &[u8],
        mut moments: &[u8],
    ) -> Result<Self, EvidenceError> {
        let mut read_moments = [0; 3];
        let mut count = 0;
        while !moments.is_empty() {
            let moment = read_moments.get_mut(count).ok_or(UNKNOWN_SHAPE)?;
            *moment = unzigzag(read(&mut moments)?);
            count += 1;
        }
        let shape = Shape::of(values, count).ok_or(UNKNOWN_SHAPE)?;
        let cell = Self {
            shape,
            slices: SliceTable::decode(slices, 1 + shape.values(), 1)?,
            moments: read_moments,
        };
        if cell.is_possible() {
            Ok(cell)
        } else {
            Err(EvidenceError::Malformed("no observations give such a cell"))
        }
    }

    fn is_possible(&self) -> bool {
        let mut n = 0;
        let mut least_squares = [0.0; 2];
        for (_, row) in self.slices.rows() {
            if !self.shape.allows(row) {
                return false;
            }
            n += row[0];
            for (least, sum) in least_squares.iter_mut().zip(&row[1..]) {
                *least += (*sum as f64) * (*sum as f64 / row[0] as f64);
            }
        }
        let most = n.saturating_mul(SQUARE_LIMIT);
        let squares = self.moments().iter().zip(least_squares);
        let reached = squares
            .clone()
            .all(|(sum, least)| *sum as f64 >= least * (1.0 - 1e-12));
        n > 0 && reached && self.moments().iter().all(|sum| (0..=most).contains(sum))
    }
}

impl Shape {
    /// Whether the row of a slice can come from observations of this shape.
    fn allows(self, row: &[i128]) -> bool {
        let n = row[0];
        let most = n.saturating_mul(i128::from(OBSERVATION_LIMIT));
        let counted = (1..=i128::from(MAX_OBSERVATIONS)).contains(&n);
        counted
            && match self {
                Self::Counts(_) => row.windows(2).all(|pair| (0..=pair[0]).contains(&pair[1])),
                Self::Mean => (-most..=most).contains(&row[1]),
                Self::Ratio => row[1..].iter().all(|sum| (0..=most).contains(sum)),
            }
    }
}

const UNKNOWN_SHAPE: EvidenceError =
    EvidenceError::Malformed("values and moments of a cell fit no kind of metric");

/// x² of one value; a², b², ab of two.
fn squares<const N: usize>(values: [i128; N]) -> [i128; 3] {
    match values.as_slice() {
        [x] => [x * x, 0, 0],
        [a, b] => [a * a, b * b, a * b],
        _ => [0; 3],
    }
}

/// A count that is known to lie within `0..=MAX_OBSERVATIONS`.
pub(super) fn natural(count: i128) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
