//! The contract of a sketch: one distribution, size and quantile after the other, and
//! the laws of merging and of the compact form.

use proptest::prelude::*;

use super::*;

/// A small generator (`splitmix64`) so that the samples are the same on every run.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform on (0, 1].
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Roughly standard normal: twelve uniforms, which is enough for a shape.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what a sample needs"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

type Draw = fn(&mut Generator, u64) -> u64;

const DISTRIBUTIONS: [(&str, Draw); 12] = [
    ("constant", |_, _| 1_234),
    ("all zero", |_, _| 0),
    ("consecutive", |_, index| index),
    ("small counts", |g, _| g.next() % 10),
    ("uniform", |g, _| g.next() % 1_000_000),
    ("all of u64", |g, _| g.next()),
    ("every magnitude", |g, _| g.next() >> (g.next() % 64)),
    ("two modes", |g, i| 100 + (i % 2) * 900_000 + g.next() % 50),
    ("mostly zero", |g, i| (i % 20 / 19) * (g.next() % 5_000)),
    ("exponential", |g, _| whole(-g.unit().ln() * 50_000.0)),
    ("lognormal", |g, _| {
        whole((6.68 + 0.6 * g.normal()).exp() * 1e3)
    }),
    ("pareto", |g, _| whole(1_000.0 / g.unit().powf(1.0 / 1.1))),
];

const QUANTILES: [f64; 11] = [
    0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0,
];

/// The index of the nearest-rank quantile, from the definition with rational p.
fn nearest_rank(p: f64, length: usize) -> usize {
    let thousandths = usize::try_from(whole((p * 1_000.0).round())).unwrap();
    (length * thousandths).div_ceil(1_000).max(1) - 1
}

fn sketch_of(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::new();
    for value in values {
        sketch.insert(*value).unwrap();
    }
    sketch
}

#[test]
fn quantiles_keep_their_error_on_every_distribution() {
    for (name, draw) in DISTRIBUTIONS {
        for length in [1, 2, 10, 100, 1_000, 20_000] {
            let mut generator = Generator(length as u64);
            let mut values: Vec<u64> = (0..length as u64)
                .map(|i| draw(&mut generator, i))
                .collect();
            let sketch = sketch_of(&values);
            values.sort_unstable();
            assert_eq!(sketch.sum(), values.iter().map(|v| i128::from(*v)).sum());
            for p in QUANTILES {
                let exact = values[nearest_rank(p, length)] as f64;
                let error = (sketch.quantile(p).unwrap() - exact).abs();
                assert!(
                    error <= exact * RELATIVE_ERROR,
                    "{name}, {length} values, p = {p}: off by {error} at {exact}"
                );
            }
        }
    }
}

#[test]
fn small_values_are_exact() {
    for value in 0..=92_u32 {
        let quantile = sketch_of(&[value.into()]).quantile(0.5).unwrap();
        assert!((quantile - f64::from(value)).abs() < 1e-12, "{quantile}");
    }
}

#[test]
fn a_quantile_needs_data_and_a_probability() {
    assert_eq!(Sketch::new().quantile(0.5), None);
    for p in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert_eq!(sketch_of(&[1]).quantile(p), None);
    }
}

#[test]
fn overflow_is_refused_and_changes_nothing() {
    let mut sketch = Sketch::new();
    sketch.insert_many(u64::MAX, MAX_COUNT).unwrap();
    let before = sketch.clone();
    assert_eq!(sketch.insert(1), Err(SketchError::Overflow));
    assert_eq!(sketch.merge(&before), Err(SketchError::Overflow));
    assert_eq!(sketch, before);
    assert_eq!(Sketch::decode(&sketch.encode()), Ok(before));
}

#[test]
fn a_thousand_latencies_take_few_bytes() {
    let mut generator = Generator(7);
    let draw = DISTRIBUTIONS[10].1;
    let values: Vec<u64> = (0..1_000).map(|i| draw(&mut generator, i)).collect();
    assert!(sketch_of(&values).encode().len() < 600);
}

#[test]
fn each_impossible_encoding_has_its_own_refusal() {
    let cases: [(&[u8], SketchError); 9] = [
        (&[], SketchError::Malformed),
        (&[2, 0, 0, 0], SketchError::Version(2)),
        (&[1, 0, 0], SketchError::Malformed),
        (&[1, 0, 0, 0, 0], SketchError::Trailing(1)),
        (&[1, 0, 1, 1, 0, 0], SketchError::Bucket),
        (&[1, 0, 1, 1, 1, 1], SketchError::Bucket),
        (&[1, 0, 1, 1, 0x82, 0x20, 1], SketchError::Bucket),
        (&[1, 0, 2, 1, 0, 1], SketchError::Sum),
        (&[1, 1, 1, 0], SketchError::Sum),
    ];
    for (bytes, error) in cases {
        assert_eq!(Sketch::decode(bytes), Err(error), "{bytes:?}");
    }
    assert_eq!(Sketch::decode(&[1, 0, 1, 1, 0, 1]), Ok(sketch_of(&[1])));
}

fn values() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0), 0..200_u64, any::<u64>()], 0..60)
}

fn merged(left: &Sketch, right: &Sketch) -> Sketch {
    let mut sum = left.clone();
    sum.merge(right).unwrap();
    sum
}

proptest! {
    #[test]
    fn merging_is_commutative_and_associative_with_an_identity(
        a in values(), b in values(), c in values()
    ) {
        let (a, b, c) = (sketch_of(&a), sketch_of(&b), sketch_of(&c));
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(&merged(&a, &Sketch::new()), &a);
        prop_assert_eq!(&merged(&Sketch::new(), &a), &a);
    }

    #[test]
    fn merging_equals_one_pass(a in values(), b in values()) {
        let together = [a.clone(), b.clone()].concat();
        prop_assert_eq!(merged(&sketch_of(&a), &sketch_of(&b)), sketch_of(&together));
    }

    #[test]
    fn many_equals_one_by_one(value: u64, count in 0..50_u64) {
        let mut many = Sketch::new();
        many.insert_many(value, count).unwrap();
        let one_by_one: Vec<u64> = (0..count).map(|_| value).collect();
        prop_assert_eq!(many, sketch_of(&one_by_one));
    }

    #[test]
    fn a_threshold_counts_the_values_above_it(values in values(), threshold: u64, shift in 0..64_u32) {
        let threshold_bucket = bucket(threshold >> shift);
        let above = values.iter().filter(|v| **v > upper_bound(threshold_bucket)).count();
        prop_assert_eq!(sketch_of(&values).count_above(threshold_bucket), above as u64);
    }

    #[test]
    fn a_round_trip_keeps_the_sketch(values in values()) {
        let sketch = sketch_of(&values);
        prop_assert_eq!(Sketch::decode(&sketch.encode()), Ok(sketch));
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(values in values(), at: prop::sample::Index, byte: u8) {
        let mut bytes = sketch_of(&values).encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(sketch) = Sketch::decode(&bytes) {
            prop_assert_eq!(sketch.encode(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes: Vec<u8>) {
        let _ = Sketch::decode(&bytes);
        bytes.insert(0, 1);
        let _ = Sketch::decode(&bytes);
    }
}
