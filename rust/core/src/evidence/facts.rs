//! What a decision needs to know of sealed counts beside the comparisons.
//!
//! Plain sums for the gate and for people: how much traffic each arm had, how units
//! fell into the arms, what was not observed. Tests are `kernel`'s business.

use std::collections::BTreeMap;

use super::bundle::Bundle;
use super::error::EvidenceError;
use super::units::UnitCount;
use crate::sketch::Sketch;

/// Exposures and outcomes of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Answers shown.
    pub exposures: u64,
    /// Answers reported on.
    pub outcomes: u64,
}

/// Which rollout under which frozen analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// The rollout.
    pub rollout: u32,
    /// The analysis generation.
    pub generation: u32,
}

impl Bundle {
    /// Traffic per epoch and arm; sums saturate.
    pub fn traffic(&self, of: Analysis) -> BTreeMap<(u32, u8), Traffic> {
        let mut found: BTreeMap<(u32, u8), Traffic> = BTreeMap::new();
        for (key, exposures) in &self.exposures {
            if key.rollout == of.rollout && key.generation == of.generation {
                let (shown, reported) = exposures.totals();
                let sum = found.entry((key.epoch, key.arm)).or_default();
                sum.exposures = sum.exposures.saturating_add(shown);
                sum.outcomes = sum.outcomes.saturating_add(reported);
            }
        }
        found
    }

    /// Units per epoch of first sight and arm.
    pub fn unit_counts(&self, of: Analysis) -> BTreeMap<(u32, u8), UnitCount> {
        self.units
            .iter()
            .find(|(key, _)| key.rollout == of.rollout && key.generation == of.generation)
            .map(|(_, units)| units.counts())
            .unwrap_or_default()
    }

    /// The distribution of a metric in an arm, over all epochs and segments.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] when a sum overflows.
    pub fn distribution(
        &self,
        of: Analysis,
        metric: u32,
        arm: u8,
    ) -> Result<Sketch, EvidenceError> {
        let mut sum = Sketch::new();
        for (key, histogram) in &self.histograms {
            let same = key.rollout == of.rollout && key.generation == of.generation;
            if same && key.metric == metric && key.arm == arm {
                sum.merge(histogram)?;
            }
        }
        Ok(sum)
    }

    /// Observations that did not come, per arm, metric and number of the reason.
    pub fn missing_counts(&self, of: Analysis) -> BTreeMap<(u8, u32, i32), u64> {
        let here = self
            .missing
            .iter()
            .filter(|(key, _)| key.rollout == of.rollout && key.generation == of.generation);
        here.map(|(key, count)| ((key.arm, key.metric, key.missing), *count))
            .collect()
    }

    /// Answers left out of the comparison, per arm and number of the reason.
    pub fn exclusion_counts(&self, rollout: u32) -> BTreeMap<(u8, i32), u64> {
        let here = self
            .exclusions
            .iter()
            .filter(|(key, _)| key.rollout == rollout);
        here.map(|(key, count)| ((key.arm, key.exclusion), *count))
            .collect()
    }

    /// What must be kept over seals, because later facts depend on all of it: units,
    /// distributions and counts by reason, but no cells and no exposures.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self {
            histograms: self.histograms,
            units: self.units,
            exclusions: self.exclusions,
            missing: self.missing,
            losses: self.losses,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assign::Slice;
    use crate::evidence::{ExposureKey, HistogramKey, MissingKey, Sighting, UnitKey};

    const OF: Analysis = Analysis {
        rollout: 3,
        generation: 1,
    };

    fn exposure_key(epoch: u32, arm: u8, issue_minute: u64) -> ExposureKey {
        ExposureKey {
            rollout: OF.rollout,
            generation: OF.generation,
            epoch,
            arm,
            issue_minute,
        }
    }

    #[test]
    fn traffic_adds_minutes_and_keeps_epochs_and_arms_apart() {
        let mut bundle = Bundle::default();
        let slice = Slice::new(7).unwrap();
        for (epoch, arm, minute) in [(2, 0, 1), (2, 0, 2), (2, 1, 1), (3, 1, 1)] {
            let cell = bundle
                .exposures
                .entry(exposure_key(epoch, arm, minute))
                .or_default();
            cell.add_exposure(slice);
            cell.add_exposure(slice);
            cell.add_outcome(slice);
        }
        let traffic = bundle.traffic(OF);
        let of = |exposures, outcomes| Traffic {
            exposures,
            outcomes,
        };
        assert_eq!(traffic[&(2, 0)], of(4, 2));
        assert_eq!(traffic[&(2, 1)], of(2, 1));
        assert_eq!(traffic[&(3, 1)], of(2, 1));
        let other = Analysis {
            generation: 2,
            ..OF
        };
        assert!(bundle.traffic(other).is_empty());
    }

    #[test]
    fn what_lasts_keeps_the_facts_and_drops_the_cells() {
        let mut bundle = Bundle::default();
        let key = UnitKey {
            rollout: OF.rollout,
            generation: OF.generation,
        };
        let units = bundle.units.entry(key).or_default();
        units.insert(1, Sighting::new(2, 0));
        units.insert(2, Sighting::new(2, 1));
        let missing = MissingKey {
            rollout: OF.rollout,
            generation: OF.generation,
            arm: 1,
            metric: 0,
            missing: 3,
        };
        bundle.missing.insert(missing, 4);
        for segment in [0, 1] {
            let key = HistogramKey {
                rollout: OF.rollout,
                generation: OF.generation,
                epoch: 2,
                segment,
                arm: 0,
                metric: 5,
            };
            let mut sketch = Sketch::new();
            sketch.insert_many(100, 3).unwrap();
            bundle.histograms.insert(key, sketch);
        }
        bundle
            .exposures
            .entry(exposure_key(2, 0, 1))
            .or_default()
            .add_outcome(Slice::new(1).unwrap());
        let lasting = bundle.clone().lasting();
        assert!(lasting.traffic(OF).is_empty());
        assert_eq!(lasting.unit_counts(OF), bundle.unit_counts(OF));
        assert_eq!(lasting.unit_counts(OF)[&(2, 1)].units, 1);
        assert_eq!(lasting.missing_counts(OF)[&(1, 0, 3)], 4);
        assert_eq!(lasting.distribution(OF, 5, 0).unwrap().count(), 6);
    }
}
