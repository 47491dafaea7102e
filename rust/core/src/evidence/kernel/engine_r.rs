//! Engine R: the conditional-on-events mixture, for rates and exceedances.
//!
//! Given that one more event happened in a stratum, it is the candidate's with
//! probability `θ = f_c r / (f_c r + f_b)`, whatever the baseline rate is doing
//! (Lindon and Malek 2011.03567). A half-normal grid over `ln r` on one side of
//! the margin makes the mixture; dividing by the design effect of the slices
//! accounts for units that repeat themselves (Rao and Scott).

use std::sync::OnceLock;

use super::special::{log_mean_exp, normal_upper_quantile};

/// Grid points per direction in the engine.
pub(super) const GRID: usize = 16;

/// Which side of the margin the mixture lies on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// Ratios above the margin.
    Worse,
    /// Ratios below the margin.
    Better,
}

/// The half-normal grid `Φ⁻¹(½ + (j + ½) / 2J)` for `j = 0 .. J`.
pub fn half_normal_grid(points: usize) -> Vec<f64> {
    let width = 2.0 * points as f64;
    (0..points)
        .map(|j| normal_upper_quantile(0.5 - (j as f64 + 0.5) / width))
        .collect()
}

/// Events of one stratum, with the ratio that the margin allows there.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// The candidate's events.
    pub candidate: f64,
    /// The baseline's events.
    pub baseline: f64,
    /// The candidate's share of the observations, strictly between 0 and 1.
    pub share: f64,
    /// The ratio on the boundary.
    pub ratio: f64,
}

/// Adds the log-likelihood ratio of every grid point for the events of one stratum.
///
/// Written as `x_c ln g − (x_c + x_b) ln(1 + θ₀ (g − 1))` with `g = r_j / r_0`:
/// equal to the binomial ratio, and exact where `g` is near 1. A value of
/// `grid` without a partner in `likelihoods` is ignored.
pub fn add_events(likelihoods: &mut [f64], grid: &[f64], spread: f64, side: Side, events: Events) {
    let weighted = events.share * events.ratio;
    let boundary = weighted / (weighted + (1.0 - events.share));
    let total = events.candidate + events.baseline;
    let signed = if side == Side::Worse { spread } else { -spread };
    for (likelihood, z) in likelihoods.iter_mut().zip(grid) {
        let ln_ratio = signed * z;
        let cost = libm::log1p(boundary * libm::expm1(ln_ratio));
        *likelihood += events.candidate * ln_ratio - total * cost;
    }
}

/// Log e-value of one stratum: the whole engine for a single batch of events.
///
/// `points` is the size of the grid, `design_effect ≥ 1` the tempering.
pub fn log_mixture(events: Events, spread: f64, points: usize, design_effect: f64) -> f64 {
    let grid = half_normal_grid(points);
    let mut likelihoods = vec![0.0; points];
    add_events(&mut likelihoods, &grid, spread, Side::Worse, events);
    log_mean_exp(&likelihoods, design_effect.max(1.0))
}

/// The engine's own grid, computed once.
pub(super) fn engine_grid() -> &'static [f64] {
    static CACHE: OnceLock<Vec<f64>> = OnceLock::new();
    CACHE.get_or_init(|| half_normal_grid(GRID))
}
