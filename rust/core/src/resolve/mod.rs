//! Resolving: which version of a prompt a request gets, and what that counts as.
//!
//! A pure function of the snapshot, the request, the time and 64 random bits. It keeps
//! nothing per unit and counts nothing itself: [`Served`] says what a
//! `report::Recorder` is to count.

mod answer;
mod choose;
mod unit;
mod variables;

use prost::bytes::Bytes;
use thiserror::Error;

use crate::assign;
use crate::snapshot::{Label, Snapshot};
use crate::template::TemplateError;
use crate::token::{Flags, Token, TokenFields};
use crate::v1;
use choose::{Choice, Question, detail};

pub use answer::{EncodedResolvePromptsResponse, EncodedResolveResponse, EncodedResolvedItem};

/// The label of requests that name none.
pub const DEFAULT_LABEL: &str = "production";

/// The most items of a batch.
pub const MAX_BATCH: usize = 100;

/// What this sidecar knows beyond its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalState<'a> {
    /// Rollouts whose breaker tripped here in their current epoch.
    pub tripped: &'a [u32],
    /// No controller for longer than the configuration allows.
    pub unattended: bool,
    /// Milliseconds since a controller last confirmed the configuration.
    pub config_age_ms: u64,
    /// The configuration is older than the controller said it may be.
    pub stale: bool,
}

/// Why a request was not resolved. Everything else is answered, if need be with the
/// baseline.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The configuration has no such prompt.
    #[error("prompt `{0}` is not in the configuration: push a version of it")]
    UnknownPrompt(String),
    /// The prompt has no such label.
    #[error("prompt `{prompt}` has no label `{label}`: point it at a version")]
    UnknownLabel {
        /// The prompt.
        prompt: String,
        /// The label.
        label: String,
    },
    /// The request is for a namespace or environment that is not served here.
    #[error("`{0}` is not served here: ask a sidecar of that namespace and environment")]
    OtherEnvironment(String),
    /// Not even the baseline can be rendered with the variables.
    #[error("prompt `{prompt}` cannot be rendered: {error}")]
    Render {
        /// The prompt.
        prompt: String,
        /// What is wrong with the variables.
        error: TemplateError,
    },
}

impl ResolveError {
    /// The number of the gRPC status code.
    pub const fn code(&self) -> i32 {
        const INVALID_ARGUMENT: i32 = 3;
        const NOT_FOUND: i32 = 5;
        match self {
            Self::UnknownPrompt(_) | Self::UnknownLabel { .. } | Self::OtherEnvironment(_) => {
                NOT_FOUND
            }
            Self::Render { .. } => INVALID_ARGUMENT,
        }
    }
}

/// An answer and what it counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The answer.
    pub response: EncodedResolveResponse,
    /// What to count.
    pub served: Served,
}

/// An answer as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The fields of the answer's token.
    pub token: TokenFields,
    /// The frozen set of metrics of its rollout; 0 without a rollout.
    pub generation: u32,
    /// The arm that the unit was assigned to, where the token has the one served.
    pub assigned: u8,
    /// Why it is not compared; `None` for an analysable answer.
    pub exclusion: Option<v1::Exclusion>,
    /// The hash of a unit that was assigned now, for the unit set.
    pub unit_hash: Option<u64>,
}

/// Chooses the version for one request; `nonce` is random.
///
/// # Errors
///
/// [`ResolveError`]; everything that is not the caller's mistake is answered.
pub fn resolve(
    snapshot: &Snapshot,
    request: &v1::ResolvePromptRequest,
    now_s: u64,
    nonce: u64,
    local: &LocalState<'_>,
) -> Result<Resolution, ResolveError> {
    let on_use = request.exposure() == v1::Exposure::OnUse;
    Call {
        snapshot,
        now_s,
        local,
    }
    .resolve(request, nonce, on_use)
}

/// Chooses versions for a batch under one configuration; an item is counted as shown
/// when it is used, unless it says otherwise.
///
/// Items beyond [`MAX_BATCH`] are refused one by one, as are those that fail.
pub fn resolve_batch(
    snapshot: &Snapshot,
    batch: &v1::ResolvePromptsRequest,
    now_s: u64,
    mut nonce: impl FnMut() -> u64,
    local: &LocalState<'_>,
) -> (EncodedResolvePromptsResponse, Vec<Served>) {
    let call = Call {
        snapshot,
        now_s,
        local,
    };
    let mut served = Vec::with_capacity(batch.requests.len().min(MAX_BATCH));
    let mut items = Vec::with_capacity(batch.requests.len());
    for (index, request) in batch.requests.iter().enumerate() {
        let on_use = request.exposure() != v1::Exposure::OnResolve;
        let item = if index < MAX_BATCH {
            call.resolve(request, nonce(), on_use)
                .map_err(|error| item_error(&error))
        } else {
            Err(too_many())
        };
        items.push(EncodedResolvedItem(item.map(|resolution| {
            served.push(resolution.served);
            resolution.response
        })));
    }
    let config_revision = snapshot.config_version().revision;
    let response = EncodedResolvePromptsResponse {
        items,
        config_revision,
    };
    (response, served)
}

fn item_error(error: &ResolveError) -> v1::ItemError {
    v1::ItemError {
        code: error.code(),
        message: error.to_string(),
    }
}

fn too_many() -> v1::ItemError {
    const RESOURCE_EXHAUSTED: i32 = 8;
    v1::ItemError {
        code: RESOURCE_EXHAUSTED,
        message: format!("the batch has more than `{MAX_BATCH}` requests: split it"),
    }
}

/// What all items of a call share.
#[derive(Clone, Copy)]
struct Call<'a> {
    snapshot: &'a Snapshot,
    now_s: u64,
    local: &'a LocalState<'a>,
}

impl<'a> Call<'a> {
    fn resolve(
        self,
        request: &'a v1::ResolvePromptRequest,
        nonce: u64,
        on_use: bool,
    ) -> Result<Resolution, ResolveError> {
        let label = self.label(request)?;
        let nonce = nonce.to_le_bytes();
        let stand_in = if request.unit.is_empty() {
            unit::for_request(nonce)
        } else {
            String::new()
        };
        let pin = self.pin(request);
        let question = Question {
            snapshot: self.snapshot,
            request,
            label,
            local: self.local,
            pin,
            stand_in: &stand_in,
        };
        let mut choice = question.choose();
        if pin.is_none() && !request.pin.is_empty() && choice.detail.is_empty() {
            choice.detail = detail::PIN_REFUSED;
        }
        let fixed = content(&mut choice, request)?;
        let mut flags = choice.flags;
        if on_use {
            flags = flags.with(Flags::ON_USE);
        }
        Ok(self.seal(&question, &choice, flags, nonce, fixed))
    }

    fn label(&self, request: &v1::ResolvePromptRequest) -> Result<&'a Label, ResolveError> {
        let snapshot = self.snapshot;
        for (asked, here) in [
            (&request.namespace, snapshot.namespace()),
            (&request.environment, snapshot.environment()),
        ] {
            if !asked.is_empty() && asked != here {
                return Err(ResolveError::OtherEnvironment(asked.clone()));
            }
        }
        let labels = snapshot.labels(&request.prompt);
        let labels = labels.ok_or_else(|| ResolveError::UnknownPrompt(request.prompt.clone()))?;
        let name = match request.label.as_str() {
            "" => DEFAULT_LABEL,
            name => name,
        };
        let found = labels.iter().find(|label| &*label.name == name);
        found.ok_or_else(|| ResolveError::UnknownLabel {
            prompt: request.prompt.clone(),
            label: name.to_owned(),
        })
    }

    /// The pin, if it is a valid token of this unit and prompt.
    fn pin(&self, request: &v1::ResolvePromptRequest) -> Option<TokenFields> {
        if request.pin.is_empty() {
            return None;
        }
        let token = self.snapshot.open_token(&request.pin, self.now_s).ok()?;
        let of_unit = token.belongs_to(&request.unit, self.snapshot.keys());
        let fields = *token.fields();
        let version = self.snapshot.version(fields.version);
        // A version that is gone cannot tell its prompt; it is served no more anyway.
        let of_prompt = version.is_none_or(|version| *version.prompt == *request.prompt);
        (of_unit && of_prompt).then_some(fields)
    }

    fn seal(
        self,
        question: &Question<'_>,
        choice: &Choice<'_>,
        mut flags: Flags,
        nonce: [u8; 8],
        fixed: Bytes,
    ) -> Resolution {
        let snapshot = self.snapshot;
        let key = snapshot.issuing_key();
        match choice.exclusion {
            None => flags = flags.with(Flags::ANALYSABLE),
            Some(exclusion) => {
                let number = u8::try_from(i32::from(exclusion)).unwrap_or(0);
                flags = flags.with_exclusion(number);
            }
        }
        if question.request.score_requested {
            flags = flags.with(Flags::SCORE_REQUESTED);
        }
        let (kind, unit) = (question.unit_kind(choice.rollout), question.unit());
        let fields = TokenFields {
            rollout: choice.rollout.map_or(0, |rollout| rollout.id),
            version: choice.version.id,
            origin_epoch: choice.origin_epoch,
            serve_epoch: choice.rollout.map_or(0, |rollout| rollout.epoch),
            arm: choice.served,
            flags,
            slice: assign::slice(snapshot.namespace_salt(), kind, unit),
            segment_mask: choice.segment_mask,
            issued_s: self.now_s,
            unit_tag: key.unit_tag(&question.request.unit),
            nonce,
        };
        let token = Token::issue(fields, key);
        let response = EncodedResolveResponse {
            token: *token.as_bytes(),
            arm: choice.arm_name(snapshot.baseline_name()),
            reason: choice.reason,
            config_revision: snapshot.config_version().revision,
            config_age_ms: self.local.config_age_ms,
            stale: self.local.stale,
            detail: choice.detail,
            fixed,
        };
        let served = served(choice, *token.fields(), unit);
        Resolution { response, served }
    }
}

fn served(choice: &Choice<'_>, token: TokenFields, unit: &str) -> Served {
    let assigned_now = choice.exclusion.is_none() && !token.flags.contains(Flags::PINNED);
    let sampled = choice.rollout.filter(|_| assigned_now);
    Served {
        token,
        generation: choice.rollout.map_or(0, |rollout| rollout.generation),
        assigned: choice.assigned,
        exclusion: choice.exclusion,
        unit_hash: sampled.map(|rollout| rollout.unit_hash(unit)),
    }
}

/// The fixed fields of the answer. An arm that cannot be rendered falls back to the
/// baseline.
fn content(
    choice: &mut Choice<'_>,
    request: &v1::ResolvePromptRequest,
) -> Result<Bytes, ResolveError> {
    let Some(variables) = &request.variables else {
        return Ok(choice.version.fixed());
    };
    let variables = variables::of(variables);
    let rendered = match (choice.version.render(&variables), choice.rollout) {
        (Err(_), Some(rollout)) if choice.served != 0 => {
            choice.exclude(v1::Exclusion::Fallback);
            choice.fall_back(rollout, v1::Reason::Fallback);
            choice.detail = detail::NOT_RENDERED;
            choice.version.render(&variables)
        }
        (rendered, _) => rendered,
    };
    rendered.map_err(|error| ResolveError::Render {
        prompt: request.prompt.clone(),
        error,
    })
}

#[cfg(test)]
mod tests;
