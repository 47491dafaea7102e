//! Engine T: the t-mixture on the slice-robust z, for scores, cost and tokens.
//!
//! The mixture over the effect is normal with precision `rho`, the variance is
//! estimated from the slices (Lindon et al. 2210.08589, appendix on t-tests).
//! Exact at a fixed time; over time it is approximate and therefore measured.

use std::f64::consts::LN_2;

use super::special::student_t_ln_cdf;

/// A t beyond any data; keeps `t²` finite.
const LARGEST_T: f64 = 1e150;
/// An information beyond any data; keeps `rho / (v + rho)` above zero.
const LARGEST_INFORMATION: f64 = 1e290;

/// `ρ / (v + ρ)`: how much of the mixture's width the data have not yet used.
pub(super) fn shrinkage(information: f64, rho: f64) -> f64 {
    rho / (information.clamp(0.0, LARGEST_INFORMATION) + rho)
}

/// Log e-value against "the effect is zero" from the two-sided mixture.
pub fn log_two_sided(t: f64, information: f64, rho: f64, degrees: f64) -> f64 {
    let t = t.clamp(-LARGEST_T, LARGEST_T);
    let r = shrinkage(information, rho);
    let grown = libm::log1p(t * t / degrees) - libm::log1p(r * t * t / degrees);
    0.5 * libm::log(r) + 0.5 * (degrees + 1.0) * grown
}

/// Log e-value against "the effect is not positive": the mixture over positive effects.
///
/// 0 when `information` is 0. Takes the standardised estimate `t`, its
/// `information` (1 / variance of the estimate), the mixture's precision `rho`
/// (1 / τ², in the same unit) and the degrees of freedom of the variance.
pub fn log_one_sided(t: f64, information: f64, rho: f64, degrees: f64) -> f64 {
    let t = t.clamp(-LARGEST_T, LARGEST_T);
    let r = shrinkage(information, rho);
    let used = 1.0 - r;
    let argument = t * libm::sqrt(used * (degrees + 1.0) / (degrees + r * t * t));
    LN_2 + log_two_sided(t, information, rho, degrees) + student_t_ln_cdf(argument, degrees + 1.0)
}
