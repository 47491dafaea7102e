//! The Dirichlet-multinomial test of how units split over arms.
//!
//! Counts units first seen in a stage, never requests: a busy unit is one draw
//! (Lindon and Malek 2011.03567, section on sample-ratio mismatch).

/// Log e-value against "units fall into the arms with these shares".
///
/// `concentration` times `shares` is the prior; a large one looks for small
/// deviations. Shares must be positive and sum to 1; a pair whose lengths
/// differ, or a share that is not positive, gives `None`.
pub fn log_sample_ratio(counts: &[u64], shares: &[f64], concentration: f64) -> Option<f64> {
    let shares_valid = shares.iter().all(|share| *share > 0.0 && share.is_finite());
    let valid = concentration > 0.0 && shares_valid;
    if counts.len() != shares.len() || !valid {
        return None;
    }
    let mut units = 0.0;
    let mut prior = 0.0;
    let mut log_e = 0.0;
    for (count, share) in counts.iter().zip(shares) {
        let (n, a) = (*count as f64, concentration * share);
        units += n;
        prior += a;
        log_e += libm::lgamma(a + n) - libm::lgamma(a) - n * libm::log(*share);
    }
    Some(log_e + libm::lgamma(prior) - libm::lgamma(prior + units))
}
