//! What is tested: "the candidate's mean is at most `ratio` × baseline + `difference`".
//!
//! A contrast is data, checked once. It does not say at which evidence to act.

use super::cell::Moments;
use super::error::KernelError;

/// How values vary, and with it which engine runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// Events among observations: Engine R.
    Rate,
    /// Sums of bounded or capped values: Engine T.
    Mean,
}

/// In which direction a change harms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Harm {
    /// Larger is worse: errors, cost.
    Up,
    /// Smaller is worse: scores. A mean changes its sign and a rate becomes its
    /// complement, so margins on a good rate speak of its failures.
    Down,
}

/// The largest harm that is still accepted, in the scaled unit of the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Multiplies the baseline's mean.
    pub ratio: f64,
    /// Is added to it.
    pub difference: f64,
}

impl Margin {
    /// No margin: the plain difference between the arms.
    pub const NONE: Self = Self {
        ratio: 1.0,
        difference: 0.0,
    };
}

/// Observations a tuning value must rest on before it is frozen.
pub(super) const TUNING_MINIMUM: u64 = 30;

/// One margin of one metric, ready to be folded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    pub(super) family: Family,
    pub(super) harm: Harm,
    pub(super) margin: Margin,
    pub(super) floor: Option<f64>,
    pub(super) worst: Option<f64>,
}

impl Contrast {
    /// A contrast of two arms.
    ///
    /// # Errors
    ///
    /// [`KernelError::Contrast`] for a ratio that is not positive and finite, or a
    /// difference that is not finite, or negative for a rate.
    pub fn new(family: Family, harm: Harm, margin: Margin) -> Result<Self, KernelError> {
        let Margin { ratio, difference } = margin;
        if !(ratio > 0.0 && ratio <= 1e6) {
            return Err(refuse(
                "ratio",
                ratio,
                "a ratio lies above 0 and at most at 1e6",
            ));
        }
        if !difference.is_finite() || (family == Family::Rate && difference < 0.0) {
            return Err(refuse(
                "difference",
                difference,
                "use a finite number, 0 or more for a rate",
            ));
        }
        Ok(Self {
            family,
            harm,
            margin,
            floor: None,
            worst: None,
        })
    }

    /// Widens a rate's margin to `baseline + floor` where the baseline is small.
    ///
    /// # Errors
    ///
    /// [`KernelError::Contrast`] for a mean, or a floor outside (0, 1].
    pub fn with_floor(mut self, floor: f64) -> Result<Self, KernelError> {
        if self.family != Family::Rate || !(floor > 0.0 && floor <= 1.0) {
            return Err(refuse(
                "floor",
                floor,
                "a floor belongs to a rate and lies in (0, 1]",
            ));
        }
        self.floor = Some(floor);
        Ok(self)
    }

    /// Names the worst value that a mean's observation can take, in the scaled unit.
    ///
    /// Without it, observations that happen to be all alike look like certainty.
    ///
    /// # Errors
    ///
    /// [`KernelError::Contrast`] for a rate, or a value that is not finite.
    pub fn with_worst(mut self, worst: f64) -> Result<Self, KernelError> {
        if self.family != Family::Mean || !worst.is_finite() {
            return Err(refuse(
                "worst",
                worst,
                "a worst value belongs to a mean and is finite",
            ));
        }
        self.worst = Some(worst);
        Ok(self)
    }

    /// The family, the harm, the margin, the floor and the worst value.
    pub fn parts(&self) -> (Family, Harm, Margin, Option<f64>, Option<f64>) {
        (self.family, self.harm, self.margin, self.floor, self.worst)
    }

    /// Whether this is the plain difference that an interval reports.
    pub(super) fn is_difference(&self) -> bool {
        self.margin == Margin::NONE && self.floor.is_none()
    }

    /// The margin in force for the next stratum, or `None` while a rate's cannot be known.
    ///
    /// A rate's difference and floor become a ratio through the baseline's rate
    /// of *earlier* strata, so the margin is fixed before the data it judges.
    /// Half an event is added to that rate; waiting for `1 / floor` observations
    /// keeps this below half the floor.
    pub(super) fn margin_after(&self, past: Moments) -> Option<Margin> {
        let Margin { ratio, difference } = self.margin;
        let widening = self.floor.unwrap_or(0.0).max(difference);
        if self.family == Family::Mean || widening <= 0.0 {
            return Some(self.margin);
        }
        let n = past.n as f64;
        if past.n < TUNING_MINIMUM || n * widening < 1.0 {
            return None;
        }
        let rate = (past.sum as f64 + 0.5) / (n + 1.0);
        let floored = self.floor.map_or(0.0, |floor| 1.0 + floor / rate);
        Some(Margin {
            ratio: (ratio + difference / rate).max(floored),
            difference: 0.0,
        })
    }

    /// Turns an oriented mean back into the direction in which the metric is read.
    pub(super) fn own_direction(&self, value: f64) -> f64 {
        match (self.harm, self.family) {
            (Harm::Up, _) => value,
            (Harm::Down, Family::Mean) => -value,
            (Harm::Down, Family::Rate) => 1.0 - value,
        }
    }

    /// The size of the margin where the baseline's mean is `mean`.
    pub(super) fn margin_size(&self, mean: f64) -> f64 {
        (self.margin.difference + (self.margin.ratio - 1.0) * mean).abs()
    }
}

fn refuse(field: &'static str, value: f64, rule: &'static str) -> KernelError {
    KernelError::Contrast { field, value, rule }
}
