//! Which arm a request gets, and whether it counts.
//!
//! The rules in order: a pin of the same rollout, eligibility, the slot of the unit;
//! then the brakes, which give candidate traffic to the baseline. Nothing here fails:
//! what cannot be done serves the baseline, says so and is left out of the comparison.

use std::sync::Arc;

use super::{LocalState, unit};
use crate::assign;
use crate::snapshot::{Arm, Label, OnRollback, PER_REQUEST, Rollout, Snapshot, Version};
use crate::token::{Flags, TokenFields};
use crate::v1::{Exclusion, Reason, ResolvePromptRequest};

/// Fixed sentences that explain a reason; they hold nothing of the request.
pub(super) mod detail {
    pub(in super::super) const NO_UNIT: &str =
        "no unit was given: assigned for this request alone and not compared";
    pub(in super::super) const OTHER_KIND: &str =
        "the unit is of another kind than the rollout splits by: not compared";
    pub(in super::super) const PIN_REFUSED: &str =
        "the pin is no valid token of this unit and prompt: it was ignored";
    pub(in super::super) const ROLLED_BACK: &str =
        "the version of this conversation was taken back: use this one from now on";
    pub(in super::super) const NOT_RENDERED: &str =
        "the assigned version cannot be rendered with these variables";
}

/// What a request asks for, and the circumstances.
pub(super) struct Question<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a ResolvePromptRequest,
    pub(super) label: &'a Label,
    pub(super) local: &'a LocalState<'a>,
    /// The pin, if it is a valid token of this unit and prompt.
    pub(super) pin: Option<TokenFields>,
    /// Stands in for a unit that was not given.
    pub(super) stand_in: &'a str,
}

/// What a request gets.
pub(super) struct Choice<'a> {
    /// The rollout that it counts for; `None` for traffic without one.
    pub(super) rollout: Option<&'a Rollout>,
    /// The arm that the unit was assigned to.
    pub(super) assigned: u8,
    /// The arm that is served.
    pub(super) served: u8,
    pub(super) version: &'a Arc<Version>,
    pub(super) reason: Reason,
    pub(super) origin_epoch: u32,
    /// Pinned and mixed, as far as they hold.
    pub(super) flags: Flags,
    /// Why it is not compared.
    pub(super) exclusion: Option<Exclusion>,
    pub(super) segment_mask: u16,
    pub(super) detail: &'static str,
}

impl<'a> Question<'a> {
    pub(super) fn choose(&self) -> Choice<'a> {
        let pinned = self.pin.and_then(|pin| {
            let rollout = self.snapshot.rollout(pin.rollout)?;
            Some((rollout, pin))
        });
        match (self.label.rollout.as_deref(), pinned) {
            (Some(current), Some((rollout, pin))) if rollout.id == current.id => {
                self.pinned(rollout, pin)
            }
            (Some(current), _) => self.unpinned(current),
            (None, Some((ended, pin))) => self.pinned_to_ended(ended, pin),
            (None, None) => self.without_rollout(),
        }
    }

    /// The unit, or what stands in for it.
    pub(super) fn unit(&self) -> &'a str {
        let given = self.request.unit.as_str();
        if given.is_empty() {
            self.stand_in
        } else {
            given
        }
    }

    /// The kind of the unit, as it is hashed.
    pub(super) fn unit_kind(&self, rollout: Option<&'a Rollout>) -> &'a str {
        let given = self.request.unit_kind.as_str();
        match rollout {
            _ if !given.is_empty() => given,
            Some(rollout) => &rollout.unit_kind,
            None => unit::DEFAULT_KIND,
        }
    }

    /// The version of the label. A conversation that has seen another one is mixed.
    fn without_rollout(&self) -> Choice<'a> {
        let version = &self.label.version;
        let mut choice = Choice {
            rollout: None,
            assigned: 0,
            served: 0,
            version,
            reason: Reason::Default,
            origin_epoch: 0,
            flags: Flags::default(),
            exclusion: None,
            segment_mask: 0,
            detail: "",
        };
        if let Some(pin) = self.pin {
            choice.follow(pin);
            if pin.version == version.id {
                choice.reason = Reason::Pinned;
            }
        }
        choice
    }

    /// A unit without a pin of this rollout: eligible ones are split by their slot.
    fn unpinned(&self, rollout: &'a Rollout) -> Choice<'a> {
        let attributes = &self.request.attributes;
        let mut segment_mask = 0;
        if let Some(eligible) = &rollout.eligible {
            segment_mask = eligible.test(attributes);
            if segment_mask == 0 {
                return self.without_rollout();
            }
        }
        for stratum in rollout.strata() {
            segment_mask |= stratum.test(attributes);
        }
        let baseline_version = rollout.baseline().version.id;
        if let Some(pin) = self.pin.filter(|pin| pin.version == baseline_version) {
            return self.joined_on_baseline(rollout, pin, segment_mask);
        }
        let slot = assign::slot(&rollout.salt, self.unit_kind(Some(rollout)), self.unit());
        let Some(arm) = rollout.ranges.arm(slot) else {
            return self.without_rollout();
        };
        let mut choice = self.serve(rollout, arm, Reason::Split, segment_mask);
        if let Some(pin) = self.pin {
            choice.follow(pin);
        }
        self.brake(rollout, choice)
    }

    /// A conversation that began before the rollout keeps the baseline's version; it
    /// was not randomised, so it is not compared.
    fn joined_on_baseline(
        &self,
        rollout: &'a Rollout,
        pin: TokenFields,
        segment_mask: u16,
    ) -> Choice<'a> {
        let mut choice = self.serve(rollout, 0, Reason::Pinned, segment_mask);
        choice.follow(pin);
        choice.exclude(Exclusion::Forced);
        choice
    }

    /// A conversation of this rollout keeps its arm, unless the arm was taken back.
    fn pinned(&self, rollout: &'a Rollout, pin: TokenFields) -> Choice<'a> {
        match rollout.arm(pin.arm) {
            Some(arm) if keeps(rollout, arm, arm.withdrawn, pin) => self.keep(rollout, pin),
            _ => self.moved(rollout, pin),
        }
    }

    /// A conversation of a rollout that has ended keeps its arm too. The arm counts as
    /// taken back when the label points at the baseline, whoever moved it there; a label
    /// that points at no arm has nothing to do with the rollout any more.
    fn pinned_to_ended(&self, rollout: &'a Rollout, pin: TokenFields) -> Choice<'a> {
        let label = self.label.version.id;
        let is_of_rollout = rollout.arms.iter().any(|arm| arm.version.id == label);
        let taken_back = label == rollout.baseline().version.id;
        match rollout.arm(pin.arm) {
            Some(arm) if is_of_rollout && keeps(rollout, arm, taken_back, pin) => {
                self.keep(rollout, pin)
            }
            _ => {
                let mut choice = self.without_rollout();
                if rollout.on_rollback == OnRollback::Immediate && taken_back {
                    choice.detail = detail::ROLLED_BACK;
                }
                choice
            }
        }
    }

    fn keep(&self, rollout: &'a Rollout, pin: TokenFields) -> Choice<'a> {
        let mut choice = self.serve(rollout, pin.arm, Reason::Pinned, pin.segment_mask);
        choice.origin_epoch = pin.origin_epoch;
        choice.follow(pin);
        self.brake(rollout, choice)
    }

    /// The pinned arm is gone: the baseline serves the conversation from now on.
    fn moved(&self, rollout: &'a Rollout, pin: TokenFields) -> Choice<'a> {
        let mut choice = self.serve(rollout, 0, Reason::Split, pin.segment_mask);
        choice.follow(pin);
        choice.exclude(Exclusion::Mixed);
        if rollout.on_rollback == OnRollback::Immediate {
            choice.detail = detail::ROLLED_BACK;
        }
        choice
    }

    fn serve(
        &self,
        rollout: &'a Rollout,
        arm: u8,
        reason: Reason,
        segment_mask: u16,
    ) -> Choice<'a> {
        let (exclusion, detail) = self.comparable(rollout);
        let served = rollout.arm(arm).unwrap_or(rollout.baseline());
        Choice {
            rollout: Some(rollout),
            assigned: arm,
            served: arm,
            version: &served.version,
            reason,
            origin_epoch: rollout.epoch,
            flags: Flags::default(),
            exclusion,
            segment_mask,
            detail,
        }
    }

    /// Whether the unit is one that the rollout splits by.
    fn comparable(&self, rollout: &Rollout) -> (Option<Exclusion>, &'static str) {
        let kind = self.request.unit_kind.as_str();
        if !kind.is_empty() && kind != &*rollout.unit_kind {
            return (Some(Exclusion::NoUnit), detail::OTHER_KIND);
        }
        if self.request.unit.is_empty() && &*rollout.unit_kind != PER_REQUEST {
            return (Some(Exclusion::NoUnit), detail::NO_UNIT);
        }
        (None, "")
    }

    /// Gives candidate traffic to the baseline where this sidecar must. Both arms then
    /// leave the comparison, so that they stay comparable.
    fn brake(&self, rollout: &'a Rollout, mut choice: Choice<'a>) -> Choice<'a> {
        let (exclusion, reason) = if self.local.tripped.contains(&rollout.id) {
            (Exclusion::Breaker, Reason::Breaker)
        } else if self.local.unattended {
            (Exclusion::Unattended, Reason::Unattended)
        } else {
            return choice;
        };
        choice.exclude(exclusion);
        if choice.served != 0 {
            choice.fall_back(rollout, reason);
        }
        choice
    }
}

/// Whether a pinned conversation stays on its arm.
fn keeps(rollout: &Rollout, arm: &Arm, taken_back: bool, pin: TokenFields) -> bool {
    let finishes = pin.arm == 0 || rollout.on_rollback == OnRollback::FinishPinned;
    arm.version.id == pin.version && (!taken_back || finishes)
}

impl<'a> Choice<'a> {
    /// The name of the arm that is served.
    pub(super) fn arm_name(&self, without_rollout: &Arc<str>) -> Arc<str> {
        let arm = self.rollout.and_then(|rollout| rollout.arm(self.served));
        Arc::clone(arm.map_or(without_rollout, |arm| &arm.name))
    }

    /// Serves the baseline instead. A conversation that was on another arm is mixed.
    pub(super) fn fall_back(&mut self, rollout: &'a Rollout, reason: Reason) {
        if self.flags.contains(Flags::PINNED) {
            self.flags = Flags::MIXED;
        }
        self.served = 0;
        self.version = &rollout.baseline().version;
        self.reason = reason;
    }

    /// Leaves the comparison; the first reason stands.
    pub(super) fn exclude(&mut self, exclusion: Exclusion) {
        self.exclusion.get_or_insert(exclusion);
    }

    /// Carries on what the conversation's last turn says.
    fn follow(&mut self, pin: TokenFields) {
        if pin.version == self.version.id {
            self.flags = self.flags.with(Flags::PINNED);
        }
        if pin.version != self.version.id || pin.flags.contains(Flags::MIXED) {
            self.flags = self.flags.with(Flags::MIXED);
            self.exclude(Exclusion::Mixed);
        } else if !pin.flags.contains(Flags::ANALYSABLE) {
            let noted = Exclusion::try_from(i32::from(pin.flags.exclusion()));
            self.exclude(noted.unwrap_or(Exclusion::Mixed));
        }
    }
}
