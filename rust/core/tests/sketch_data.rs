//! Reproduces the published quantiles of the Azure LLM traces within the sketch's error.

mod common;

use pitcanary_core::sketch::{RELATIVE_ERROR, Sketch};

const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

/// File, rows, column, and the nearest-rank quantiles stated with the data.
const STATED: [(&str, u64, usize, [f64; 5]); 4] = [
    (
        "code.csv",
        8_819,
        1,
        [1469.0, 5194.0, 7315.0, 7436.0, 7437.0],
    ),
    ("code.csv", 8_819, 2, [13.0, 55.0, 90.0, 252.0, 831.0]),
    (
        "conv_first10000.csv",
        10_000,
        1,
        [1033.0, 4076.0, 4086.0, 4123.0, 5244.0],
    ),
    (
        "conv_first10000.csv",
        10_000,
        2,
        [136.0, 427.0, 461.0, 611.0, 939.0],
    ),
];

#[test]
fn azure_quantiles_are_reproduced() {
    let Some(folder) = common::data_folder("azure_llm_2023") else {
        return;
    };
    for (file, rows, column, stated) in STATED {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let mut sketch = Sketch::new();
        for line in text.lines().skip(1) {
            let tokens = line.split(',').nth(column).unwrap().trim().parse().unwrap();
            sketch.insert(tokens).unwrap();
        }
        assert_eq!(sketch.count(), rows);
        for (p, exact) in QUANTILES.into_iter().zip(stated) {
            let error = (sketch.quantile(p).unwrap() / exact - 1.0).abs();
            assert!(
                error <= RELATIVE_ERROR,
                "{file} column {column} p {p}: {error}"
            );
        }
    }
}
