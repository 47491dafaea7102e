//! The values of an `In` condition, sorted for binary search.

use std::cmp::Ordering;

use super::condition::Literal;
use super::matcher::Value;

/// Up to this many texts a scan, which mostly compares lengths, beats a search.
const SCANNED: usize = 8;

/// Values of one condition by type.
#[derive(Debug, Clone, Default)]
pub(super) struct Set {
    texts: Box<[Box<str>]>,
    numbers: Box<[f64]>,
    booleans: [bool; 2],
}

impl Set {
    pub(super) fn new(values: &[Literal]) -> Self {
        let mut texts: Vec<Box<str>> = Vec::new();
        let mut numbers = Vec::new();
        let mut booleans = [false; 2];
        for value in values {
            match value {
                Literal::Text(text) => texts.push(text.as_str().into()),
                Literal::Number(number) => numbers.push(unsigned_zero(*number)),
                Literal::Boolean(boolean) => booleans[usize::from(*boolean)] = true,
            }
        }
        texts.sort_unstable_by(|left, right| by_length(left, right));
        numbers.sort_unstable_by(f64::total_cmp);
        Self {
            texts: texts.into(),
            numbers: numbers.into(),
            booleans,
        }
    }

    pub(super) fn contains(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) if self.texts.len() <= SCANNED => {
                self.texts.iter().any(|known| **known == *text)
            }
            Value::Text(text) => self
                .texts
                .binary_search_by(|known| by_length(known, text))
                .is_ok(),
            Value::Number(number) => self
                .numbers
                .binary_search_by(|known| known.total_cmp(&unsigned_zero(number)))
                .is_ok(),
            Value::Boolean(boolean) => self.booleans[usize::from(boolean)],
        }
    }
}

/// Shorter first: most comparisons end at the length.
fn by_length(left: &str, right: &str) -> Ordering {
    (left.len(), left.as_bytes()).cmp(&(right.len(), right.as_bytes()))
}

/// Adding zero turns −0 into 0, which `total_cmp` would tell apart.
fn unsigned_zero(number: f64) -> f64 {
    number + 0.0
}
