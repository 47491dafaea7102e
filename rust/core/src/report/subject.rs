//! Whom a token speaks of: the place in the evidence where its outcome belongs.

use crate::snapshot::{Metric, Rollout, Snapshot};
use crate::token::{Flags, Token, TokenFields};

/// Whether an outcome is part of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Analysable,
    /// The answer was left out of the comparison, and so is its outcome.
    Excluded,
    /// Its rollout, arm or version is no longer in the configuration.
    Foreign,
}

/// Everything of an outcome's keys but the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stratum {
    pub(crate) rollout: u32,
    pub(crate) generation: u32,
    pub(crate) epoch: u32,
    pub(crate) segment: u32,
    pub(crate) arm: u8,
}

/// A token seen through a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The fields of the token.
    pub token: TokenFields,
    /// Whether its outcome counts.
    pub standing: Standing,
    pub(super) stratum: Stratum,
    /// When the token is refused as too old.
    pub(super) expires_s: u64,
}

impl Subject {
    /// Finds the place of a token.
    ///
    /// The generation is the one in force now: late outcomes are counted with the
    /// metrics of today, in the epoch of their first assignment.
    pub fn of(snapshot: &Snapshot, token: &Token) -> Self {
        let token = *token.fields();
        let rollout = snapshot.rollout(token.rollout);
        let known = match rollout {
            None => token.rollout == 0 && snapshot.version(token.version).is_some(),
            Some(rollout) => rollout
                .arm(token.arm)
                .is_some_and(|arm| arm.version.id == token.version),
        };
        let standing = if !known {
            Standing::Foreign
        } else if token.flags.contains(Flags::ANALYSABLE) {
            Standing::Analysable
        } else {
            Standing::Excluded
        };
        let stratum = rollout.map_or_else(|| outside(token), |rollout| inside(rollout, token));
        Self {
            token,
            standing,
            stratum,
            expires_s: token.issued_s.saturating_add(snapshot.token_max_age_s()),
        }
    }

    /// The metrics that the outcome is counted for.
    pub(super) fn metrics<'a>(&self, snapshot: &'a Snapshot) -> &'a [Metric] {
        match snapshot.rollout(self.token.rollout) {
            Some(rollout) => &rollout.metrics,
            None => snapshot.built_in_metrics(),
        }
    }
}

fn inside(rollout: &Rollout, token: TokenFields) -> Stratum {
    Stratum {
        rollout: rollout.id,
        generation: rollout.generation,
        epoch: token.origin_epoch,
        segment: rollout.stratum(token.segment_mask),
        arm: token.arm,
    }
}

/// Traffic without a rollout is told apart by version, which has the place of the epoch.
const fn outside(token: TokenFields) -> Stratum {
    Stratum {
        rollout: 0,
        generation: 0,
        epoch: token.version,
        segment: 0,
        arm: 0,
    }
}
