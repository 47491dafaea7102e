//! How many answers of which kind, for `/metrics`.
//!
//! Names come from the configuration, so they are bounded: beyond the limits they
//! are counted together under [`OTHER`], and no unit, tenant or text is ever a name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use pitcanary_core::v1;
use tonic::Code;

/// Stands for all names above the limits.
pub const OTHER: &str = "__other__";

/// Prompts and arms with a name of their own.
const MAX_PROMPTS: usize = 200;
const MAX_ARMS: usize = 8;

/// As many as the enum has, with room for what a newer core may add.
const REASONS: usize = 16;
const REJECTS: usize = 16;
const CODES: usize = 17;

/// What became of a report that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportResult {
    /// An outcome was counted.
    Outcome,
    /// A score was counted.
    Score,
    /// An exposure was confirmed.
    Exposure,
    /// It had been counted before.
    Duplicate,
}

impl ReportResult {
    const ALL: [Self; 4] = [Self::Outcome, Self::Score, Self::Exposure, Self::Duplicate];

    const fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Score => "score",
            Self::Exposure => "exposure",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Counts of answers since the start.
#[derive(Debug, Default)]
pub struct Tally {
    resolves: RwLock<HashMap<Box<str>, Arms>>,
    refused: [AtomicU64; CODES],
    reports: [AtomicU64; 4],
    rejects: [AtomicU64; REJECTS],
}

type Arms = HashMap<Box<str>, [AtomicU64; REASONS]>;

/// One row of [`Tally::resolves`]: prompt, arm, reason and how many.
pub type ResolveCount = (String, String, &'static str, u64);

impl Tally {
    /// Counts an answer.
    pub fn resolved(&self, prompt: &str, arm: &str, reason: v1::Reason) {
        let known = self.resolves.read();
        if let Some(counts) = known.get(prompt).and_then(|arms| arms.get(arm)) {
            add(counts, reason as usize);
            return;
        }
        drop(known);
        self.resolved_first(prompt, arm, reason);
    }

    /// Counts a resolve that was refused.
    pub fn refused(&self, code: Code) {
        add(&self.refused, code as usize);
    }

    /// Counts a report that was understood.
    pub fn reported(&self, result: ReportResult) {
        add(&self.reports, result as usize);
    }

    /// Counts a report that was not.
    pub fn rejected(&self, code: v1::RejectCode) {
        add(&self.rejects, code as usize);
    }

    /// All answers, in the order of their names.
    pub fn resolves(&self) -> Vec<ResolveCount> {
        let known = self.resolves.read();
        let mut rows = Vec::new();
        for (prompt, arms) in &*known {
            for (arm, counts) in arms {
                rows.extend(positive(counts).map(|(reason, count)| {
                    (
                        prompt.to_string(),
                        arm.to_string(),
                        reason_name(reason),
                        count,
                    )
                }));
            }
        }
        rows.sort_unstable();
        rows
    }

    /// Refused resolves by gRPC status.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        positive(&self.refused)
            .map(|(code, count)| (code_name(code), count))
            .collect()
    }

    /// Understood reports by result, zeros included.
    pub fn reports(&self) -> Vec<(&'static str, u64)> {
        let count = |result| self.reports[result as usize].load(Ordering::Relaxed);
        ReportResult::ALL
            .map(|result| (result.name(), count(result)))
            .to_vec()
    }

    /// Rejected reports by code.
    pub fn rejects(&self) -> Vec<(&'static str, u64)> {
        positive(&self.rejects)
            .map(|(code, count)| (reject_name(code), count))
            .collect()
    }

    #[cold]
    fn resolved_first(&self, prompt: &str, arm: &str, reason: v1::Reason) {
        let mut known = self.resolves.write();
        let prompt = bounded(&known, prompt, MAX_PROMPTS);
        let arms = known.entry(prompt).or_default();
        let arm = bounded(arms, arm, MAX_ARMS);
        add(arms.entry(arm).or_default(), reason as usize);
    }
}

/// The name itself, or [`OTHER`] where there is no room for one more.
fn bounded<V>(known: &HashMap<Box<str>, V>, name: &str, limit: usize) -> Box<str> {
    if known.contains_key(name) || known.len() < limit {
        name.into()
    } else {
        OTHER.into()
    }
}

fn add(counts: &[AtomicU64], index: usize) {
    if let Some(count) = counts.get(index) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn positive(counts: &[AtomicU64]) -> impl Iterator<Item = (i32, u64)> {
    let counts = (0..).zip(counts.iter().map(|count| count.load(Ordering::Relaxed)));
    counts.filter(|(_, count)| *count > 0)
}

fn reason_name(number: i32) -> &'static str {
    let reason = v1::Reason::try_from(number).unwrap_or_default();
    reason.as_str_name().trim_start_matches("REASON_")
}

fn reject_name(number: i32) -> &'static str {
    let code = v1::RejectCode::try_from(number).unwrap_or_default();
    code.as_str_name().trim_start_matches("REJECT_CODE_")
}

fn code_name(number: i32) -> &'static str {
    match Code::from_i32(number) {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::NotFound => "NOT_FOUND",
        Code::Unavailable => "UNAVAILABLE",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_prompt_arm_and_reason() {
        let tally = Tally::default();
        for _ in 0..3 {
            tally.resolved("greeting", "candidate", v1::Reason::Split);
        }
        tally.resolved("greeting", "baseline", v1::Reason::Default);
        assert_eq!(
            tally.resolves(),
            [
                ("greeting".to_owned(), "baseline".to_owned(), "DEFAULT", 1),
                ("greeting".to_owned(), "candidate".to_owned(), "SPLIT", 3),
            ]
        );
    }

    #[test]
    fn names_above_the_limits_share_one() {
        let tally = Tally::default();
        for prompt in 0..1_000 {
            for arm in 0..20 {
                tally.resolved(&format!("p{prompt}"), &format!("a{arm}"), v1::Reason::Split);
            }
        }
        let rows = tally.resolves();
        assert_eq!(rows.iter().map(|row| row.3).sum::<u64>(), 20_000);
        assert_eq!(rows.len(), (MAX_PROMPTS + 1) * (MAX_ARMS + 1));
        let other = rows.iter().find(|row| row.0 == OTHER && row.1 == OTHER);
        assert_eq!(other.map(|row| row.3), Some(800 * 12));
    }

    #[test]
    fn rejects_and_refusals_have_the_names_of_the_contract() {
        let tally = Tally::default();
        tally.rejected(v1::RejectCode::ForgedToken);
        tally.refused(Code::NotFound);
        tally.reported(ReportResult::Score);
        assert_eq!(tally.rejects(), [("FORGED_TOKEN", 1)]);
        assert_eq!(tally.refusals(), [("NOT_FOUND", 1)]);
        assert_eq!(
            tally.reports(),
            [
                ("outcome", 0),
                ("score", 1),
                ("exposure", 0),
                ("duplicate", 0)
            ]
        );
    }
}
