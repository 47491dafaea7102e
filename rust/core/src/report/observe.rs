//! What a report says about each metric of its rollout.

use super::reject::Reject;
use super::values::{Ending, Values, flag, score};
use crate::evaluate::schema::SchemaVerdict;
use crate::evidence::{Observation, Shape};
use crate::snapshot::{Counting, Metric, Snapshot, Source};
use crate::v1::{Missing, ReportOutcomeRequest};

/// What is counted for one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) metric: u32,
    pub(crate) threshold_set: u32,
    /// `None` where only the distribution is kept.
    pub(crate) counted: Option<(Shape, Observation)>,
    /// For the histogram, where the metric has one.
    pub(crate) distributed: Option<u64>,
}

/// One report against one configuration.
pub(super) struct Observer<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) report: &'a ReportOutcomeRequest,
    pub(super) values: Values,
    pub(super) schema: Option<SchemaVerdict>,
    /// The model that the version is meant for.
    pub(super) default_model: &'a str,
}

/// A value in the metric's unit, an event, or why there is none.
type Value = Result<i64, Missing>;

const ABSENT: Value = Err(Missing::NotReported);

impl Observer<'_> {
    /// The observation of one metric, or why there is none.
    pub(super) fn observe(&self, metric: &Metric) -> Result<Result<Observed, Missing>, Reject> {
        let value = match self.value(metric, metric.source)? {
            Ok(value) => metric.capped(value),
            Err(missing) => return Ok(Err(missing)),
        };
        let denominator = match &metric.counting {
            Counting::Ratio(below) => match self.value(metric, *below)? {
                Ok(below) => below,
                Err(missing) => return Ok(Err(missing)),
            },
            _ => 0,
        };
        Ok(Ok(observed(metric, value, denominator)))
    }

    fn value(&self, metric: &Metric, source: Source) -> Result<Value, Reject> {
        let values = &self.values;
        let reported = |value: Option<i64>| value.ok_or(Missing::NotReported);
        Ok(match source {
            Source::Error => Ok(i64::from(values.ending == Ending::Failed)),
            Source::SchemaFailure => self.schema_failure(),
            Source::Latency => reported(values.latency_us),
            Source::TimeToFirstToken => reported(values.time_to_first_token_us),
            Source::InputTokens => reported(values.input_tokens),
            Source::OutputTokens => reported(values.output_tokens),
            Source::Cost => self.cost_nanos(),
            Source::Flag | Source::Score => match self.report.scores.get(&*metric.name) {
                Some(value) => Ok(score_value(metric, *value)?),
                None => ABSENT,
            },
        })
    }

    fn schema_failure(&self) -> Value {
        match self.schema {
            None => ABSENT,
            Some(SchemaVerdict::Valid) => Ok(0),
            Some(SchemaVerdict::NotJson | SchemaVerdict::Invalid { .. }) => Ok(1),
            Some(_) => Err(Missing::ValidatorError),
        }
    }

    /// The reported cost, or the tokens at the price of the model. An unknown price is
    /// no cost, never a cost of 0.
    fn cost_nanos(&self) -> Value {
        let prices = self.snapshot.prices();
        if let Some(nanos) = self.values.cost_nanos {
            let counts = prices.is_currency(&self.report.currency);
            return if counts {
                Ok(nanos)
            } else {
                Err(Missing::UnknownPrice)
            };
        }
        let usage = self.values.usage().ok_or(Missing::NotReported)?;
        let model = match self.report.model.as_str() {
            "" => self.default_model,
            model => model,
        };
        prices.cost_nanos(model, usage).ok_or(Missing::UnknownPrice)
    }
}

/// A flag or a score that was reported for the metric.
pub(super) fn score_value(metric: &Metric, value: f64) -> Result<i64, Reject> {
    match metric.source {
        Source::Flag => flag(&metric.name, value).map(i64::from),
        _ => score(&metric.name, value, &metric.bounds),
    }
}

/// What a value counts as; the denominator is read for ratios only.
pub(super) fn observed(metric: &Metric, value: i64, denominator: i64) -> Observed {
    let natural = value.max(0).unsigned_abs();
    let observation = match &metric.counting {
        Counting::Rate => Some(Observation::Counted(u8::from(value != 0))),
        Counting::Mean => Some(Observation::Value(value)),
        Counting::Exceedance(threshold) => threshold.as_ref().map(|set| set.observe(natural)),
        Counting::Ratio(_) => Some(Observation::Pair(value, denominator)),
    };
    Observed {
        metric: metric.id,
        threshold_set: metric.threshold_set(),
        counted: metric.shape().zip(observation),
        distributed: metric.histogram.then_some(natural),
    }
}
