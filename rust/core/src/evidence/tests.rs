//! The laws of bundles: a commutative monoid with one byte form, safe on any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::assign::Slice;

/// One thing that a sidecar can count.
#[derive(Debug, Clone)]
enum Event {
    Observed(CellKey, Shape, Slice, Observation),
    Distributed(HistogramKey, u64),
    Exposed(ExposureKey, Slice, bool),
    Seen(UnitKey, u64, Sighting),
    Excluded(ExclusionKey),
    Missed(MissingKey),
    Rejected(u32),
}

fn slice() -> impl Strategy<Value = Slice> {
    (0..64_u8).prop_map(|number| Slice::new(number).unwrap())
}

/// The metric decides the shape, as the configuration does.
fn observed() -> impl Strategy<Value = Event> {
    let value = prop_oneof![-1_000..1_000_i64, any::<i64>()];
    (0..3_u32, 0..2_u8, 0..4_u32, slice(), value, 0..4_u8).prop_map(
        |(rollout, arm, metric, slice, value, counted)| {
            let positive = value.saturating_abs();
            let (shape, observation) = match metric {
                0 => (Shape::Counts(1), Observation::Counted(counted % 2)),
                1 => (Shape::Mean, Observation::Value(value)),
                2 => (
                    Shape::Ratio,
                    Observation::Pair(positive, i64::from(counted)),
                ),
                _ => (Shape::Counts(3), Observation::Counted(counted)),
            };
            Event::Observed(cell_key(rollout, arm, metric), shape, slice, observation)
        },
    )
}

fn cell_key(rollout: u32, arm: u8, metric: u32) -> CellKey {
    CellKey {
        rollout,
        generation: 1,
        epoch: 7,
        threshold_set: metric / 3,
        segment: 0,
        arm,
        metric,
    }
}

fn event() -> impl Strategy<Value = Event> {
    let rollout = 0..3_u32;
    prop_oneof![
        6 => observed(),
        1 => (rollout.clone(), 0..2_u8, any::<u64>()).prop_map(|(rollout, arm, value)| {
            let key = HistogramKey { rollout, generation: 1, epoch: 7, segment: 0, arm, metric: 1 };
            Event::Distributed(key, value)
        }),
        2 => (rollout.clone(), 0..2_u64, slice(), any::<bool>()).prop_map(
            |(rollout, issue_minute, slice, outcome)| {
                let key = ExposureKey { rollout, generation: 1, epoch: 7, arm: 0, issue_minute };
                Event::Exposed(key, slice, outcome)
            }
        ),
        4 => (rollout.clone(), 0..20_u64, 0..3_u32, 0..3_u8).prop_map(
            |(rollout, hash, epoch, arm)| {
                let key = UnitKey { rollout, generation: 1 };
                Event::Seen(key, hash, Sighting::new(epoch, arm))
            }
        ),
        1 => (rollout.clone(), 1..8_i32).prop_map(|(rollout, exclusion)| {
            Event::Excluded(ExclusionKey { rollout, arm: 1, exclusion })
        }),
        1 => (rollout, 1..5_i32).prop_map(|(rollout, missing)| {
            Event::Missed(MissingKey { rollout, generation: 1, arm: 1, metric: 2, missing })
        }),
        1 => (1..9_u32).prop_map(Event::Rejected),
    ]
}

fn record<'a>(events: impl IntoIterator<Item = &'a Event>) -> Bundle {
    let mut bundle = Bundle::default();
    for event in events {
        match event.clone() {
            Event::Observed(key, shape, slice, observation) => {
                assert!(bundle.cell(key, shape).add(slice, observation).unwrap());
            }
            Event::Distributed(key, value) => {
                bundle
                    .histograms
                    .entry(key)
                    .or_default()
                    .insert(value)
                    .unwrap();
            }
            Event::Exposed(key, slice, false) => {
                bundle.exposures.entry(key).or_default().add_exposure(slice);
            }
            Event::Exposed(key, slice, true) => {
                bundle.exposures.entry(key).or_default().add_outcome(slice);
            }
            Event::Seen(key, hash, sighting) => {
                bundle.units.entry(key).or_default().insert(hash, sighting);
            }
            Event::Excluded(key) => *bundle.exclusions.entry(key).or_default() += 1,
            Event::Missed(key) => *bundle.missing.entry(key).or_default() += 1,
            Event::Rejected(code) => bundle.losses.add_rejected(code),
        }
    }
    bundle
}

fn bundle() -> impl Strategy<Value = Bundle> {
    vec(event(), 0..60).prop_map(|events| record(&events))
}

fn merge(left: &Bundle, right: &Bundle) -> Bundle {
    left.clone().merge(right.clone()).unwrap()
}

proptest! {
    #[test]
    fn any_split_over_any_number_of_sidecars_gives_the_same_bytes(
        events in vec((event(), 0..8_usize), 0..120),
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let whole = record(events.iter().map(|(event, _)| event));
        let part = |sidecar: usize| {
            record(events.iter().filter(|(_, at)| *at == sidecar).map(|(event, _)| event))
        };
        let parts = order.into_iter().map(part);
        let merged = parts.fold(Bundle::default(), |sum, part| merge(&sum, &part));
        prop_assert_eq!(merged.encode(), whole.encode());
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn merging_is_commutative_and_associative(a in bundle(), b in bundle(), c in bundle()) {
        prop_assert_eq!(merge(&a, &b), merge(&b, &a));
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
    }

    #[test]
    fn the_empty_bundle_is_the_identity(bundle in bundle()) {
        prop_assert_eq!(&merge(&bundle, &Bundle::default()), &bundle);
        prop_assert_eq!(merge(&Bundle::default(), &bundle), bundle);
    }

    #[test]
    fn a_round_trip_keeps_the_bundle(bundle in bundle()) {
        prop_assert_eq!(Bundle::decode(bundle.encode()), Ok(bundle));
    }

    #[test]
    fn a_frame_holds_its_evidence(bundle in bundle()) {
        let frame = crate::v1::Frame {
            sidecar_id: "a".to_owned(),
            seq: 3,
            evidence: Some(bundle.to_message()),
            stream_marks: vec![crate::v1::StreamMark::default()],
            ..Default::default()
        };
        let bytes = prost::Message::encode_to_vec(&frame);
        prop_assert_eq!(Bundle::decode_frame(bytes), Ok(bundle));
    }

    #[test]
    fn the_parts_of_a_split_are_the_whole(bundle in bundle()) {
        let parts = bundle.clone().split();
        for (rollout, part) in &parts {
            prop_assert!(part.cells.keys().all(|key| key.rollout == *rollout));
            prop_assert!(part.units.keys().all(|key| key.rollout == *rollout));
            prop_assert!(*rollout == 0 || part.losses.is_empty());
        }
        let whole = parts.into_values().fold(Bundle::default(), |sum, part| merge(&sum, &part));
        prop_assert_eq!(whole, bundle);
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_another_bundle(
        bundle in bundle(),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let mut bytes = bundle.encode();
        prop_assume!(!bytes.is_empty());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(2 * bytes.len()).max(1));
        if let Ok(read) = Bundle::decode(bytes) {
            prop_assert_eq!(Bundle::decode(read.encode()), Ok(read));
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Bundle::decode(bytes.clone());
        let _ = Bundle::decode_frame(bytes);
    }

    #[test]
    fn a_cell_keeps_counts_sums_and_moments(values in vec((slice(), any::<i64>()), 1..50)) {
        let mut cell = Cell::new(Shape::Mean);
        for (slice, value) in &values {
            prop_assert!(cell.add(*slice, Observation::Value(*value)).unwrap());
        }
        let clamped: Vec<i128> = values
            .iter()
            .map(|(_, value)| i128::from((*value).clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)))
            .collect();
        prop_assert_eq!(cell.count(), values.len() as u64);
        prop_assert_eq!(cell.sum(0), clamped.iter().sum::<i128>());
        prop_assert_eq!(cell.moments(), &[clamped.iter().map(|value| value * value).sum::<i128>()]);
    }
}

#[test]
fn a_set_keeps_the_smallest_hashes_whatever_the_order() {
    let size = u64::try_from(UNIT_SET_SIZE).unwrap();
    let hash = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sighting = |number: u64| Sighting::new(u32::try_from(number % 3).unwrap(), 0);
    let (mut whole, mut left, mut right) =
        (UnitSet::default(), UnitSet::default(), UnitSet::default());
    for number in 0..2 * size {
        whole.insert(hash(number), sighting(number));
        let back = 2 * size - 1 - number;
        let half = if back % 5 == 0 { &mut left } else { &mut right };
        half.insert(hash(back), sighting(back));
    }
    left.merge(&right);
    assert_eq!(left, whole);
    let mut smallest: Vec<u64> = (0..2 * size).map(hash).collect();
    smallest.sort_unstable();
    let kept: Vec<u64> = whole.iter().map(|(hash, _)| hash).collect();
    assert_eq!(kept, smallest[..UNIT_SET_SIZE]);
    let counted: u64 = whole.counts().values().map(|count| count.units).sum();
    assert_eq!(counted, size);
}

#[test]
fn a_unit_counts_where_it_was_first_seen() {
    let mut set = UnitSet::default();
    assert!(set.insert(1, Sighting::new(5, 1)));
    assert!(!set.insert(1, Sighting::new(5, 1)), "nothing new");
    assert!(
        !set.insert(1, Sighting::new(6, 0)),
        "a later epoch tells nothing"
    );
    assert!(set.insert(1, Sighting::new(4, 1)), "an earlier one does");
    assert!(
        set.insert(1, Sighting::new(4, 0)),
        "and so does another arm"
    );
    let known = set.get(1);
    assert_eq!(
        known,
        Some(Sighting {
            epoch: 4,
            arm: 0,
            several: true
        })
    );
    assert_eq!(
        set.counts()[&(4, 0)],
        UnitCount {
            units: 1,
            several: 1
        }
    );
}

/// A cell as its sender may have forged it.
fn forged(values: u32, rows: &[u8], moments: &[u8]) -> Result<Bundle, EvidenceError> {
    let cell = crate::v1::Cell {
        values_per_slice: values,
        slices: rows.to_vec().into(),
        moments: moments.to_vec().into(),
        ..Default::default()
    };
    let evidence = crate::v1::Evidence {
        cells: vec![cell],
        ..Default::default()
    };
    Bundle::decode(prost::Message::encode_to_vec(&evidence))
}

#[test]
fn impossible_cells_are_refused() {
    let impossible = Err(EvidenceError::Malformed("no observations give such a cell"));
    // One observation with two events, and with −1 event (zigzag 4 and 1).
    assert_eq!(forged(1, &[0, 1, 4], &[]), impossible);
    assert_eq!(forged(1, &[0, 1, 1], &[]), impossible);
    // Nothing observed, or nothing at all.
    assert_eq!(forged(1, &[0, 0, 0], &[]), impossible);
    assert_eq!(forged(1, &[], &[]), impossible);
    // More above the higher bucket than above the lower one.
    assert_eq!(forged(2, &[0, 5, 2, 4], &[]), impossible);
    // The sum 10 of one observation has the square 100, not 99 (zigzag 198, 1).
    assert_eq!(forged(1, &[0, 1, 20], &[0xc6, 1]), impossible);
    assert!(forged(1, &[0, 1, 20], &[0xc8, 1]).is_ok());
    // No kind of metric has three values and one moment.
    assert!(forged(3, &[0, 1, 0, 0, 0], &[0]).is_err());
    assert!(forged(1 << 20, &[], &[]).is_err());
}

#[test]
fn keys_must_ascend() {
    let count = crate::v1::ExclusionCount {
        rollout: 1,
        count: 1,
        ..Default::default()
    };
    let evidence = crate::v1::Evidence {
        exclusions: vec![count, count],
        ..Default::default()
    };
    let bytes = prost::Message::encode_to_vec(&evidence);
    assert_eq!(
        Bundle::decode(bytes),
        Err(EvidenceError::Order("exclusions"))
    );
}

#[test]
fn a_small_frame_cannot_claim_much_memory() {
    let mut wide = crate::sketch::Sketch::new();
    wide.insert(1).unwrap();
    wide.insert(u64::MAX).unwrap();
    let histogram = |metric| crate::v1::HistogramCell {
        metric,
        histogram: wide.encode().into(),
        ..Default::default()
    };
    let frame = |count: u32| crate::v1::Frame {
        evidence: Some(crate::v1::Evidence {
            histograms: (0..count).map(histogram).collect(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let read = |count| Bundle::decode_frame(prost::Message::encode_to_vec(&frame(count)));
    assert_eq!(read(1000).map(|bundle| bundle.histograms.len()), Ok(1000));
    let refused = EvidenceError::Malformed("the histograms span too many buckets");
    assert_eq!(read(1100), Err(refused));
}

#[test]
fn cells_of_two_shapes_do_not_merge() {
    let key = cell_key(1, 0, 0);
    let observed = |shape, observation| {
        let mut bundle = Bundle::default();
        bundle
            .cell(key, shape)
            .add(Slice::default(), observation)
            .unwrap();
        bundle
    };
    let rate = observed(Shape::Counts(1), Observation::Counted(1));
    let mean = observed(Shape::Mean, Observation::Value(1));
    let refused = EvidenceError::Shape {
        rollout: 1,
        metric: 0,
    };
    assert_eq!(rate.merge(mean), Err(refused));
}

#[test]
fn overflow_is_refused() {
    let key = ExclusionKey {
        rollout: 1,
        arm: 0,
        exclusion: 1,
    };
    let most = Bundle {
        exclusions: [(key, u64::MAX)].into(),
        ..Bundle::default()
    };
    let refused = Err(EvidenceError::Overflow("a count"));
    assert_eq!(most.clone().merge(most), refused);
}

#[test]
fn an_observation_of_another_shape_is_not_counted() {
    let mut cell = Cell::new(Shape::Counts(2));
    assert_eq!(cell.add(Slice::default(), Observation::Value(1)), Ok(false));
    assert_eq!(
        cell.add(Slice::default(), Observation::Counted(3)),
        Ok(false)
    );
    let mut ratio = Cell::new(Shape::Ratio);
    assert_eq!(
        ratio.add(Slice::default(), Observation::Pair(1, -1)),
        Ok(false)
    );
    assert!(cell.is_empty() && ratio.is_empty());
}
