//! What each kind of count is keyed by.
//!
//! The order of the fields is the order of the keys on the wire. The arrival tick is
//! in no key: the controller gives it to all that it seals together.

/// The key of a [`Cell`](super::Cell).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// Environment-wide number of the rollout; 0 is traffic without a rollout.
    pub rollout: u32,
    /// The frozen set of metrics, margins, caps and prices.
    pub generation: u32,
    /// Epoch of shares at the first assignment; the version's number for rollout 0.
    pub epoch: u32,
    /// Threshold set in force; 0 for metrics without thresholds.
    pub threshold_set: u32,
    /// Stratum of the unit; 0 when it is in none.
    pub segment: u32,
    /// Index of the arm; 0 is the baseline.
    pub arm: u8,
    /// Number of the metric within the generation.
    pub metric: u32,
}

/// The key of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HistogramKey {
    /// As in [`CellKey`].
    pub rollout: u32,
    /// As in [`CellKey`].
    pub generation: u32,
    /// As in [`CellKey`].
    pub epoch: u32,
    /// As in [`CellKey`].
    pub segment: u32,
    /// As in [`CellKey`].
    pub arm: u8,
    /// As in [`CellKey`].
    pub metric: u32,
}

/// The key of [`Exposures`](super::Exposures).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExposureKey {
    /// As in [`CellKey`].
    pub rollout: u32,
    /// As in [`CellKey`].
    pub generation: u32,
    /// As in [`CellKey`].
    pub epoch: u32,
    /// As in [`CellKey`].
    pub arm: u8,
    /// Minute since the Unix epoch in which the token was issued.
    pub issue_minute: u64,
}

/// The key of a [`UnitSet`](super::UnitSet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// As in [`CellKey`].
    pub rollout: u32,
    /// As in [`CellKey`].
    pub generation: u32,
}

/// The key of a count of excluded answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExclusionKey {
    /// As in [`CellKey`].
    pub rollout: u32,
    /// As in [`CellKey`].
    pub arm: u8,
    /// Number of the `v1::Exclusion`; numbers of newer senders are kept.
    pub exclusion: i32,
}

/// The key of a count of missing observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingKey {
    /// As in [`CellKey`].
    pub rollout: u32,
    /// As in [`CellKey`].
    pub generation: u32,
    /// As in [`CellKey`].
    pub arm: u8,
    /// As in [`CellKey`].
    pub metric: u32,
    /// Number of the `v1::Missing`; numbers of newer senders are kept.
    pub missing: i32,
}
