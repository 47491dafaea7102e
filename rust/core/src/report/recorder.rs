//! Counts what was served and what became of it, until the next frame takes it away.
//!
//! One recorder belongs to one thread at a time. A process that counts on several gives
//! each its own and sends everything about a token to the same one, by its slice; their
//! bundles merge. Memory is bounded: what finds no room is dropped and counted.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::subject::{Standing, Stratum, Subject};
use super::window::{Matter, Window, key};
use super::{Identity, Recorded};
use crate::assign::Slice;
use crate::evidence::{
    Bundle, ExclusionKey, ExposureKey, Exposures, MissingKey, Sighting, UnitKey, UnitSet,
};
use crate::resolve::Served;
use crate::snapshot::Snapshot;
use crate::token::{Flags, TokenFields};
use crate::v1::RejectCode;

/// How much a recorder may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Reports that are recognised when they come again; about 40 bytes each.
    pub window: usize,
    /// Combinations of rollout, epoch, segment and arm between two frames.
    pub strata: usize,
    /// Combinations of rollout, epoch, arm and minute of issue between two frames.
    pub exposures: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: 1 << 18,
            strata: 1 << 12,
            exposures: 1 << 14,
        }
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// Counted, as far as it is part of any comparison.
    Counted,
    /// Counted before; nothing was counted now.
    Duplicate,
    /// There was no room; the same report may be tried again after the next frame.
    Overloaded,
}

/// Counts between two frames, and what must be remembered over them.
#[derive(Debug)]
pub struct Recorder {
    limits: Limits,
    strata: BTreeMap<Stratum, Counts>,
    /// Exposures, units, exclusions, missing and losses of the next frame.
    pending: Bundle,
    /// Units told to the controller already.
    known_units: BTreeMap<UnitKey, UnitSet>,
    window: Window,
}

impl Recorder {
    /// An empty recorder.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            strata: BTreeMap::new(),
            pending: Bundle::default(),
            known_units: BTreeMap::new(),
            window: Window::new(limits.window),
        }
    }

    /// Counts an answer: its exposure unless that waits for its use, and its unit.
    pub fn record_served(&mut self, served: &Served) {
        let token = &served.token;
        if let Some(exclusion) = served.exclusion {
            let key = ExclusionKey {
                rollout: token.rollout,
                arm: served.assigned,
                exclusion: exclusion.into(),
            };
            *self.pending.exclusions.entry(key).or_default() += 1;
            return;
        }
        if !token.flags.contains(Flags::ON_USE) {
            let stratum = served_stratum(served);
            self.exposure(stratum, token, |exposures, slice| {
                exposures.add_exposure(slice);
            });
        }
        if let Some(hash) = served.unit_hash {
            let key = UnitKey {
                rollout: token.rollout,
                generation: served.generation,
            };
            self.see(key, hash, Sighting::new(token.origin_epoch, token.arm));
        }
    }

    /// Counts the exposure of an answer that was resolved to be used later.
    ///
    /// Answers that counted as shown when they were resolved are duplicates.
    pub fn confirm(&mut self, subject: &Subject, now_s: u64) -> Receipt {
        let key = key(subject.token.nonce, Matter::Exposure);
        if !subject.token.flags.contains(Flags::ON_USE) || self.window.contains(key) {
            return Receipt::Duplicate;
        }
        if subject.standing == Standing::Analysable
            && !self.exposure(subject.stratum, &subject.token, |exposures, slice| {
                exposures.add_exposure(slice);
            })
        {
            return Receipt::Overloaded;
        }
        self.remember(key, subject.expires_s, now_s);
        Receipt::Counted
    }

    /// Counts a report, once.
    pub fn record(&mut self, recorded: &Recorded, now_s: u64) -> Receipt {
        let subject = &recorded.subject;
        let nonce = subject.token.nonce;
        let identity = match &recorded.identity {
            Identity::Outcome(_) => key(nonce, Matter::Outcome),
            Identity::Score { metric, scorer } => key(nonce, Matter::Score(metric, scorer)),
        };
        if self.window.contains(identity) {
            return Receipt::Duplicate;
        }
        match subject.standing {
            Standing::Foreign => self.pending.losses.foreign += 1,
            Standing::Excluded => {}
            Standing::Analysable => {
                if !self.has_room(recorded) {
                    self.pending.losses.dropped_outcomes += 1;
                    return Receipt::Overloaded;
                }
                self.count(recorded, now_s);
            }
        }
        self.remember(identity, subject.expires_s, now_s);
        Receipt::Counted
    }

    /// Counts a report that was refused.
    pub fn record_rejected(&mut self, code: RejectCode) {
        let number = u32::try_from(i32::from(code)).unwrap_or(0);
        self.pending.losses.add_rejected(number);
    }

    /// Counts frames that were dropped because the spool was full.
    pub fn record_dropped_frames(&mut self, frames: u64) {
        let dropped = &mut self.pending.losses.dropped_frames;
        *dropped = dropped.saturating_add(frames);
    }

    /// Takes everything counted since the last call.
    pub fn drain(&mut self) -> Bundle {
        let mut bundle = std::mem::take(&mut self.pending);
        for (stratum, counts) in std::mem::take(&mut self.strata) {
            counts.move_into(&mut bundle, stratum);
        }
        bundle
    }

    /// Forgets the units of rollouts that a new configuration no longer has.
    pub fn forget_ended(&mut self, snapshot: &Snapshot) {
        self.known_units.retain(|key, _| {
            let rollout = snapshot.rollout(key.rollout);
            rollout.is_some_and(|rollout| rollout.generation == key.generation)
        });
    }

    fn count(&mut self, recorded: &Recorded, now_s: u64) {
        let subject = &recorded.subject;
        let nonce = subject.token.nonce;
        if let Identity::Outcome(scores) = &recorded.identity {
            self.count_outcome(subject, now_s);
            for name in scores {
                self.remember(
                    key(nonce, Matter::Score(name, "")),
                    subject.expires_s,
                    now_s,
                );
            }
        }
        let counts = self.strata.entry(subject.stratum).or_default();
        for observed in &recorded.observed {
            if !counts.add(subject.token.slice, observed) {
                self.pending.losses.dropped_outcomes += 1;
            }
        }
        for (metric, missing) in &recorded.missing {
            let key = MissingKey {
                rollout: subject.stratum.rollout,
                generation: subject.stratum.generation,
                arm: subject.stratum.arm,
                metric: *metric,
                missing: (*missing).into(),
            };
            *self.pending.missing.entry(key).or_default() += 1;
        }
        for _ in 0..recorded.unknown_scores {
            self.record_rejected(RejectCode::UnknownMetric);
        }
    }

    /// An outcome shows that the answer was used, if nobody said so before.
    fn count_outcome(&mut self, subject: &Subject, now_s: u64) {
        let shown = key(subject.token.nonce, Matter::Exposure);
        let is_first_use =
            subject.token.flags.contains(Flags::ON_USE) && !self.window.contains(shown);
        self.exposure(subject.stratum, &subject.token, |exposures, slice| {
            if is_first_use {
                exposures.add_exposure(slice);
            }
            exposures.add_outcome(slice);
        });
        if is_first_use {
            self.remember(shown, subject.expires_s, now_s);
        }
    }

    /// Changes the exposures of an answer; false when there is no room for them.
    fn exposure(
        &mut self,
        stratum: Stratum,
        token: &TokenFields,
        change: impl FnOnce(&mut Exposures, Slice),
    ) -> bool {
        let key = exposure_key(stratum, token);
        let exposures = &mut self.pending.exposures;
        if exposures.len() >= self.limits.exposures && !exposures.contains_key(&key) {
            self.pending.losses.dropped_outcomes += 1;
            return false;
        }
        change(exposures.entry(key).or_default(), token.slice);
        true
    }

    /// Late scores need no room among the exposures: their outcomes have been there.
    fn has_room(&self, recorded: &Recorded) -> bool {
        let subject = &recorded.subject;
        let exposures = &self.pending.exposures;
        let key = exposure_key(subject.stratum, &subject.token);
        let is_score = matches!(recorded.identity, Identity::Score { .. });
        (self.strata.len() < self.limits.strata || self.strata.contains_key(&subject.stratum))
            && (is_score || exposures.len() < self.limits.exposures || exposures.contains_key(&key))
    }

    /// Notes a unit, and tells the controller if that is news.
    fn see(&mut self, key: UnitKey, hash: u64, sighting: Sighting) {
        let known = self.known_units.entry(key).or_default();
        if known.insert(hash, sighting)
            && let Some(joined) = known.get(hash)
        {
            let news = self.pending.units.entry(key).or_default();
            news.insert(hash, joined);
        }
    }

    fn remember(&mut self, key: u64, expires_s: u64, now_s: u64) {
        let evictions = &mut self.pending.losses.deduplication_evictions;
        *evictions += self.window.insert(key, expires_s, now_s);
    }
}

fn served_stratum(served: &Served) -> Stratum {
    let token = &served.token;
    Stratum {
        rollout: token.rollout,
        generation: served.generation,
        epoch: match token.rollout {
            0 => token.version,
            _ => token.origin_epoch,
        },
        segment: 0,
        arm: token.arm,
    }
}

/// Exposures are not told apart by segment.
const fn exposure_key(stratum: Stratum, token: &TokenFields) -> ExposureKey {
    ExposureKey {
        rollout: stratum.rollout,
        generation: stratum.generation,
        epoch: stratum.epoch,
        arm: stratum.arm,
        issue_minute: token.issued_s / 60,
    }
}
