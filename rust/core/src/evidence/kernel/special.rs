//! The special functions the engines need, built on `libm` alone.
//!
//! Each states its accuracy; the vectors in `tests/vectors/student_t.json` and
//! `normal_quantile.json` were computed with 50 digits and hold them to it.

use std::f64::consts::{LN_2, PI, SQRT_2};

const FRACTION_STEPS: u32 = 1_000;
const LARGEST_ARGUMENT: f64 = 1e150;

/// Natural logarithm of the distribution function of Student's t.
///
/// Finite for every finite `x`: the lower tail is computed in logarithms, so
/// `x = -1e5` with 64 degrees of freedom does not underflow. Relative error of
/// the result below 1e-12 for up to 200 degrees of freedom, 1e-11 up to 10,000.
pub fn student_t_ln_cdf(x: f64, degrees: f64) -> f64 {
    let x = x.clamp(-LARGEST_ARGUMENT, LARGEST_ARGUMENT);
    let square = x * x;
    let (near, far) = (square / (degrees + square), degrees / (degrees + square));
    let ln_two_tails = ln_incomplete_beta(degrees / 2.0, 0.5, far, near);
    if x > 0.0 {
        libm::log1p(-0.5 * libm::exp(ln_two_tails))
    } else {
        ln_two_tails - LN_2
    }
}

/// The z with upper tail probability `tail` under the standard normal, for `0 < tail ≤ ½`.
///
/// Newton's method on the logarithm of the tail, which is concave, started from
/// an upper bound of the root: every step stays above it.
pub fn normal_upper_quantile(tail: f64) -> f64 {
    let mut z = libm::sqrt((-2.0 * libm::log(2.0 * tail)).max(0.0));
    for _ in 0..100 {
        let density = libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * PI);
        let reached = 0.5 * libm::erfc(z / SQRT_2);
        let next = z + reached / density * libm::log(reached / tail);
        if next >= z {
            break;
        }
        z = next;
    }
    z
}

/// `ln(mean(exp(values / divisor)))` without overflow; 0 for no values.
pub fn log_mean_exp(values: &[f64], divisor: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) / divisor;
    let mut total = 0.0;
    for value in values {
        total += libm::exp(value / divisor - largest);
    }
    largest + libm::log(total / values.len() as f64)
}

/// Logarithm of the regularised incomplete beta function at `x`, where `rest = 1 - x`.
///
/// Both are arguments because the caller knows each without cancellation.
fn ln_incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if rest <= 0.0 {
        return 0.0;
    }
    let ln_front = a * libm::log(x) + b * ln_one_minus(x, rest) - ln_beta(a, b);
    if x < (a + 1.0) / (a + b + 2.0) {
        return ln_front + libm::log(continued_fraction(a, b, x) / a);
    }
    let ln_front = a * ln_one_minus(rest, x) + b * libm::log(rest) - ln_beta(a, b);
    let other = libm::exp(ln_front) * continued_fraction(b, a, rest) / b;
    libm::log1p(-other)
}

/// `ln(1 - x)` from whichever of `x` and `1 - x` is the more exact.
fn ln_one_minus(x: f64, rest: f64) -> f64 {
    if x < 0.5 {
        libm::log1p(-x)
    } else {
        libm::log(rest)
    }
}

fn ln_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

/// The continued fraction of the incomplete beta function, by the modified Lentz method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for step in 1..FRACTION_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            change = denominator * numerator;
            fraction *= change;
        }
        if (change - 1.0).abs() < f64::EPSILON / 2.0 {
            break;
        }
    }
    fraction
}
