//! Reports: what became of an answer, checked, evaluated and turned into observations.
//!
//! [`evaluate_report`] and [`evaluate_score`] are pure: they read texts, keep none, and
//! say what is to be counted. [`Recorder`] counts it, once per token, in bounded memory.
//! Opening tokens is `Snapshot::open_token`; streams and acknowledgements are the
//! sidecar's.

mod counts;
mod observe;
mod recorder;
mod reject;
mod subject;
mod values;
mod window;

use crate::evaluate::schema::SchemaVerdict;
use crate::snapshot::{Metric, Snapshot, Source};
use crate::token::Token;
use crate::v1;
use crate::v1::{Missing, RejectCode};
use observe::{Observed, Observer};
use values::{Ending, Values};

pub use recorder::{Limits, Receipt, Recorder};
pub use reject::Reject;
pub use subject::{Standing, Subject};
pub use values::MAX_SCORES;

/// A report, ready to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where it belongs.
    pub subject: Subject,
    /// What the schema evaluator found.
    pub schema_verdict: v1::SchemaVerdict,
    /// Whether the answer failed, for the local breaker; `None` where it does not say.
    pub failed: Option<bool>,
    /// What makes it the same report as another.
    identity: Identity,
    observed: Vec<Observed>,
    missing: Vec<(u32, Missing)>,
    /// Scores for no metric of the rollout.
    unknown_scores: u64,
}

/// What must not be counted twice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    /// The outcome of the token, with the names of the scores in it.
    Outcome(Vec<String>),
    /// A late score.
    Score { metric: String, scorer: String },
}

/// Checks a report and turns it into observations.
///
/// Cancelled calls observe nothing; they only end the wait for an outcome. Scores for
/// metrics that the rollout does not have are counted as refused and otherwise ignored.
/// Traffic without a rollout is observed by the metrics of
/// [`BUILT_IN_METRICS`](crate::snapshot::BUILT_IN_METRICS).
///
/// # Errors
///
/// [`Reject`] for a value that cannot be; nothing of the report is then counted.
pub fn evaluate_report(
    snapshot: &Snapshot,
    token: &Token,
    report: &v1::ReportOutcomeRequest,
) -> Result<Recorded, Reject> {
    let values = Values::of(report)?;
    let subject = Subject::of(snapshot, token);
    let version = snapshot.version(subject.token.version);
    let schema = version.and_then(|version| version.output_schema.as_ref());
    let verdict = schema.and_then(|schema| Some(schema.check(report.output.as_deref()?)));
    let observer = Observer {
        snapshot,
        report,
        values,
        schema: verdict,
        default_model: version.map_or("", |version| &version.model),
    };
    let mut recorded = Recorded {
        subject,
        schema_verdict: schema_verdict(verdict),
        failed: failed(values.ending, verdict),
        identity: Identity::Outcome(Vec::new()),
        observed: Vec::new(),
        missing: Vec::new(),
        unknown_scores: 0,
    };
    if values.ending != Ending::Cancelled && subject.standing == Standing::Analysable {
        recorded.observe(&observer)?;
    }
    Ok(recorded)
}

/// Checks a late score and turns it into an observation.
///
/// A score for traffic without a rollout is accepted and counts nowhere.
///
/// # Errors
///
/// [`Reject`] for a metric that the rollout does not have, or a value out of its bounds.
pub fn evaluate_score(
    snapshot: &Snapshot,
    token: &Token,
    report: &v1::ReportScoreRequest,
) -> Result<Recorded, Reject> {
    if !report.value.is_finite() {
        return Err(Reject::invalid(
            "`value` is NaN or infinite: leave out what is not known",
        ));
    }
    let subject = Subject::of(snapshot, token);
    let mut observed = Vec::new();
    if subject.token.rollout != 0 && subject.standing != Standing::Foreign {
        for metric in subject
            .metrics(snapshot)
            .iter()
            .filter(|metric| takes(metric, &report.metric))
        {
            let value = observe::score_value(metric, report.value)?;
            observed.push(observe::observed(metric, metric.capped(value), 0));
        }
        if observed.is_empty() {
            return Err(unknown_metric(&report.metric));
        }
    }
    Ok(Recorded {
        subject,
        schema_verdict: v1::SchemaVerdict::Unspecified,
        failed: None,
        identity: Identity::Score {
            metric: report.metric.clone(),
            scorer: report.scorer.clone(),
        },
        observed,
        missing: Vec::new(),
        unknown_scores: 0,
    })
}

impl Recorded {
    fn observe(&mut self, source: &Observer<'_>) -> Result<(), Reject> {
        let metrics = self.subject.metrics(source.snapshot);
        for metric in metrics {
            match source.observe(metric)? {
                Ok(observed) => {
                    if observed.counted.is_none() {
                        self.missing.push((metric.id, Missing::NoThreshold));
                    }
                    self.observed.push(observed);
                }
                Err(missing) => self.missing.push((metric.id, missing)),
            }
        }
        let known = |name: &str| metrics.iter().any(|metric| takes(metric, name));
        let scores = source.report.scores.keys();
        let (known, unknown): (Vec<&String>, Vec<&String>) = scores.partition(|name| known(name));
        if self.subject.token.rollout != 0 {
            self.unknown_scores = unknown.len() as u64;
        }
        self.identity = Identity::Outcome(known.into_iter().cloned().collect());
        Ok(())
    }
}

/// Whether reported scores and flags of a name are for the metric.
fn takes(metric: &Metric, name: &str) -> bool {
    matches!(metric.source, Source::Flag | Source::Score) && &*metric.name == name
}

fn unknown_metric(name: &str) -> Reject {
    Reject {
        code: RejectCode::UnknownMetric,
        message: format!(
            "metric `{name}` is no score or flag of the rollout: add it to the rollout's metrics"
        ),
    }
}

fn schema_verdict(verdict: Option<SchemaVerdict>) -> v1::SchemaVerdict {
    match verdict {
        None => v1::SchemaVerdict::Unspecified,
        Some(SchemaVerdict::Valid) => v1::SchemaVerdict::Valid,
        Some(SchemaVerdict::NotJson) => v1::SchemaVerdict::NotJson,
        Some(SchemaVerdict::Invalid { .. }) => v1::SchemaVerdict::Invalid,
        Some(_) => v1::SchemaVerdict::ValidatorError,
    }
}

/// A call fails for the breaker when it gave no answer, or one against its schema.
fn failed(ending: Ending, verdict: Option<SchemaVerdict>) -> Option<bool> {
    match ending {
        Ending::Cancelled => None,
        Ending::Failed => Some(true),
        Ending::Answered => Some(matches!(
            verdict,
            Some(SchemaVerdict::NotJson | SchemaVerdict::Invalid { .. })
        )),
    }
}

#[cfg(test)]
mod tests;
