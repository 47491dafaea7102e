//! Takes exposures, outcomes and scores, whoever brings them.
//!
//! Opens the token, lets `pitcanary_core::report` judge, and counts. No text of a
//! report outlives its call, and a refusal never repeats one.

use pitcanary_core::report::{Receipt, Recorded, Reject, Subject, evaluate_report, evaluate_score};
use pitcanary_core::snapshot::Snapshot;
use pitcanary_core::token::Token;
use pitcanary_core::v1;
use pitcanary_core::v1::RejectCode;
use tonic::{Code, Status};

use super::handlers::{Handlers, not_ready};
use super::tally::ReportResult;

/// The most tokens of one confirmation.
const MAX_TOKENS: usize = 1000;

/// Names the reject code in the trailers of a refused report.
pub const REJECT_HEADER: &str = "pitcanary-reject";

impl Handlers {
    /// Counts exposures of answers that were resolved to be used later.
    ///
    /// # Errors
    ///
    /// `UNAVAILABLE` before there is a configuration, `INVALID_ARGUMENT` for too many
    /// tokens; what is wrong with single tokens stands in the answer.
    pub fn confirm(
        &self,
        request: &v1::ConfirmExposureRequest,
    ) -> Result<v1::ConfirmExposureResponse, Status> {
        let count = request.tokens.len();
        if count > MAX_TOKENS {
            return Err(Status::invalid_argument(format!(
                "the request has `{count}` tokens: send at most `{MAX_TOKENS}`"
            )));
        }
        let mut answer = v1::ConfirmExposureResponse::default();
        for (seq, token) in (0..).zip(&request.tokens) {
            match self.confirm_one(token)? {
                Ok(Receipt::Counted) => answer.confirmed += 1,
                Ok(_) => {}
                Err(reject) => answer.rejects.push(numbered(seq, reject)),
            }
        }
        Ok(answer)
    }

    /// Counts what became of one answer.
    ///
    /// # Errors
    ///
    /// The status of [`refusal`]; a report that was counted before is no error.
    pub fn report(
        &self,
        report: &v1::ReportOutcomeRequest,
    ) -> Result<v1::ReportOutcomeResponse, Status> {
        let (recorded, duplicate) = self
            .try_report(report)?
            .map_err(|reject| refusal(&reject))?;
        Ok(v1::ReportOutcomeResponse {
            duplicate,
            schema_verdict: recorded.schema_verdict.into(),
        })
    }

    /// Adds a late score.
    ///
    /// # Errors
    ///
    /// The status of [`refusal`]; a score that was counted before is no error.
    pub fn score(&self, score: &v1::ReportScoreRequest) -> Result<v1::ReportScoreResponse, Status> {
        let judged = self.with_token(&score.token, |snapshot, token, now_s| {
            let recorded = evaluate_score(snapshot, token, score)?;
            self.count(&recorded, now_s, ReportResult::Score)
        })?;
        let duplicate = judged.map_err(|reject| refusal(&reject))?;
        Ok(v1::ReportScoreResponse { duplicate })
    }

    /// Counts a report; says what it is and whether it had been counted before.
    pub(super) fn try_report(
        &self,
        report: &v1::ReportOutcomeRequest,
    ) -> Result<Result<(Recorded, bool), Reject>, Status> {
        self.with_token(&report.token, |snapshot, token, now_s| {
            let recorded = evaluate_report(snapshot, token, report)?;
            let duplicate = self.count(&recorded, now_s, ReportResult::Outcome)?;
            if !duplicate {
                self.brakes.observe(snapshot, &recorded);
            }
            Ok((recorded, duplicate))
        })
    }

    fn confirm_one(&self, token: &[u8]) -> Result<Result<Receipt, Reject>, Status> {
        self.with_token(token, |snapshot, token, now_s| {
            let subject = Subject::of(snapshot, token);
            let receipt = self
                .recording
                .of_slice(subject.token.slice)
                .confirm(&subject, now_s);
            self.settle(receipt, ReportResult::Exposure)?;
            Ok(receipt)
        })
    }

    /// Counts what was judged, and says whether it had been counted before.
    fn count(&self, recorded: &Recorded, now_s: u64, result: ReportResult) -> Result<bool, Reject> {
        let slice = recorded.subject.token.slice;
        let receipt = self.recording.of_slice(slice).record(recorded, now_s);
        self.settle(receipt, result)?;
        Ok(receipt == Receipt::Duplicate)
    }

    fn settle(&self, receipt: Receipt, result: ReportResult) -> Result<(), Reject> {
        match receipt {
            Receipt::Counted => self.tally.reported(result),
            Receipt::Duplicate => self.tally.reported(ReportResult::Duplicate),
            Receipt::Overloaded => return Err(overloaded()),
        }
        Ok(())
    }

    /// Judges with an authenticated token, and counts the refusal if there is one.
    fn with_token<T>(
        &self,
        token: &[u8],
        judge: impl FnOnce(&Snapshot, &Token, u64) -> Result<T, Reject>,
    ) -> Result<Result<T, Reject>, Status> {
        let in_force = self.configuration.serving();
        let snapshot = in_force.as_deref().ok_or_else(not_ready)?;
        let now_s = self.clock.wall_s();
        let opened = snapshot.open_token(token, now_s).map_err(Reject::from);
        let judged = opened.and_then(|token| judge(snapshot, &token, now_s));
        if let Err(reject) = &judged {
            self.tally.rejected(reject.code);
            // The recorder counts by itself what it had no room for.
            if reject.code != RejectCode::Overloaded {
                self.recording.of_process().record_rejected(reject.code);
            }
        }
        Ok(judged)
    }
}

fn overloaded() -> Reject {
    Reject {
        code: RejectCode::Overloaded,
        message: "this sidecar has no room for the report: try again later".to_owned(),
    }
}

/// A refusal of one of several reports.
pub(super) fn numbered(seq: u64, reject: Reject) -> v1::Reject {
    v1::Reject {
        seq,
        code: reject.code.into(),
        message: reject.message,
    }
}

/// The status of a refused report; its trailer [`REJECT_HEADER`] has the code's number.
pub fn refusal(reject: &Reject) -> Status {
    let code = match reject.code {
        RejectCode::ForgedToken => Code::PermissionDenied,
        RejectCode::UnknownKey | RejectCode::ExpiredToken => Code::FailedPrecondition,
        RejectCode::Overloaded => Code::ResourceExhausted,
        _ => Code::InvalidArgument,
    };
    let mut status = Status::new(code, reject.message.clone());
    status
        .metadata_mut()
        .insert(REJECT_HEADER, i32::from(reject.code).into());
    status
}
