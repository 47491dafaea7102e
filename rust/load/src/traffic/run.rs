//! Runs traffic against sidecars with bounded concurrency on one thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use pitcanary_core::v1::{ReportOutcomeRequest, ResolvePromptRequest};
use pitcanary_sidecar::v1::sidecar_service_client::SidecarServiceClient;
use prost::Message as _;
use tokio::time::{Instant, sleep_until};
use tonic::transport::{Channel, Endpoint};

use super::draw::{Activity, Draw, Purpose};
use super::error::TrafficError;

type Client = SidecarServiceClient<Channel>;

/// What to send and to whom.
pub struct Traffic {
    /// Addresses of the sidecars; request `i` goes to number `i mod n`.
    targets: Vec<String>,
    prompt: String,
    tables: BTreeMap<String, Vec<ReportOutcomeRequest>>,
    activity: Activity,
    draw: Draw,
    concurrency: usize,
}

/// How fast.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as the sidecars answer.
    Unpaced,
    /// Requests per second, started on schedule.
    PerSecond(f64),
}

/// What one arm got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmCount {
    /// Resolved and reported.
    pub requests: u64,
    /// Reports that the sidecar had counted before.
    pub duplicates: u64,
}

/// What became of a run, by name of the arm.
pub type TrafficCounts = BTreeMap<String, ArmCount>;

impl Traffic {
    /// Traffic for one prompt.
    ///
    /// `tables` holds, by name of the arm, encoded `ReportOutcomeRequest`s without a
    /// token: the outcomes to draw from, with replacement.
    ///
    /// # Errors
    ///
    /// [`TrafficError`] for a row that does not decode, or nothing to draw from.
    pub fn new(
        targets: Vec<String>,
        prompt: String,
        tables: BTreeMap<String, Vec<Vec<u8>>>,
        activity: Activity,
        draw: Draw,
    ) -> Result<Self, TrafficError> {
        if targets.is_empty() {
            return Err(TrafficError::Empty { field: "targets" });
        }
        let tables = tables
            .into_iter()
            .map(|(arm, rows)| decode(&arm, &rows).map(|decoded| (arm, decoded)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            targets,
            prompt,
            tables,
            activity,
            draw,
            concurrency: 32,
        })
    }

    /// Calls under way at once; the result does not depend on it.
    #[must_use]
    pub fn with_concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency.max(1);
        self
    }

    /// Sends requests `first .. first + count`; returns when all are reported.
    ///
    /// # Errors
    ///
    /// The first [`TrafficError`]; requests under way are then given up.
    pub fn run(&self, first: u64, count: u64, pace: Pace) -> Result<TrafficCounts, TrafficError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.run_all(first, count, pace))
    }

    async fn run_all(
        &self,
        first: u64,
        count: u64,
        pace: Pace,
    ) -> Result<TrafficCounts, TrafficError> {
        let clients = self
            .targets
            .iter()
            .map(|target| connect(target))
            .collect::<Result<Vec<_>, _>>()?;
        let counts = RefCell::new(TrafficCounts::new());
        let next = Cell::new(first);
        let started = Instant::now();
        let worker = || async {
            while next.get() < first + count {
                let index = next.get();
                next.set(index + 1);
                if let Pace::PerSecond(rate) = pace {
                    let due = (index - first) as f64 / rate.max(1e-3);
                    sleep_until(started + Duration::from_secs_f64(due)).await;
                }
                let client = &clients[usize::try_from(index).unwrap_or(0) % clients.len()];
                let (arm, duplicate) = self.one(client.clone(), index).await?;
                let mut counts = counts.borrow_mut();
                let entry = counts.entry(arm).or_default();
                entry.requests += 1;
                entry.duplicates += u64::from(duplicate);
            }
            Ok::<(), TrafficError>(())
        };
        let workers = (0..self.concurrency).map(|_| worker());
        futures_util::future::try_join_all(workers).await?;
        Ok(counts.into_inner())
    }

    /// Resolves, draws the outcome of the assigned arm, reports.
    async fn one(&self, mut client: Client, index: u64) -> Result<(String, bool), TrafficError> {
        let request = ResolvePromptRequest {
            prompt: self.prompt.clone(),
            unit: format!("user-{}", self.activity.user(self.draw, index)),
            ..ResolvePromptRequest::default()
        };
        let resolved = client
            .resolve_prompt(request)
            .await
            .map_err(|status| refused(index, "ResolvePrompt", &status))?
            .into_inner();
        let mut report = self.outcome(&resolved.arm, index)?;
        report.token = resolved.token;
        let reported = client
            .report_outcome(report)
            .await
            .map_err(|status| refused(index, "ReportOutcome", &status))?;
        Ok((resolved.arm, reported.into_inner().duplicate))
    }

    fn outcome(&self, arm: &str, index: u64) -> Result<ReportOutcomeRequest, TrafficError> {
        let table = self.tables.get(arm).map_or(&[][..], Vec::as_slice);
        let row = self.draw.below(Purpose::Outcome, index, table.len() as u64);
        table
            .get(usize::try_from(row).unwrap_or(0))
            .cloned()
            .ok_or_else(|| TrafficError::NoTable {
                arm: arm.to_owned(),
            })
    }
}

fn decode(arm: &str, rows: &[Vec<u8>]) -> Result<Vec<ReportOutcomeRequest>, TrafficError> {
    rows.iter()
        .enumerate()
        .map(|(row, bytes)| {
            ReportOutcomeRequest::decode(bytes.as_slice()).map_err(|_| TrafficError::Row {
                arm: arm.to_owned(),
                row,
            })
        })
        .collect()
}

fn connect(target: &str) -> Result<Client, TrafficError> {
    Endpoint::from_shared(target.to_owned())
        .map(|endpoint| SidecarServiceClient::new(endpoint.connect_lazy()))
        .map_err(|_| TrafficError::Target {
            target: target.to_owned(),
        })
}

fn refused(index: u64, call: &'static str, status: &tonic::Status) -> TrafficError {
    TrafficError::Refused {
        index,
        call,
        code: status.code(),
        message: status.message().to_owned(),
    }
}
