//! The metrics of one stratum between two frames.

use super::observe::Observed;
use super::subject::Stratum;
use crate::assign::Slice;
use crate::evidence::{Bundle, Cell, CellKey, HistogramKey, Shape};
use crate::sketch::Sketch;

/// Cells and histograms of one stratum, found by scanning: there are few metrics.
#[derive(Debug, Default)]
pub(super) struct Counts {
    cells: Vec<MetricCell>,
    histograms: Vec<(u32, Sketch)>,
}

#[derive(Debug)]
struct MetricCell {
    metric: u32,
    threshold_set: u32,
    cell: Cell,
}

impl Counts {
    /// Counts one observation; false when a part of it could not be counted.
    pub(super) fn add(&mut self, slice: Slice, observed: &Observed) -> bool {
        let counted = observed.counted.is_none_or(|(shape, observation)| {
            let cell = self.cell(observed, shape);
            cell.add(slice, observation).unwrap_or(false)
        });
        let distributed = observed
            .distributed
            .is_none_or(|value| self.histogram(observed.metric).insert(value).is_ok());
        counted && distributed
    }

    fn cell(&mut self, observed: &Observed, shape: Shape) -> &mut Cell {
        let is_same = |known: &MetricCell| {
            known.metric == observed.metric && known.threshold_set == observed.threshold_set
        };
        let index = self.cells.iter().position(is_same).unwrap_or_else(|| {
            self.cells.push(MetricCell {
                metric: observed.metric,
                threshold_set: observed.threshold_set,
                cell: Cell::new(shape),
            });
            self.cells.len() - 1
        });
        &mut self.cells[index].cell
    }

    fn histogram(&mut self, metric: u32) -> &mut Sketch {
        let known = self
            .histograms
            .iter()
            .position(|(known, _)| *known == metric);
        let index = known.unwrap_or_else(|| {
            self.histograms.push((metric, Sketch::new()));
            self.histograms.len() - 1
        });
        &mut self.histograms[index].1
    }

    /// Adds everything to a bundle that has nothing of this stratum yet.
    pub(super) fn move_into(self, bundle: &mut Bundle, stratum: Stratum) {
        let Stratum {
            rollout,
            generation,
            epoch,
            segment,
            arm,
        } = stratum;
        for counted in self
            .cells
            .into_iter()
            .filter(|counted| !counted.cell.is_empty())
        {
            let key = CellKey {
                rollout,
                generation,
                epoch,
                threshold_set: counted.threshold_set,
                segment,
                arm,
                metric: counted.metric,
            };
            bundle.cells.insert(key, counted.cell);
        }
        for (metric, sketch) in self.histograms {
            let key = HistogramKey {
                rollout,
                generation,
                epoch,
                segment,
                arm,
                metric,
            };
            bundle.histograms.insert(key, sketch);
        }
    }
}
