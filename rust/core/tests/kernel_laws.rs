//! Laws of the fold: what must hold for any cells.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pitcanary_core::evidence::kernel::{
    ArmCell, Contrast, Family, Fold, Harm, Interval, KernelError, Margin, SLICES,
};
use proptest::array::uniform32;
use proptest::prelude::*;

type Stratum = (ArmCell, ArmCell);

fn contrast(family: Family, ratio: f64, difference: f64) -> Contrast {
    Contrast::new(family, Harm::Up, Margin { ratio, difference }).unwrap()
}

fn fold_all(contrast: Contrast, strata: &[Stratum]) -> Fold {
    let mut fold = Fold::new(contrast);
    for (baseline, candidate) in strata {
        fold.absorb(baseline, candidate).unwrap();
    }
    fold
}

/// A cell of events among up to 200 observations in each of half the slices.
fn rate_cell() -> impl Strategy<Value = ArmCell> {
    uniform32((0..200_u64, 0.0..0.2_f64)).prop_map(|slices| {
        let mut cell = ArmCell::default();
        for (index, (n, rate)) in slices.into_iter().enumerate() {
            cell.n[2 * index] = n;
            #[expect(clippy::cast_possible_truncation, reason = "at most 200 × 0.2")]
            let events = (n as f64 * rate) as i128;
            cell.sum[2 * index] = events;
            cell.sum_squares += events;
        }
        cell
    })
}

/// A cell of values; each slice holds `n` times the same value, so the squares fit.
fn mean_cell() -> impl Strategy<Value = ArmCell> {
    uniform32((0..50_u64, -1_000_000..1_000_000_i128)).prop_map(|slices| {
        let mut cell = ArmCell::default();
        for (index, (n, value)) in slices.into_iter().enumerate() {
            cell.n[2 * index] = n;
            cell.sum[2 * index] = i128::from(n) * value;
            cell.sum_squares += i128::from(n) * value * value;
        }
        cell
    })
}

fn strata<S: Strategy<Value = ArmCell>>(cell: fn() -> S) -> impl Strategy<Value = Vec<Stratum>> {
    prop::collection::vec((cell(), cell()), 1..6)
}

fn merged(parts: &[ArmCell]) -> ArmCell {
    let mut whole = ArmCell::default();
    for part in parts {
        whole.merge(part).unwrap();
    }
    whole
}

fn assert_defined(fold: &Fold) {
    let evidence = fold.evidence();
    for value in [
        evidence.log_worse,
        evidence.log_better,
        evidence.estimate,
        evidence.information,
        evidence.design_effect,
        evidence.baseline_value,
        evidence.candidate_value,
    ] {
        assert!(value.is_finite(), "{evidence:?}");
    }
    assert!(evidence.design_effect >= 1.0);
}

proptest! {
    #[test]
    fn cells_of_sidecars_merge_to_the_same_bits_in_any_order(
        parts in prop::collection::vec((mean_cell(), any::<u32>()), 2..8), other in mean_cell(),
    ) {
        let mut shuffled = parts.clone();
        shuffled.sort_by_key(|(_, key)| *key);
        let cells = |parts: Vec<(ArmCell, u32)>| parts.into_iter().map(|(cell, _)| cell).collect::<Vec<_>>();
        let (one, two) = (merged(&cells(parts)), merged(&cells(shuffled)));
        prop_assert_eq!(&one, &two);
        let contrast = contrast(Family::Mean, 1.05, 0.0);
        let bytes = |cell: &ArmCell| fold_all(contrast, &[(other.clone(), cell.clone())]).to_bytes();
        prop_assert_eq!(bytes(&one), bytes(&two));
    }

    #[test]
    fn batches_of_equal_share_split_without_changing_engine_r(
        baseline in rate_cell(), candidate in rate_cell(), parts in 1..6_u32, ratio in 1.0..3.0_f64,
    ) {
        let contrast = contrast(Family::Rate, ratio, 0.0);
        let small = vec![(baseline.clone(), candidate.clone()); parts as usize];
        let whole = (
            merged(&vec![baseline; parts as usize]),
            merged(&vec![candidate; parts as usize]),
        );
        let split = fold_all(contrast, &small).evidence();
        let joined = fold_all(contrast, &[whole]).evidence();
        let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        prop_assert!(same(split.log_worse, joined.log_worse), "{split:?} {joined:?}");
        prop_assert!(same(split.log_better, joined.log_better), "{split:?} {joined:?}");
    }

    #[test]
    fn swapping_the_arms_mirrors_the_estimate_and_keeps_its_information(
        strata in strata(mean_cell), rho in 1e-12..1e-3_f64,
    ) {
        let swapped: Vec<Stratum> = strata.iter().cloned().map(|(b, c)| (c, b)).collect();
        let contrast = contrast(Family::Mean, 1.0, 0.0);
        let here = fold_all(contrast, &strata).evidence();
        let there = fold_all(contrast, &swapped).evidence();
        prop_assert!((here.estimate + there.estimate).abs() <= 1e-9 * here.estimate.abs().max(1.0));
        prop_assert!((here.information - there.information).abs() <= 1e-9 * here.information);
        let interval = |e: &pitcanary_core::evidence::kernel::Evidence| {
            Interval::around(e.estimate, e.information, rho, 63.0, 0.05)
        };
        let (here, there) = (interval(&here), interval(&there));
        if here.high.is_finite() {
            prop_assert!((here.high + there.low).abs() <= 1e-6 * here.high.abs().max(1.0));
            prop_assert!((here.low + there.high).abs() <= 1e-6 * here.low.abs().max(1.0));
        }
    }

    #[test]
    fn harm_downwards_is_harm_upwards_of_the_opposite(strata in strata(mean_cell)) {
        let negate = |cell: &ArmCell| ArmCell { sum: cell.sum.map(|sum| -sum), ..cell.clone() };
        let opposite: Vec<Stratum> = strata.iter().map(|(b, c)| (negate(b), negate(c))).collect();
        let margin = Margin { ratio: 1.0, difference: 500.0 };
        let down = Contrast::new(Family::Mean, Harm::Down, margin).unwrap();
        let down = fold_all(down, &opposite).evidence();
        let up = fold_all(contrast(Family::Mean, 1.0, 500.0), &strata).evidence();
        prop_assert_eq!(down.log_worse.to_bits(), up.log_worse.to_bits());
        prop_assert_eq!(down.log_better.to_bits(), up.log_better.to_bits());
        prop_assert!((down.candidate_value + up.candidate_value).abs() <= 1e-9);
    }

    #[test]
    fn a_good_rate_is_judged_by_its_failures(strata in strata(rate_cell)) {
        let complement = |cell: &ArmCell| {
            let mut sum = cell.sum;
            for (events, n) in sum.iter_mut().zip(cell.n) {
                *events = i128::from(n) - *events;
            }
            ArmCell { n: cell.n, sum, sum_squares: 0 }
        };
        let good: Vec<Stratum> = strata.iter().map(|(b, c)| (complement(b), complement(c))).collect();
        let margin = Margin { ratio: 1.25, difference: 0.0 };
        let down = fold_all(Contrast::new(Family::Rate, Harm::Down, margin).unwrap(), &good);
        let up = fold_all(contrast(Family::Rate, 1.25, 0.0), &strata);
        prop_assert_eq!(down.evidence().log_worse.to_bits(), up.evidence().log_worse.to_bits());
    }

    #[test]
    fn every_result_is_defined(
        rates in strata(rate_cell), means in strata(mean_cell),
        ratio in 0.5..4.0_f64, difference in 0.0..0.1_f64, floor in 1e-4..0.5_f64,
    ) {
        assert_defined(&fold_all(contrast(Family::Rate, ratio, difference), &rates));
        let floored = contrast(Family::Rate, ratio, 0.0).with_floor(floor).unwrap();
        assert_defined(&fold_all(floored, &rates));
        let bounded = contrast(Family::Mean, ratio, difference).with_worst(1e6).unwrap();
        assert_defined(&fold_all(bounded, &means));
    }

    #[test]
    fn bytes_keep_every_bit(strata in strata(mean_cell), more in mean_cell()) {
        let contrast = contrast(Family::Mean, 1.05, 0.5).with_worst(2e6).unwrap();
        let mut fold = fold_all(contrast, &strata);
        let mut restored = Fold::from_bytes(&fold.to_bytes()).unwrap();
        prop_assert_eq!(&restored, &fold);
        fold.absorb(&more, &more).unwrap();
        restored.absorb(&more, &more).unwrap();
        prop_assert_eq!(restored.to_bytes(), fold.to_bytes());
    }

    #[test]
    fn damaged_bytes_are_refused(
        strata in strata(rate_cell), place in any::<prop::sample::Index>(), bit in 0..8_u8,
    ) {
        let mut bytes = fold_all(contrast(Family::Rate, 1.1, 0.0), &strata).to_bytes();
        let index = place.index(bytes.len());
        prop_assert!(Fold::from_bytes(&bytes[..index]).is_err());
        bytes[index] ^= 1 << bit;
        prop_assert!(Fold::from_bytes(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(Fold::from_bytes(&bytes).is_err());
    }
}

fn uniform(n: u64, value: i128) -> ArmCell {
    let mut cell = ArmCell {
        n: [n; SLICES],
        ..ArmCell::default()
    };
    for slice in 0..SLICES {
        cell.sum[slice] = i128::from(n) * value;
        cell.sum_squares += i128::from(n) * value * value;
    }
    cell
}

#[test]
fn equal_constant_values_are_no_evidence_of_a_difference() {
    let cells = (uniform(100, 1_000_003), uniform(3, 1_000_003));
    let fold = fold_all(contrast(Family::Mean, 1.0, 0.0), &[cells.clone(), cells]);
    let evidence = fold.evidence();
    assert!(
        evidence.log_worse <= 0.0 && evidence.log_better <= 0.0,
        "{evidence:?}"
    );
}

#[test]
fn a_constant_that_grew_is_found_at_once() {
    let fold = fold_all(
        contrast(Family::Mean, 1.05, 0.0),
        &[(uniform(100, 500), uniform(3, 600))],
    );
    assert!(fold.evidence().log_worse > 20.0, "{:?}", fold.evidence());
}

#[test]
fn only_perfect_scores_in_a_small_sample_are_not_proof() {
    let perfect = (uniform(100, 1_000_000), uniform(1, 1_000_000));
    let contrast = Contrast::new(
        Family::Mean,
        Harm::Down,
        Margin {
            ratio: 1.0,
            difference: 15_000.0,
        },
    )
    .unwrap();
    let blind = fold_all(contrast, std::slice::from_ref(&perfect)).evidence();
    let careful = fold_all(contrast.with_worst(0.0).unwrap(), &[perfect]).evidence();
    assert!(blind.log_better > 3.0, "the trap has gone: {blind:?}");
    assert!(careful.log_better < 1.0, "{careful:?}");
}

#[test]
fn no_events_at_all_are_no_evidence() {
    let evidence = fold_all(
        contrast(Family::Rate, 1.5, 0.0),
        &[(uniform(1000, 0), uniform(10, 0))],
    )
    .evidence();
    assert!(evidence.log_better.abs() < 1e-12 && evidence.log_worse.abs() < 1e-12);
}

#[test]
fn a_stratum_with_one_arm_is_counted_and_compares_nothing() {
    let contrast = contrast(Family::Rate, 1.1, 0.0);
    let empty = ArmCell::default();
    let fold = fold_all(
        contrast,
        &[(uniform(10, 1), empty.clone()), (empty, uniform(10, 1))],
    );
    let evidence = fold.evidence();
    assert_eq!(
        (evidence.one_armed, evidence.strata, evidence.candidate_n),
        (2, 0, 0)
    );
    assert!(!evidence.started);
}

#[test]
fn one_user_gives_a_defined_result() {
    let mut baseline = ArmCell {
        sum_squares: 3,
        ..ArmCell::default()
    };
    baseline.n[7] = 1_000_000_000_000;
    baseline.sum[7] = 3;
    let mut candidate = ArmCell {
        sum_squares: 1,
        ..ArmCell::default()
    };
    candidate.n[7] = 1;
    candidate.sum[7] = 1;
    let fold = fold_all(contrast(Family::Rate, 1.1, 0.0), &[(baseline, candidate)]);
    assert_defined(&fold);
    assert_eq!(fold.evidence().candidate_slices, 1);
}

#[test]
fn a_floor_waits_for_a_rate_that_is_known_before_the_cell() {
    let contrast = contrast(Family::Rate, 1.1, 0.0).with_floor(0.002).unwrap();
    let mut one = uniform(100, 0);
    one.sum[0] = 6;
    let cells = (one.clone(), one);
    let evidence = fold_all(contrast, &[cells.clone(), cells.clone(), cells]).evidence();
    assert_eq!((evidence.waiting, evidence.strata), (1, 2));
}

#[test]
fn a_floor_finds_harm_where_the_baseline_never_fails() {
    let contrast = contrast(Family::Rate, 1.1, 0.0).with_floor(0.002).unwrap();
    let mut candidate = uniform(1, 0);
    candidate.sum[..16].fill(1);
    let cells = (uniform(99, 0), candidate);
    let strata = vec![cells; 6];
    assert!(fold_all(contrast, &strata).evidence().log_worse > 5.0);
}

#[test]
fn impossible_cells_are_refused_and_change_nothing() {
    let mut events = ArmCell::default();
    events.n[3] = 1;
    events.sum[3] = 2;
    let mut orphan = ArmCell::default();
    orphan.sum[5] = 1;
    let mut squares = uniform(2, 10);
    squares.sum_squares = 5;
    let mut huge = ArmCell {
        sum_squares: i128::MAX,
        ..ArmCell::default()
    };
    huge.n[0] = 2;
    huge.sum[0] = i128::MAX;
    let cases = [
        (
            Family::Rate,
            events,
            KernelError::NotARate {
                slice: 3,
                sum: 2,
                n: 1,
            },
        ),
        (
            Family::Mean,
            orphan,
            KernelError::SumWithoutObservations { slice: 5, sum: 1 },
        ),
        (
            Family::Mean,
            squares,
            KernelError::Squares { sum_squares: 5 },
        ),
        (
            Family::Mean,
            huge,
            KernelError::Squares {
                sum_squares: i128::MAX,
            },
        ),
    ];
    for (family, cell, expected) in cases {
        let mut fold = Fold::new(contrast(family, 1.1, 0.0));
        let before = fold.clone();
        assert_eq!(fold.absorb(&uniform(5, 1), &cell), Err(expected));
        assert_eq!(fold, before);
    }
}

#[test]
fn impossible_contrasts_are_refused() {
    let new =
        |ratio, difference| Contrast::new(Family::Rate, Harm::Up, Margin { ratio, difference });
    assert!(new(0.0, 0.0).is_err() && new(f64::NAN, 0.0).is_err() && new(1.0, -0.1).is_err());
    assert!(new(1.1, 0.0).unwrap().with_floor(0.0).is_err());
    assert!(new(1.1, 0.0).unwrap().with_worst(1.0).is_err());
    assert!(
        fold_all(new(1.1, 0.0).unwrap(), &[])
            .interval(0.05)
            .is_err()
    );
}
