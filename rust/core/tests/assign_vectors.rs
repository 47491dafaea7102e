//! Holds assignment to the vectors that Python's `xxhash` package generated.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pitcanary_core::assign::{self, HASH_VERSION, Range, Ranges, RangesError, SLOT_COUNT, Slot};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct AssignFile {
    hash_version: u8,
    cases: Vec<AssignCase>,
}

#[derive(Deserialize)]
struct AssignCase {
    salt: String,
    unit_kind: String,
    unit: String,
    slot_hash: String,
    slice_hash: String,
    slot: u32,
    slice: u8,
}

#[derive(Deserialize)]
struct RangesFile {
    slot_count: u32,
    cases: Vec<RangesCase>,
    refused: Vec<RefusedCase>,
}

#[derive(Deserialize)]
struct RangesCase {
    ranges: Vec<(u32, u32, u8)>,
    probes: Vec<(u32, Option<u8>)>,
}

#[derive(Deserialize)]
struct RefusedCase {
    ranges: Vec<(u32, u32, u8)>,
    error: String,
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn build(ranges: &[(u32, u32, u8)]) -> Result<Ranges, RangesError> {
    Ranges::new(
        ranges
            .iter()
            .map(|&(start, end, arm)| Range { start, end, arm }),
    )
}

fn kind(error: RangesError) -> &'static str {
    match error {
        RangesError::Empty { .. } => "empty",
        RangesError::OutOfRing { .. } => "out_of_ring",
        RangesError::Overlap { .. } => "overlap",
        _ => "unknown",
    }
}

#[test]
fn hashes_slots_and_slices_agree() {
    let file: AssignFile = read("assign.json");
    assert_eq!(file.hash_version, HASH_VERSION);
    assert!(file.cases.len() >= 40);
    for case in file.cases {
        let (salt, unit_kind, unit) = (&case.salt, &case.unit_kind, &case.unit);
        let label = format!("{salt:.40?} {unit_kind:.40?} {unit:.40?}");
        let slot_hash = assign::hash("slot", salt, unit_kind, unit);
        let slice_hash = assign::hash("slice", salt, unit_kind, unit);
        assert_eq!(format!("{slot_hash:016x}"), case.slot_hash, "{label}");
        assert_eq!(format!("{slice_hash:016x}"), case.slice_hash, "{label}");
        assert_eq!(assign::slot(salt, unit_kind, unit).get(), case.slot);
        assert_eq!(assign::slice(salt, unit_kind, unit).get(), case.slice);
    }
}

#[test]
fn range_lookups_agree() {
    let file: RangesFile = read("ranges.json");
    assert_eq!(file.slot_count, SLOT_COUNT);
    for case in file.cases {
        let ranges = build(&case.ranges).unwrap();
        for (slot, arm) in case.probes {
            assert_eq!(
                ranges.arm(Slot::new(slot).unwrap()),
                arm,
                "{:?} at {slot}",
                case.ranges
            );
        }
    }
    for case in file.refused {
        assert_eq!(kind(build(&case.ranges).unwrap_err()), case.error);
    }
}
