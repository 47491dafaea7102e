//! Random choices that depend on a seed and a request's index, and on nothing else.
//!
//! `SplitMix64` (Steele, Lea and Flood 2014) over (seed, purpose, index): any
//! request can be drawn without drawing those before it.

use std::f64::consts::TAU;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A family of independent draws.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    seed: u64,
}

/// What a draw is for; different purposes are independent.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(super) enum Purpose {
    Unit = 1,
    Outcome = 2,
    Weight = 3,
    Angle = 4,
}

impl Draw {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn bits(self, purpose: Purpose, index: u64) -> u64 {
        mix(mix(self
            .seed
            .wrapping_add((purpose as u64).wrapping_mul(GOLDEN)))
        .wrapping_add(index.wrapping_mul(GOLDEN)))
    }

    /// An integer below `bound`, by multiply-shift; 0 when `bound` is 0.
    pub(super) fn below(self, purpose: Purpose, index: u64, bound: u64) -> u64 {
        let product = u128::from(self.bits(purpose, index)) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number in (0, 1).
    fn unit(self, purpose: Purpose, index: u64) -> f64 {
        ((self.bits(purpose, index) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A standard normal number (Box and Muller 1958).
    fn normal(self, index: u64) -> f64 {
        let radius = (-2.0 * self.unit(Purpose::Weight, index).ln()).sqrt();
        radius * (TAU * self.unit(Purpose::Angle, index)).cos()
    }
}

fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(GOLDEN);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How requests are spread over the users.
#[derive(Clone, Debug)]
pub struct Activity {
    users: u64,
    /// Upper ends of the users' intervals on [0, 1); empty: all alike.
    ends: Vec<f64>,
}

impl Activity {
    /// Every user is equally active.
    pub fn even(users: u64) -> Self {
        Self {
            users,
            ends: Vec::new(),
        }
    }

    /// Users differ by a lognormal factor with this sigma, fixed by the seed.
    pub fn lognormal(users: u64, sigma: f64, draw: Draw) -> Self {
        if sigma <= 0.0 {
            return Self::even(users);
        }
        let mut total = 0.0;
        let mut ends: Vec<f64> = (0..users)
            .map(|user| {
                total += (sigma * draw.normal(user)).exp();
                total
            })
            .collect();
        for end in &mut ends {
            *end /= total;
        }
        Self { users, ends }
    }

    /// The user of a request.
    pub(super) fn user(&self, draw: Draw, index: u64) -> u64 {
        if self.ends.is_empty() {
            return draw.below(Purpose::Unit, index, self.users);
        }
        let place = draw.unit(Purpose::Unit, index);
        let found = self.ends.partition_point(|&end| end <= place);
        (found as u64).min(self.users.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_purpose_and_index_alone() {
        let draw = Draw::new(7);
        assert_eq!(
            draw.bits(Purpose::Unit, 3),
            Draw::new(7).bits(Purpose::Unit, 3)
        );
        assert_ne!(draw.bits(Purpose::Unit, 3), draw.bits(Purpose::Outcome, 3));
        assert_ne!(draw.bits(Purpose::Unit, 3), draw.bits(Purpose::Unit, 4));
        assert_ne!(
            draw.bits(Purpose::Unit, 3),
            Draw::new(8).bits(Purpose::Unit, 3)
        );
    }

    #[test]
    fn integers_are_even_over_their_range() {
        let draw = Draw::new(1);
        let mut counts = [0_u32; 10];
        for index in 0..100_000 {
            counts[usize::try_from(draw.below(Purpose::Outcome, index, 10)).unwrap()] += 1;
        }
        // Chi-square with 9 degrees of freedom: 27.9 is its 0.999 quantile.
        let chi: f64 = counts
            .iter()
            .map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi < 27.9, "{counts:?}");
    }

    #[test]
    fn a_larger_sigma_concentrates_the_requests() {
        let draw = Draw::new(1);
        let busiest = |sigma| {
            let activity = Activity::lognormal(1_000, sigma, draw);
            let mut counts = vec![0_u32; 1_000];
            for index in 0..50_000 {
                counts[usize::try_from(activity.user(draw, index)).unwrap()] += 1;
            }
            counts.into_iter().max().unwrap()
        };
        assert!(busiest(0.0) < 100);
        assert!(busiest(1.5) > 400);
    }
}
