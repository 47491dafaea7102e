//! A bundle as the bytes of a `pitcanary.v1.Evidence`, and back.
//!
//! Equal bundles give equal bytes. Reading takes one entry at a time, so hostile bytes
//! cannot make a small message claim much memory; what no recording could have written
//! is refused. Fields of newer senders are skipped, as protobuf asks.

use std::collections::BTreeMap;

use prost::Message;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::bundle::Bundle;
use super::cell::Cell;
use super::error::EvidenceError;
use super::exposure::Exposures;
use super::key::{CellKey, ExclusionKey, ExposureKey, HistogramKey, MissingKey, UnitKey};
use super::losses::Losses;
use super::units::{MAX_ARMS, Sighting, UNIT_SET_SIZE, UnitSet};
use crate::sketch::Sketch;
use crate::v1;

/// Reject codes of a bundle: far more than the protocol has.
const MAX_REJECT_CODES: usize = 256;

/// Buckets that the histograms of one frame may span together: 32 MiB in memory. A few
/// bytes can name two buckets that are 4,000 apart.
const MAX_FRAME_BUCKETS: usize = 1 << 22;

const SEVERAL: u8 = MAX_ARMS;

impl Bundle {
    /// The bundle as a message, entries by ascending key.
    pub fn to_message(&self) -> v1::Evidence {
        v1::Evidence {
            cells: self.cells.iter().map(cell_message).collect(),
            histograms: self.histograms.iter().map(histogram_message).collect(),
            exposures: self.exposures.iter().map(exposure_message).collect(),
            units: self.units.iter().flat_map(unit_messages).collect(),
            exclusions: self.exclusions.iter().map(exclusion_message).collect(),
            missing: self.missing.iter().map(missing_message).collect(),
            losses: losses_message(&self.losses),
        }
    }

    /// The bytes of the message; equal bundles give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    /// Reads the bytes of a `pitcanary.v1.Evidence` from a source that is trusted to
    /// have written what it had in memory; frames are read by [`Bundle::decode_frame`].
    ///
    /// # Errors
    ///
    /// [`EvidenceError`] for anything but what [`Bundle::encode`] writes for some
    /// bundle, unknown fields aside; never panics.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Self, EvidenceError> {
        let mut reader = Reader::with_room(usize::MAX);
        reader.read(bytes.into())?;
        Ok(reader.bundle)
    }

    /// Reads the evidence in the bytes of a `pitcanary.v1.Frame`, without its head.
    ///
    /// # Errors
    ///
    /// As [`Bundle::decode`], and when reading it would take memory out of all
    /// proportion to the frame.
    pub fn decode_frame(bytes: impl Into<Bytes>) -> Result<Self, EvidenceError> {
        const EVIDENCE: u32 = 6;
        let mut reader = Reader::with_room(MAX_FRAME_BUCKETS);
        each_field(bytes.into(), |tag, field| match tag {
            EVIDENCE => reader.read(field),
            _ => Ok(()),
        })?;
        Ok(reader.bundle)
    }
}

/// Calls `take` with every length-delimited field of a message.
pub(super) fn each_field(
    mut bytes: Bytes,
    mut take: impl FnMut(u32, Bytes) -> Result<(), EvidenceError>,
) -> Result<(), EvidenceError> {
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        if wire_type != WireType::LengthDelimited {
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
        if length > bytes.remaining() {
            return Err(EvidenceError::Protobuf);
        }
        take(tag, bytes.split_to(length))?;
    }
    Ok(())
}

/// Collects a bundle field by field.
struct Reader {
    bundle: Bundle,
    last_units: Option<(UnitKey, u32)>,
    /// Buckets that further histograms may span.
    bucket_room: usize,
}

impl Reader {
    fn with_room(bucket_room: usize) -> Self {
        Self {
            bundle: Bundle::default(),
            last_units: None,
            bucket_room,
        }
    }

    fn read(&mut self, bytes: Bytes) -> Result<(), EvidenceError> {
        each_field(bytes, |tag, field| match tag {
            1 => self.cell(&v1::Cell::decode(field)?),
            2 => self.histogram(&v1::HistogramCell::decode(field)?),
            3 => self.exposures(&v1::ExposureCell::decode(field)?),
            4 => self.units(v1::UnitSet::decode(field)?),
            5 => self.exclusion(v1::ExclusionCount::decode(field)?),
            6 => self.missing(v1::MissingCount::decode(field)?),
            7 => self.losses(v1::Losses::decode(field)?),
            _ => Ok(()),
        })
    }

    fn cell(&mut self, message: &v1::Cell) -> Result<(), EvidenceError> {
        let key = CellKey {
            rollout: message.rollout,
            generation: message.analysis_generation,
            epoch: message.allocation_epoch,
            threshold_set: message.threshold_set,
            segment: message.segment,
            arm: arm(message.arm)?,
            metric: message.metric,
        };
        let cell = Cell::decode(message.values_per_slice, &message.slices, &message.moments)?;
        append(&mut self.bundle.cells, key, cell, "cells")
    }

    fn histogram(&mut self, message: &v1::HistogramCell) -> Result<(), EvidenceError> {
        let key = HistogramKey {
            rollout: message.rollout,
            generation: message.analysis_generation,
            epoch: message.allocation_epoch,
            segment: message.segment,
            arm: arm(message.arm)?,
            metric: message.metric,
        };
        let sketch = Sketch::decode(&message.histogram)?;
        if sketch.count() == 0 {
            return Err(EMPTY);
        }
        self.bucket_room =
            self.bucket_room
                .checked_sub(span(&sketch))
                .ok_or(EvidenceError::Malformed(
                    "the histograms span too many buckets",
                ))?;
        append(&mut self.bundle.histograms, key, sketch, "histograms")
    }

    fn exposures(&mut self, message: &v1::ExposureCell) -> Result<(), EvidenceError> {
        let key = ExposureKey {
            rollout: message.rollout,
            generation: message.analysis_generation,
            epoch: message.allocation_epoch,
            arm: arm(message.arm)?,
            issue_minute: message.issue_minute,
        };
        let exposures = Exposures::decode(&message.slices)?;
        append(&mut self.bundle.exposures, key, exposures, "exposures")
    }

    /// Reads the units of one epoch into the set of all epochs.
    fn units(&mut self, message: v1::UnitSet) -> Result<(), EvidenceError> {
        let key = UnitKey {
            rollout: message.rollout,
            generation: message.analysis_generation,
        };
        let epoch = message.allocation_epoch;
        let ascending = message.hashes.windows(2).all(|pair| pair[0] < pair[1]);
        if self.last_units >= Some((key, epoch)) || !ascending {
            return Err(EvidenceError::Order("units"));
        }
        self.last_units = Some((key, epoch));
        if message.hashes.is_empty() || message.hashes.len() != message.arms.len() {
            return Err(EvidenceError::Malformed(
                "a unit set needs one arm per hash",
            ));
        }
        let set = self.bundle.units.entry(key).or_default();
        for (hash, coded) in message.hashes.into_iter().zip(message.arms) {
            let sighting = Sighting {
                epoch,
                arm: coded & !SEVERAL,
                several: coded & SEVERAL != 0,
            };
            if set.len() >= UNIT_SET_SIZE || set.get(hash).is_some() {
                return Err(EvidenceError::Malformed(
                    "a unit set repeats a hash or is too large",
                ));
            }
            set.insert(hash, sighting);
        }
        Ok(())
    }

    fn exclusion(&mut self, message: v1::ExclusionCount) -> Result<(), EvidenceError> {
        let key = ExclusionKey {
            rollout: message.rollout,
            arm: arm(message.arm)?,
            exclusion: message.exclusion,
        };
        let count = positive(message.count)?;
        append(&mut self.bundle.exclusions, key, count, "exclusions")
    }

    fn missing(&mut self, message: v1::MissingCount) -> Result<(), EvidenceError> {
        let key = MissingKey {
            rollout: message.rollout,
            generation: message.analysis_generation,
            arm: arm(message.arm)?,
            metric: message.metric,
            missing: message.missing,
        };
        let count = positive(message.count)?;
        append(&mut self.bundle.missing, key, count, "missing")
    }

    fn losses(&mut self, message: v1::Losses) -> Result<(), EvidenceError> {
        if message.rejected.len() > MAX_REJECT_CODES {
            return Err(EvidenceError::Malformed("there are too many reject codes"));
        }
        let mut rejected = message.rejected;
        rejected.retain(|_, count| *count > 0);
        self.bundle.losses.merge(&Losses {
            rejected,
            dropped_outcomes: message.dropped_outcomes,
            dropped_frames: message.dropped_frames,
            deduplication_evictions: message.deduplication_evictions,
            foreign: message.foreign,
        })
    }
}

/// Buckets from the lowest to the highest that is counted.
fn span(sketch: &Sketch) -> usize {
    let mut counted = sketch.buckets().map(|(bucket, _)| bucket);
    let first = counted.next().unwrap_or(0);
    counted.last().unwrap_or(first).abs_diff(first) as usize + 1
}

const EMPTY: EvidenceError = EvidenceError::Malformed("an entry counts nothing");

/// Adds an entry whose key must lie above all others.
fn append<K: Ord, V>(
    entries: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    name: &'static str,
) -> Result<(), EvidenceError> {
    if entries
        .last_key_value()
        .is_some_and(|(last, _)| *last >= key)
    {
        return Err(EvidenceError::Order(name));
    }
    entries.insert(key, value);
    Ok(())
}

fn arm(arm: u32) -> Result<u8, EvidenceError> {
    u8::try_from(arm).map_err(|_| EvidenceError::Malformed("an arm is above 255"))
}

fn positive(count: u64) -> Result<u64, EvidenceError> {
    if count == 0 { Err(EMPTY) } else { Ok(count) }
}

fn cell_message((key, cell): (&CellKey, &Cell)) -> v1::Cell {
    v1::Cell {
        rollout: key.rollout,
        analysis_generation: key.generation,
        allocation_epoch: key.epoch,
        threshold_set: key.threshold_set,
        segment: key.segment,
        arm: key.arm.into(),
        metric: key.metric,
        values_per_slice: u32::try_from(cell.shape().values()).unwrap_or(u32::MAX),
        slices: cell.encode_slices().into(),
        moments: cell.encode_moments().into(),
    }
}

fn histogram_message((key, sketch): (&HistogramKey, &Sketch)) -> v1::HistogramCell {
    v1::HistogramCell {
        rollout: key.rollout,
        analysis_generation: key.generation,
        allocation_epoch: key.epoch,
        segment: key.segment,
        arm: key.arm.into(),
        metric: key.metric,
        histogram: sketch.encode().into(),
    }
}

fn exposure_message((key, exposures): (&ExposureKey, &Exposures)) -> v1::ExposureCell {
    v1::ExposureCell {
        rollout: key.rollout,
        analysis_generation: key.generation,
        allocation_epoch: key.epoch,
        arm: key.arm.into(),
        issue_minute: key.issue_minute,
        slices: exposures.encode().into(),
    }
}

/// One message per epoch.
fn unit_messages((key, set): (&UnitKey, &UnitSet)) -> Vec<v1::UnitSet> {
    let mut epochs: BTreeMap<u32, (Vec<u64>, Vec<u8>)> = BTreeMap::new();
    for (hash, sighting) in set.iter() {
        let (hashes, arms) = epochs.entry(sighting.epoch).or_default();
        let several = if sighting.several { SEVERAL } else { 0 };
        hashes.push(hash);
        arms.push(sighting.arm | several);
    }
    let message = |(epoch, (hashes, arms)): (u32, (Vec<u64>, Vec<u8>))| v1::UnitSet {
        rollout: key.rollout,
        analysis_generation: key.generation,
        allocation_epoch: epoch,
        hashes,
        arms: arms.into(),
    };
    epochs.into_iter().map(message).collect()
}

fn exclusion_message((key, count): (&ExclusionKey, &u64)) -> v1::ExclusionCount {
    v1::ExclusionCount {
        rollout: key.rollout,
        arm: key.arm.into(),
        exclusion: key.exclusion,
        count: *count,
    }
}

fn missing_message((key, count): (&MissingKey, &u64)) -> v1::MissingCount {
    v1::MissingCount {
        rollout: key.rollout,
        analysis_generation: key.generation,
        arm: key.arm.into(),
        metric: key.metric,
        missing: key.missing,
        count: *count,
    }
}

fn losses_message(losses: &Losses) -> Option<v1::Losses> {
    (!losses.is_empty()).then(|| v1::Losses {
        rejected: losses.rejected.clone(),
        dropped_outcomes: losses.dropped_outcomes,
        dropped_frames: losses.dropped_frames,
        deduplication_evictions: losses.deduplication_evictions,
        foreign: losses.foreign,
    })
}
