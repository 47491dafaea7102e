//! A running rollout, ready to assign units and to count outcomes.

use std::sync::Arc;

use super::Versions;
use super::error::{At, SnapshotError, SnapshotErrorKind, unknown};
use super::metric::{Metric, Thresholds};
use super::segments::{Segment, Segments};
use super::version::Version;
use crate::assign::{Range, Ranges};
use crate::v1;

/// More arms than anyone compares, and below what a unit set can hold.
const MAX_ARMS: usize = 16;

/// The unit kind that is split by request rather than by an id.
pub(crate) const PER_REQUEST: &str = "request";

/// Keys the hashes of a rollout's unit set.
const UNIT_CONTEXT: &str = "pitcanary 2026-11 unit set";

/// A rollout as requests and reports meet it.
#[derive(Debug)]
pub(crate) struct Rollout {
    pub(crate) id: u32,
    pub(crate) unit_kind: Box<str>,
    pub(crate) salt: Box<str>,
    pub(crate) generation: u32,
    pub(crate) epoch: u32,
    pub(crate) eligible: Option<Segment>,
    /// Indexed by arm; 0 is the baseline and always there.
    pub(crate) arms: Box<[Arm]>,
    pub(crate) ranges: Ranges,
    pub(crate) metrics: Box<[Metric]>,
    pub(crate) on_rollback: OnRollback,
    strata: Box<[Segment]>,
    unit_key: [u8; 32],
}

/// One arm of a rollout.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<Version>,
    pub(crate) withdrawn: bool,
}

/// What becomes of conversations pinned to an arm that is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRollback {
    FinishPinned,
    NextTurn,
    Immediate,
}

impl Rollout {
    pub(super) fn compile(
        message: &v1::Rollout,
        namespace_salt: &str,
        parts: &Parts<'_>,
    ) -> Result<Self, SnapshotError> {
        let place = format!("rollout {}", message.id);
        if message.id == 0 {
            return Err(SnapshotErrorKind::OutOfRange("its number must be above 0").at(place));
        }
        if message.unit_kind.is_empty() {
            return Err(SnapshotErrorKind::Missing("unit_kind").at(place));
        }
        let eligible = match message.eligible.as_str() {
            "" => None,
            name => Some(parts.segment(name).at(&place)?),
        };
        let strata = message.strata.iter().map(|name| parts.segment(name));
        Ok(Self {
            id: message.id,
            unit_kind: message.unit_kind.as_str().into(),
            salt: message.salt.as_str().into(),
            generation: message.analysis_generation,
            epoch: message.allocation_epoch,
            eligible,
            arms: arms(message, parts.versions).at(&place)?,
            ranges: ranges(message).at(&place)?,
            metrics: metrics(message, parts.thresholds)?,
            on_rollback: on_rollback(message.on_rollback()),
            strata: strata.collect::<Result<_, _>>().at(&place)?,
            unit_key: unit_key(namespace_salt, &message.salt),
        })
    }

    /// The arm with an index, or `None` for one that the rollout does not have.
    pub(crate) fn arm(&self, index: u8) -> Option<&Arm> {
        self.arms.get(usize::from(index))
    }

    pub(crate) fn baseline(&self) -> &Arm {
        &self.arms[0]
    }

    /// Segments that form strata, in the order in which the first that matches counts.
    pub(crate) fn strata(&self) -> impl Iterator<Item = &Segment> {
        self.strata.iter()
    }

    /// The stratum of a token's segment mask: its position from 1, or 0 for none.
    pub(crate) fn stratum(&self, segment_mask: u16) -> u32 {
        let matches = |segment: &Segment| segment_mask & segment.bit() != 0;
        let position = self.strata.iter().position(matches);
        position.map_or(0, |index| u32::try_from(index + 1).unwrap_or(0))
    }

    /// The hash under which a unit is in the rollout's unit set.
    ///
    /// Keyed, and independent of the unit's slot: which units are sampled says nothing
    /// about their arm.
    pub(crate) fn unit_hash(&self, unit: &str) -> u64 {
        let hash = blake3::keyed_hash(&self.unit_key, unit.as_bytes());
        hash.as_bytes()
            .first_chunk()
            .map_or(0, |head| u64::from_le_bytes(*head))
    }
}

/// What rollouts refer to.
pub(super) struct Parts<'a> {
    pub(super) versions: &'a Versions,
    pub(super) segments: &'a Segments,
    pub(super) thresholds: &'a Thresholds,
}

impl Parts<'_> {
    fn segment(&self, name: &str) -> Result<Segment, SnapshotErrorKind> {
        let segment = self.segments.get(name).cloned();
        segment.ok_or_else(|| unknown("segment", name))
    }
}

/// The arms by index, which must be 0, 1, 2 …
fn arms(message: &v1::Rollout, versions: &Versions) -> Result<Box<[Arm]>, SnapshotErrorKind> {
    let mut sorted: Vec<&v1::Arm> = message.arms.iter().collect();
    sorted.sort_by_key(|arm| arm.index);
    let dense = (0..).zip(&sorted).all(|(index, arm)| arm.index == index);
    if !dense || !(1..=MAX_ARMS).contains(&sorted.len()) {
        return Err(SnapshotErrorKind::OutOfRange(
            "its arms must be numbered 0, 1, 2 … below 16, each once",
        ));
    }
    if sorted[0].withdrawn {
        return Err(SnapshotErrorKind::OutOfRange(
            "its baseline cannot be withdrawn",
        ));
    }
    let arm = |arm: &v1::Arm| {
        let version = versions.get(&arm.version);
        Ok(Arm {
            name: arm.name.as_str().into(),
            version: Arc::clone(version.ok_or_else(|| unknown("version", &arm.version))?),
            withdrawn: arm.withdrawn,
        })
    };
    sorted.into_iter().map(arm).collect()
}

/// The slots of all arms that still take units.
fn ranges(message: &v1::Rollout) -> Result<Ranges, SnapshotErrorKind> {
    let serving = message.arms.iter().filter(|arm| !arm.withdrawn);
    let ranges = serving.flat_map(|arm| {
        let index = u8::try_from(arm.index).unwrap_or(u8::MAX);
        arm.ranges.iter().map(move |range| Range {
            start: range.start,
            end: range.end,
            arm: index,
        })
    });
    Ok(Ranges::new(ranges)?)
}

fn metrics(message: &v1::Rollout, thresholds: &Thresholds) -> Result<Box<[Metric]>, SnapshotError> {
    let mut metrics: Vec<Metric> = Vec::with_capacity(message.metrics.len());
    for config in &message.metrics {
        let place = format!("rollout {}, metric {}", message.id, config.id);
        if metrics.iter().any(|known| known.id == config.id) {
            return Err(SnapshotErrorKind::Duplicate(config.id.to_string()).at(place));
        }
        metrics.push(Metric::compile(config, thresholds).at(place)?);
    }
    Ok(metrics.into())
}

fn on_rollback(message: v1::OnRollback) -> OnRollback {
    match message {
        v1::OnRollback::FinishPinned => OnRollback::FinishPinned,
        v1::OnRollback::Unspecified | v1::OnRollback::NextTurn => OnRollback::NextTurn,
        v1::OnRollback::Immediate => OnRollback::Immediate,
    }
}

/// The same on every sidecar and over every rotation of token keys.
fn unit_key(namespace_salt: &str, rollout_salt: &str) -> [u8; 32] {
    let length = namespace_salt.len() as u64;
    let mut hasher = blake3::Hasher::new_derive_key(UNIT_CONTEXT);
    hasher.update(&length.to_le_bytes());
    hasher.update(namespace_salt.as_bytes());
    hasher.update(rollout_salt.as_bytes());
    *hasher.finalize().as_bytes()
}
