//! The kernel against values computed elsewhere: 50-digit vectors and published ones.

use std::f64::consts::LN_2;

use pitcanary_core::evidence::kernel::engine_r::{Events, log_mixture};
use pitcanary_core::evidence::kernel::engine_t::{log_one_sided, log_two_sided};
use pitcanary_core::evidence::kernel::special::{normal_upper_quantile, student_t_ln_cdf};
use pitcanary_core::evidence::kernel::{bucket_ratio, quantile_bucket, radius};
use serde::Deserialize;

#[derive(Deserialize)]
struct StudentT {
    x: f64,
    degrees: f64,
    ln_cdf: f64,
}

#[derive(Deserialize)]
struct NormalQuantile {
    tail: f64,
    z: f64,
}

fn relative_error(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(1e-300)
}

#[test]
fn student_t_meets_fifty_digits() {
    let text = include_str!("../../../tests/vectors/student_t.json");
    let cases: Vec<StudentT> = serde_json::from_str(text).unwrap();
    for case in &cases {
        let tolerance = if case.degrees <= 200.0 { 1e-12 } else { 1e-11 };
        let found = student_t_ln_cdf(case.x, case.degrees);
        let error = relative_error(found, case.ln_cdf);
        assert!(
            error <= tolerance,
            "F({}; {}): {found} not {}",
            case.x,
            case.degrees,
            case.ln_cdf
        );
    }
    assert!(cases.len() > 100);
}

#[test]
fn normal_quantile_meets_fifty_digits() {
    let text = include_str!("../../../tests/vectors/normal_quantile.json");
    let cases: Vec<NormalQuantile> = serde_json::from_str(text).unwrap();
    for case in cases {
        let found = normal_upper_quantile(case.tail);
        assert!(
            (found - case.z).abs() <= 2e-14 * case.z.max(1.0),
            "{}: {found}",
            case.tail
        );
    }
}

#[test]
fn engines_meet_the_reference_values() {
    let event = |ratio, design_effect| {
        let events = Events {
            candidate: 20.0,
            baseline: 190.0,
            share: 0.05,
            ratio,
        };
        log_mixture(events, LN_2, 32, design_effect)
    };
    let cases = [
        (event(1.0, 1.0), 2.749_553_987_1),
        (event(1.25, 1.0), 1.090_377_213_0),
        (event(1.0, 2.0), 1.252_415_846_3),
        (log_one_sided(3.2, 1e6, 1e4, 63.0), 3.152_505_345_9),
        (log_two_sided(3.2, 1e6, 1e4, 63.0), 2.460_407_203_0),
        (radius(1e6, 1e4, 63.0, 0.05), 3.389_710_857_0),
        (radius(1e6, 1e4, 63.0, 0.01), 3.921_764_079_2),
    ];
    for (found, expected) in cases {
        assert!((found - expected).abs() < 1e-10, "{found} not {expected}");
    }
}

#[test]
fn no_information_is_no_evidence() {
    assert!(log_one_sided(0.0, 0.0, 1e4, 63.0).abs() < 1e-15);
    assert!(log_one_sided(5.0, 0.0, 1e4, 63.0).abs() < 1e-15);
    assert!(log_two_sided(5.0, 0.0, 1e4, 63.0).abs() < 1e-15);
    assert!(radius(0.0, 1e4, 63.0, 0.05).is_infinite());
    let nothing = Events {
        candidate: 0.0,
        baseline: 0.0,
        share: 0.5,
        ratio: 1.0,
    };
    assert!(log_mixture(nothing, LN_2, 16, 1.0).abs() < 1e-15);
}

#[test]
fn extreme_evidence_stays_a_number() {
    for t in [-1e200, -1e9, 1e9, 1e200] {
        for information in [1e-300, 1.0, 1e300] {
            assert!(
                log_one_sided(t, information, 1.0, 63.0).is_finite(),
                "{t} {information}"
            );
        }
    }
    let events = Events {
        candidate: 1e12,
        baseline: 1e12,
        share: 1e-6,
        ratio: 1.1,
    };
    let overwhelming = log_mixture(events, LN_2, 16, 1.0);
    assert!(overwhelming > 1e5 && overwhelming.is_finite());
}

#[test]
fn quantile_buckets_count_from_below() {
    assert_eq!(quantile_bucket(&[0, 5, 90, 5], -1, 0.05), Some(0));
    assert_eq!(quantile_bucket(&[0, 5, 90, 5], -1, 0.95), Some(1));
    assert_eq!(quantile_bucket(&[0, 5, 90, 5], -1, 0.96), Some(2));
    assert_eq!(quantile_bucket(&[0, 0], 0, 0.5), None);
    assert!((bucket_ratio(10, 6).powi(32) - 32.0).abs() < 1e-12);
    assert!((bucket_ratio(64, 6) - 2.0).abs() < 1e-15);
}
