//! How each metric of a rollout is counted.
//!
//! Checked once, when the configuration arrives: a kind that cannot count its source is
//! refused there, so that counting itself cannot fail. What an outcome says about a
//! metric is read in `report`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{SnapshotErrorKind, unknown};
use crate::evidence::{MAX_BUCKETS, OBSERVATION_LIMIT, Observation, Shape};
use crate::sketch::bucket;
use crate::v1;

/// Buckets by the number of their threshold set.
pub(super) type Thresholds = BTreeMap<u32, Arc<[i32]>>;

/// Names of the metrics counted for traffic without a rollout, by their number.
pub const BUILT_IN_METRICS: [&str; 6] = [
    "error",
    "latency",
    "time_to_first_token",
    "input_tokens",
    "output_tokens",
    "cost",
];

/// Where an observation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Error,
    SchemaFailure,
    Latency,
    TimeToFirstToken,
    InputTokens,
    OutputTokens,
    Cost,
    Flag,
    Score,
}

/// What becomes of an observation.
#[derive(Debug, Clone)]
pub(crate) enum Counting {
    Rate,
    Mean,
    /// `None` while no threshold set is in force.
    Exceedance(Option<Threshold>),
    /// The source over this one.
    Ratio(Source),
}

/// A threshold set and its buckets.
#[derive(Debug, Clone)]
pub(crate) struct Threshold {
    pub(crate) id: u32,
    buckets: Arc<[i32]>,
}

/// A metric, checked.
#[derive(Debug, Clone)]
pub(crate) struct Metric {
    pub(crate) id: u32,
    pub(crate) name: Box<str>,
    pub(crate) source: Source,
    pub(crate) counting: Counting,
    /// Keep the full distribution as well.
    pub(crate) histogram: bool,
    /// Reported scores outside are refused.
    pub(crate) bounds: std::ops::RangeInclusive<i64>,
    /// Observations above are counted as this.
    cap: i64,
}

impl Metric {
    pub(super) fn compile(
        message: &v1::MetricConfig,
        thresholds: &Thresholds,
    ) -> Result<Self, SnapshotErrorKind> {
        let source = source_of(message.source()).ok_or(SnapshotErrorKind::Missing("source"))?;
        let counting = match message.kind() {
            v1::MetricKind::Unspecified => return Err(SnapshotErrorKind::Missing("kind")),
            v1::MetricKind::Rate => Counting::Rate,
            v1::MetricKind::Mean => Counting::Mean,
            v1::MetricKind::Exceedance => {
                Counting::Exceedance(threshold(message.threshold_set, thresholds)?)
            }
            v1::MetricKind::Ratio => Counting::Ratio(
                source_of(message.denominator())
                    .ok_or(SnapshotErrorKind::Missing("denominator"))?,
            ),
        };
        let metric = Self {
            id: message.id,
            name: message.name.as_str().into(),
            source,
            counting,
            histogram: message.histogram,
            bounds: bounds(message)?,
            cap: cap(message.cap),
        };
        metric.check().map_err(SnapshotErrorKind::Metric)?;
        Ok(metric)
    }

    /// The metrics of traffic without a rollout, in the order of [`BUILT_IN_METRICS`].
    pub(super) fn built_in() -> Box<[Self]> {
        let sources = [
            Source::Error,
            Source::Latency,
            Source::TimeToFirstToken,
            Source::InputTokens,
            Source::OutputTokens,
            Source::Cost,
        ];
        let metric = |((id, name), source): ((u32, &str), Source)| Self {
            id,
            name: name.into(),
            source,
            counting: if source.is_event() {
                Counting::Rate
            } else {
                Counting::Mean
            },
            histogram: !source.is_event(),
            bounds: NO_BOUNDS,
            cap: OBSERVATION_LIMIT,
        };
        (0..)
            .zip(BUILT_IN_METRICS)
            .zip(sources)
            .map(metric)
            .collect()
    }

    /// The columns of its cells; `None` while they are not known.
    pub(crate) fn shape(&self) -> Option<Shape> {
        match &self.counting {
            Counting::Rate => Some(Shape::Counts(1)),
            Counting::Mean => Some(Shape::Mean),
            Counting::Exceedance(threshold) => threshold.as_ref().map(Threshold::shape),
            Counting::Ratio(_) => Some(Shape::Ratio),
        }
    }

    /// The threshold set that its cells are keyed by.
    pub(crate) fn threshold_set(&self) -> u32 {
        match &self.counting {
            Counting::Exceedance(Some(threshold)) => threshold.id,
            _ => 0,
        }
    }

    /// The value that is counted where this one was observed.
    pub(crate) fn capped(&self, value: i64) -> i64 {
        value.clamp(-OBSERVATION_LIMIT, self.cap)
    }

    fn check(&self) -> Result<(), &'static str> {
        let counts_events = matches!(self.counting, Counting::Rate);
        if counts_events != self.source.is_event() {
            return Err("a rate needs events, and events need a rate");
        }
        let needs_naturals =
            self.histogram || matches!(self.counting, Counting::Exceedance(_) | Counting::Ratio(_));
        let is_natural = self.source != Source::Score || *self.bounds.start() >= 0;
        if needs_naturals && !is_natural {
            return Err("a score below 0 has no histogram, quantile or ratio");
        }
        match self.counting {
            Counting::Rate if self.histogram => Err("a rate has no histogram"),
            Counting::Ratio(below) if below.is_event() || below == Source::Score => {
                Err("a ratio is over latency, tokens or cost")
            }
            _ => Ok(()),
        }
    }
}

impl Source {
    /// Whether observations are 0 or 1.
    const fn is_event(self) -> bool {
        matches!(self, Self::Error | Self::SchemaFailure | Self::Flag)
    }
}

impl Threshold {
    fn shape(&self) -> Shape {
        Shape::Counts(u8::try_from(self.buckets.len()).unwrap_or(u8::MAX))
    }

    /// Counts a value in the columns of the buckets that it lies above.
    pub(crate) fn observe(&self, value: u64) -> Observation {
        let of_value = bucket(value);
        let above = self.buckets.partition_point(|bucket| *bucket < of_value);
        Observation::Counted(u8::try_from(above).unwrap_or(u8::MAX))
    }
}

const NO_BOUNDS: std::ops::RangeInclusive<i64> = -OBSERVATION_LIMIT..=OBSERVATION_LIMIT;

fn source_of(source: v1::MetricSource) -> Option<Source> {
    use v1::MetricSource as Wire;
    Some(match source {
        Wire::Unspecified => return None,
        Wire::Error => Source::Error,
        Wire::SchemaFailure => Source::SchemaFailure,
        Wire::Latency => Source::Latency,
        Wire::TimeToFirstToken => Source::TimeToFirstToken,
        Wire::InputTokens => Source::InputTokens,
        Wire::OutputTokens => Source::OutputTokens,
        Wire::Cost => Source::Cost,
        Wire::Flag => Source::Flag,
        Wire::Score => Source::Score,
    })
}

/// Both bounds 0 means none.
fn bounds(message: &v1::MetricConfig) -> Result<std::ops::RangeInclusive<i64>, SnapshotErrorKind> {
    match (message.minimum, message.maximum) {
        (0, 0) => Ok(NO_BOUNDS),
        (minimum, maximum) if minimum < maximum => Ok(minimum..=maximum),
        _ => Err(SnapshotErrorKind::OutOfRange(
            "its minimum must be below its maximum",
        )),
    }
}

fn cap(cap: u64) -> i64 {
    match i64::try_from(cap) {
        Ok(0) | Err(_) => OBSERVATION_LIMIT,
        Ok(cap) => cap.min(OBSERVATION_LIMIT),
    }
}

fn threshold(id: u32, sets: &Thresholds) -> Result<Option<Threshold>, SnapshotErrorKind> {
    if id == 0 {
        return Ok(None);
    }
    let buckets = sets.get(&id).ok_or_else(|| unknown("threshold set", &id))?;
    let buckets = Arc::clone(buckets);
    Ok(Some(Threshold { id, buckets }))
}

pub(super) fn compile_thresholds(
    messages: &[v1::ThresholdSet],
) -> Result<Thresholds, SnapshotErrorKind> {
    let mut sets = Thresholds::new();
    for message in messages {
        let ascending = message.buckets.windows(2).all(|pair| pair[0] < pair[1]);
        if message.id == 0 || !ascending || !(1..=MAX_BUCKETS).contains(&message.buckets.len()) {
            return Err(SnapshotErrorKind::OutOfRange(
                "a threshold set needs a number above 0 and 1 to 64 ascending buckets",
            ));
        }
        let buckets = message.buckets.as_slice().into();
        if sets.insert(message.id, buckets).is_some() {
            return Err(SnapshotErrorKind::Duplicate(message.id.to_string()));
        }
    }
    Ok(sets)
}
