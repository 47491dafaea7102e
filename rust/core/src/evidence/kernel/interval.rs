//! The two-sided interval that people read: valid at every look, not only the last.
//!
//! Inverts the two-sided t-mixture (Lindon et al. 2210.08589). The interval is
//! a different statement from the one-sided decision with its margin, so it
//! explains a decision and never makes one.

use super::engine_t::shrinkage;

/// An estimate of candidate minus baseline with its anytime-valid bounds.
///
/// Oriented like the evidence: larger is worse. Before there is information the
/// bounds are infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The stratified difference.
    pub estimate: f64,
    /// Lower bound, or −∞.
    pub low: f64,
    /// Upper bound, or +∞.
    pub high: f64,
}

impl Interval {
    pub(super) const UNKNOWN: Self = Self {
        estimate: 0.0,
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };

    /// Bounds at error probability `alpha` around `estimate`, whose variance is `1 / information`.
    pub fn around(estimate: f64, information: f64, rho: f64, degrees: f64, alpha: f64) -> Self {
        if information <= 0.0 {
            return Self::UNKNOWN;
        }
        let reach = radius(information, rho, degrees, alpha) / libm::sqrt(information);
        Self {
            estimate,
            low: estimate - reach,
            high: estimate + reach,
        }
    }
}

/// How many standard errors the interval reaches to each side; infinite while nothing is known.
pub fn radius(information: f64, rho: f64, degrees: f64, alpha: f64) -> f64 {
    let r = shrinkage(information, rho);
    let exponent = (libm::log(r) + 2.0 * libm::log(alpha)) / (degrees + 1.0);
    let a = libm::exp(exponent);
    if a <= r {
        return f64::INFINITY;
    }
    libm::sqrt(degrees * -libm::expm1(exponent) / (a - r))
}
