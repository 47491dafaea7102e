//! The hot functions of the core, each against a library that does the same job.
//!
//! Prints one JSON line per figure. Both sides run alternately in one process, so the
//! ratio holds on a busy machine where the absolute figures do not; each figure is the
//! best of many rounds, which is the run least disturbed by others.

mod cases;
mod measure;

use measure::Figure;

fn main() {
    let machine = measure::machine();
    let commit = measure::commit();
    for figure in [
        cases::assign(),
        cases::segment(),
        cases::schema(),
        cases::sketch_insert(),
        cases::sketch_merge(),
    ] {
        println!("{}", line(&figure, &machine, &commit));
    }
}

fn line(figure: &Figure, machine: &str, commit: &str) -> String {
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    serde_json::json!({
        "name": figure.name,
        "value": rounded(figure.ours_ns),
        "reference": rounded(figure.reference_ns),
        "reference_name": figure.reference,
        "ratio": rounded(figure.ours_ns / figure.reference_ns),
        "machine": machine,
        "commit": commit,
    })
    .to_string()
}
