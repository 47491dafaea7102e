//! Sealed cells as the kernel compares them: one arm against the baseline, by stratum.
//!
//! A stratum is an allocation epoch and a segment within one seal; thresholds of
//! different sets are never put together. Which margins are tested on a comparison
//! is not known here.

use std::collections::BTreeMap;

use super::bundle::Bundle;
use super::cell::{Cell, Shape};
use super::kernel::ArmCell;
use super::key::CellKey;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The rollout.
    pub rollout: u32,
    /// The analysis generation.
    pub generation: u32,
    /// The metric within the generation.
    pub metric: u32,
    /// The arm that is compared with arm 0.
    pub arm: u8,
}

/// One stratum of one metric for two arms; a cell per column of the metric.
///
/// An arm without observations has empty cells: the kernel counts such strata and
/// learns the baseline's past from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Epoch of shares at the first assignment.
    pub epoch: u32,
    /// Threshold set in force at recording.
    pub threshold_set: u32,
    /// Stratum of the units.
    pub segment: u32,
    /// Arm 0.
    pub baseline: Vec<ArmCell>,
    /// The other arm.
    pub candidate: Vec<ArmCell>,
}

impl Bundle {
    /// The comparisons of a pair, by ascending epoch, threshold set and segment.
    ///
    /// The order is part of the result: floating sums depend on it.
    pub fn comparisons(&self, pair: Pair) -> Vec<Comparison> {
        let mut strata: BTreeMap<(u32, u32, u32), [Option<&Cell>; 2]> = BTreeMap::new();
        for (key, cell) in &self.cells {
            if let Some(side) = pair.side(key) {
                let stratum = (key.epoch, key.threshold_set, key.segment);
                strata.entry(stratum).or_default()[side] = Some(cell);
            }
        }
        strata
            .into_iter()
            .map(
                |((epoch, threshold_set, segment), [baseline, candidate])| Comparison {
                    epoch,
                    threshold_set,
                    segment,
                    baseline: columns(baseline, candidate),
                    candidate: columns(candidate, baseline),
                },
            )
            .collect()
    }
}

impl Pair {
    fn side(self, key: &CellKey) -> Option<usize> {
        let same = key.rollout == self.rollout
            && key.generation == self.generation
            && key.metric == self.metric;
        match key.arm {
            0 if same => Some(0),
            arm if same && arm == self.arm => Some(1),
            _ => None,
        }
    }
}

/// The cell's columns as cells of the kernel; empty ones in the other arm's shape.
fn columns(cell: Option<&Cell>, other: Option<&Cell>) -> Vec<ArmCell> {
    let Some(cell) = cell else {
        let shape = other.map_or(Shape::Counts(1), Cell::shape);
        return vec![ArmCell::default(); shape.values()];
    };
    (0..cell.shape().values())
        .map(|column| arm_cell(cell, column))
        .collect()
}

fn arm_cell(cell: &Cell, column: usize) -> ArmCell {
    let mut result = ArmCell::default();
    for (slice, n, sums) in cell.rows() {
        let index = usize::from(slice.get());
        result.n[index] = n;
        result.sum[index] = sums[column];
    }
    result.sum_squares = match cell.shape() {
        // An event squared is an event.
        Shape::Counts(_) => cell.sum(column),
        Shape::Mean | Shape::Ratio => cell.moments()[column],
    };
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assign::Slice;
    use crate::evidence::Observation;

    fn key(epoch: u32, arm: u8, metric: u32) -> CellKey {
        CellKey {
            rollout: 3,
            generation: 1,
            epoch,
            threshold_set: 0,
            segment: 0,
            arm,
            metric,
        }
    }

    const PAIR: Pair = Pair {
        rollout: 3,
        generation: 1,
        metric: 0,
        arm: 1,
    };

    fn add(bundle: &mut Bundle, key: CellKey, shape: Shape, slice: u8, observation: Observation) {
        let slice = Slice::new(slice).unwrap();
        assert!(bundle.cell(key, shape).add(slice, observation).unwrap());
    }

    #[test]
    fn arms_of_a_stratum_stand_side_by_side_in_order_of_epochs() {
        let mut bundle = Bundle::default();
        for (epoch, arm) in [(2, 1), (1, 0), (2, 0)] {
            add(
                &mut bundle,
                key(epoch, arm, 0),
                Shape::Mean,
                arm,
                Observation::Value(-5),
            );
        }
        add(
            &mut bundle,
            key(1, 2, 0),
            Shape::Mean,
            0,
            Observation::Value(1),
        );
        add(
            &mut bundle,
            key(1, 0, 1),
            Shape::Counts(1),
            0,
            Observation::Counted(1),
        );
        let found = bundle.comparisons(PAIR);
        assert_eq!(
            found.iter().map(|each| each.epoch).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(found[0].candidate, [ArmCell::default()]);
        assert_eq!(found[1].baseline[0].sum[0], -5);
        assert_eq!(found[1].candidate[0].sum[1], -5);
        assert_eq!(found[1].candidate[0].sum_squares, 25);
    }

    #[test]
    fn each_bucket_of_an_exceedance_metric_is_a_rate_of_its_own() {
        let mut bundle = Bundle::default();
        for first in [0, 1, 2, 3, 3] {
            add(
                &mut bundle,
                key(1, 0, 0),
                Shape::Counts(3),
                7,
                Observation::Counted(first),
            );
        }
        let found = bundle.comparisons(PAIR);
        let events: Vec<i128> = found[0].baseline.iter().map(|cell| cell.sum[7]).collect();
        assert_eq!(events, [4, 3, 2]);
        assert!(found[0].baseline.iter().all(|cell| cell.n[7] == 5));
        assert_eq!(found[0].candidate, vec![ArmCell::default(); 3]);
    }
}
