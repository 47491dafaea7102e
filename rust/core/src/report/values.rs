//! The numbers of a report, checked and scaled to whole numbers.
//!
//! A wrong number refuses the whole report: counting the rest of it would hide a bug of
//! the reporter. Nothing is guessed; what is absent stays absent.

use super::reject::Reject;
use crate::snapshot::Usage;
use crate::v1;

/// Scores and flags that a report may carry.
pub const MAX_SCORES: usize = 64;

const MILLION: f64 = 1e6;
const BILLION: f64 = 1e9;

/// How the model call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    Failed,
    /// The caller gave up: no observation of anything.
    Cancelled,
}

/// A report's numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    pub(super) ending: Ending,
    pub(super) latency_us: Option<i64>,
    pub(super) time_to_first_token_us: Option<i64>,
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) cached_input_tokens: Option<i64>,
    /// As reported, not as computed.
    pub(super) cost_nanos: Option<i64>,
}

impl Values {
    pub(super) fn of(report: &v1::ReportOutcomeRequest) -> Result<Self, Reject> {
        if report.scores.len() > MAX_SCORES {
            return Err(Reject::invalid(format!(
                "`scores` has more than {MAX_SCORES} entries: report the rest with ReportScore"
            )));
        }
        if report.scores.values().any(|value| !value.is_finite()) {
            return Err(Reject::invalid(
                "a value of `scores` is NaN or infinite: leave out what is not known",
            ));
        }
        let values = Self {
            ending: ending(report)?,
            latency_us: natural("latency_us", report.latency_us)?,
            time_to_first_token_us: natural(
                "time_to_first_token_us",
                report.time_to_first_token_us,
            )?,
            input_tokens: natural("input_tokens", report.input_tokens)?,
            output_tokens: natural("output_tokens", report.output_tokens)?,
            cached_input_tokens: natural("cached_input_tokens", report.cached_input_tokens)?,
            cost_nanos: cost_nanos(report.cost)?,
        };
        if values.cached_input_tokens > values.input_tokens {
            return Err(Reject::invalid(
                "`cached_input_tokens` is above `input_tokens`, which includes them",
            ));
        }
        Ok(values)
    }

    /// The tokens of the call, if both directions are known.
    pub(super) fn usage(&self) -> Option<Usage> {
        Some(Usage {
            input: self.input_tokens?.unsigned_abs(),
            cached_input: self.cached_input_tokens.unwrap_or(0).unsigned_abs(),
            output: self.output_tokens?.unsigned_abs(),
        })
    }
}

fn ending(report: &v1::ReportOutcomeRequest) -> Result<Ending, Reject> {
    match v1::OutcomeStatus::try_from(report.status) {
        Ok(v1::OutcomeStatus::Ok) => Ok(Ending::Answered),
        Ok(v1::OutcomeStatus::Error) if report.error_class() == v1::ErrorClass::Cancelled => {
            Ok(Ending::Cancelled)
        }
        Ok(v1::OutcomeStatus::Error) => Ok(Ending::Failed),
        Ok(v1::OutcomeStatus::Unspecified) | Err(_) => Err(Reject::invalid(format!(
            "`status` is `{}`: send OUTCOME_STATUS_OK or OUTCOME_STATUS_ERROR",
            report.status
        ))),
    }
}

fn natural(field: &str, value: Option<i64>) -> Result<Option<i64>, Reject> {
    match value {
        Some(value) if value < 0 => Err(Reject::invalid(format!(
            "`{field}` is `{value}`: it cannot be negative"
        ))),
        value => Ok(value),
    }
}

fn cost_nanos(cost: Option<f64>) -> Result<Option<i64>, Reject> {
    let Some(cost) = cost else { return Ok(None) };
    if !cost.is_finite() || cost < 0.0 {
        return Err(Reject::invalid(format!(
            "`cost` is `{cost}`: send a finite number that is not negative"
        )));
    }
    Ok(Some(scaled(cost, BILLION)))
}

/// A flag, which is 0 or 1; adding zero turns −0 into 0.
pub(super) fn flag(name: &str, value: f64) -> Result<bool, Reject> {
    match [0.0, 1.0]
        .into_iter()
        .position(|known| (value + 0.0).total_cmp(&known).is_eq())
    {
        Some(index) => Ok(index == 1),
        None => Err(Reject::invalid(format!(
            "flag `{name}` is `{value}`: send 0 or 1"
        ))),
    }
}

/// A score in millionths, within its bounds.
pub(super) fn score(
    name: &str,
    value: f64,
    bounds: &std::ops::RangeInclusive<i64>,
) -> Result<i64, Reject> {
    let millionths = scaled(value, MILLION);
    if !value.is_finite() || !bounds.contains(&millionths) {
        let (low, high) = (
            *bounds.start() as f64 / MILLION,
            *bounds.end() as f64 / MILLION,
        );
        return Err(Reject::invalid(format!(
            "score `{name}` is `{value}`: it must lie within {low} and {high}"
        )));
    }
    Ok(millionths)
}

/// The nearest whole number; saturates.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and observations are clamped further down"
)]
fn scaled(value: f64, factor: f64) -> i64 {
    (value * factor).round() as i64
}
