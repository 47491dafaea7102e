//! Measures one tick of the engine: 20 metrics × 5 margins × 64 slices, absorbed and read.
//!
//! Prints one JSON line: `cargo bench -p pitcanary-core --bench engine`.

use std::hint::black_box;
use std::time::Instant;

use pitcanary_core::evidence::kernel::{
    ArmCell, Contrast, Family, Fold, Harm, KernelError, Margin, SLICES,
};

const METRICS: usize = 20;
const MARGINS: [f64; 5] = [1.1, 3.0, 2.0, 1.5, 1.25];
const TICKS: u32 = 500;

fn main() -> Result<(), KernelError> {
    let mut folds = Vec::new();
    for metric in 0..METRICS {
        let family = if metric % 2 == 0 {
            Family::Rate
        } else {
            Family::Mean
        };
        for ratio in MARGINS {
            let margin = Margin {
                ratio,
                difference: 0.0,
            };
            folds.push(Fold::new(Contrast::new(family, Harm::Up, margin)?));
        }
    }
    let (baseline, candidate) = (cell(990), cell(10));
    let mut ticks = Vec::new();
    for _ in 0..TICKS {
        let start = now();
        for fold in &mut folds {
            fold.absorb(black_box(&baseline), black_box(&candidate))?;
            black_box(fold.evidence());
        }
        ticks.push(start.elapsed());
    }
    ticks.sort_unstable();
    let (median, p99) = (ticks[ticks.len() / 2], ticks[ticks.len() * 99 / 100]);
    report(
        median.as_micros(),
        p99.as_micros(),
        folds[0].to_bytes().len(),
    );
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the result of the benchmark")]
fn report(median_us: u128, p99_us: u128, fold_bytes: usize) {
    println!(
        "{{\"engine.tick_us\":{median_us},\"engine.tick_p99_us\":{p99_us},\"engine.fold_bytes\":{fold_bytes}}}"
    );
}

fn cell(n: u64) -> ArmCell {
    let mut cell = ArmCell {
        n: [n; SLICES],
        ..ArmCell::default()
    };
    for (slice, sum) in cell.sum.iter_mut().enumerate() {
        *sum = i128::from(n / 10) + i128::from(slice % 3 == 0);
        cell.sum_squares += *sum;
    }
    cell
}
