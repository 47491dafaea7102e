//! Holds evidence to frames that an independent generator wrote and added up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use pitcanary_core::evidence::Bundle;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    frames: Vec<String>,
    merged: BTreeMap<u32, String>,
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    cells: Vec<CellTotals>,
    traffic: Vec<Counts>,
    units: Vec<Counts>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct CellTotals {
    key: [u32; 7],
    n: u64,
    sums: Vec<String>,
    moments: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Counts {
    key: Vec<u64>,
    counts: [u64; 2],
}

fn cases() -> Vec<Case> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/vectors/evidence.json"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let file: File = serde_json::from_str(&text).unwrap();
    assert!(file.cases.len() >= 5);
    file.cases
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = (0..hex.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn merged<'a>(frames: impl Iterator<Item = &'a String>) -> Bundle {
    let bundles = frames.map(|frame| Bundle::decode_frame(bytes(frame)).unwrap());
    bundles.fold(Bundle::default(), |sum, bundle| sum.merge(bundle).unwrap())
}

#[test]
fn frames_add_up_to_the_same_bytes_in_any_order() {
    for case in cases() {
        let forwards = merged(case.frames.iter());
        assert_eq!(
            forwards,
            merged(case.frames.iter().rev()),
            "seed {}",
            case.seed
        );
        let parts = forwards.split();
        assert_eq!(parts.len(), case.merged.len(), "seed {}", case.seed);
        for (rollout, part) in parts {
            let place = (case.seed, rollout);
            assert_eq!(part.encode(), bytes(&case.merged[&rollout]), "{place:?}");
        }
    }
}

#[test]
fn cells_add_up() {
    for case in cases() {
        let bundle = merged(case.frames.iter());
        let cells = bundle.cells.iter().map(|(key, cell)| CellTotals {
            key: [
                key.rollout,
                key.generation,
                key.epoch,
                key.threshold_set,
                key.segment,
                key.arm.into(),
                key.metric,
            ],
            n: cell.count(),
            sums: (0..cell.shape().values())
                .map(|column| cell.sum(column).to_string())
                .collect(),
            moments: cell.moments().iter().map(ToString::to_string).collect(),
        });
        assert_eq!(
            cells.collect::<Vec<_>>(),
            case.totals.cells,
            "seed {}",
            case.seed
        );
    }
}

#[test]
fn exposures_and_units_add_up() {
    for case in cases() {
        let bundle = merged(case.frames.iter());
        let traffic = bundle.exposures.iter().map(|(key, exposures)| {
            let [rollout, generation, epoch] =
                [key.rollout, key.generation, key.epoch].map(u64::from);
            let key = vec![rollout, generation, epoch, key.arm.into(), key.issue_minute];
            let counts = exposures.totals().into();
            Counts { key, counts }
        });
        assert_eq!(
            traffic.collect::<Vec<_>>(),
            case.totals.traffic,
            "seed {}",
            case.seed
        );
        let units = bundle.units.iter().flat_map(|(key, units)| {
            units
                .counts()
                .into_iter()
                .map(|((epoch, arm), count)| Counts {
                    key: vec![
                        key.rollout.into(),
                        key.generation.into(),
                        epoch.into(),
                        arm.into(),
                    ],
                    counts: [count.units, count.several],
                })
        });
        assert_eq!(
            units.collect::<Vec<_>>(),
            case.totals.units,
            "seed {}",
            case.seed
        );
    }
}
