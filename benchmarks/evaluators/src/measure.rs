//! Times two functions against each other, and names where that happened.

use std::process::Command;
use std::time::Instant;

/// Rounds of each side.
const ROUNDS: u32 = 60;

/// A function's cost beside that of its reference, in nanoseconds a call.
pub struct Figure {
    pub name: &'static str,
    pub reference: &'static str,
    pub ours_ns: f64,
    pub reference_ns: f64,
}

/// Runs both sides by turns, `calls` calls a round, and keeps the best round of each.
pub fn against(
    name: &'static str,
    reference: &'static str,
    calls: u32,
    mut ours: impl FnMut(u32),
    mut theirs: impl FnMut(u32),
) -> Figure {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        best[0] = best[0].min(round(calls, &mut ours));
        best[1] = best[1].min(round(calls, &mut theirs));
    }
    Figure {
        name,
        reference,
        ours_ns: best[0],
        reference_ns: best[1],
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is where time is measured"
)]
fn round(calls: u32, run: &mut impl FnMut(u32)) -> f64 {
    let start = Instant::now();
    for call in 0..calls {
        run(call);
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

/// The processor's name and how many of it are seen.
pub fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or(std::env::consts::ARCH, |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model} x {cores}")
}

/// The commit that was measured, with `+` when files differ from it.
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let hash = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_default();
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    format!(
        "{}{}",
        hash.trim(),
        if changed.is_empty() { "" } else { "+" }
    )
}
