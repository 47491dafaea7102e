//! A configuration, checked whole and compiled for the request path.
//!
//! Immutable: a sidecar swaps snapshots, it never edits one. Compiling refuses whatever
//! could fail later and says where, never quoting a prompt; serving from a snapshot
//! allocates no content. Whether a version of the configuration is newer than the one
//! in force is for the caller to compare.

mod error;
mod metric;
mod price;
mod rollout;
mod segments;
mod version;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::token::{Key, KeyRing, Token, TokenError};
use crate::v1;
use error::{At, unknown};
use price::PriceTable;

pub use error::{SnapshotError, SnapshotErrorKind};
pub use metric::BUILT_IN_METRICS;
pub(crate) use metric::{Counting, Metric, Source};
pub(crate) use price::Usage;
pub(crate) use rollout::{Arm, OnRollback, PER_REQUEST, Rollout};
pub(crate) use version::Version;

/// What this build understands; a configuration that requires more is refused.
pub const CAPABILITIES: [&str; 8] = [
    "evidence-1",
    "exceedance",
    "hash-1",
    "jinja",
    "ratio",
    "schema",
    "strata",
    "token-1",
];

/// The id of the key that a sidecar makes for itself where the configuration has none.
const LOCAL_KEY_ID: u8 = 255;

type Versions = BTreeMap<u32, Arc<Version>>;

/// The order of configurations: a sidecar refuses a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConfigVersion {
    /// Raised when a store is restored from a backup.
    pub store_incarnation: u64,
    /// Raised by every change.
    pub revision: u64,
}

impl From<&v1::ConfigVersion> for ConfigVersion {
    fn from(message: &v1::ConfigVersion) -> Self {
        Self {
            store_incarnation: message.store_incarnation,
            revision: message.revision,
        }
    }
}

/// When a sidecar takes its own candidate traffic back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerPolicy {
    /// Fewer candidate outcomes than this never trip it.
    pub min_requests: u32,
    /// Excess of the candidate's failure rate over the baseline's, above 0, at most 1.
    pub excess_rate: f64,
}

/// Everything a sidecar serves from.
#[derive(Debug)]
pub struct Snapshot {
    config_version: ConfigVersion,
    namespace: Box<str>,
    environment: Box<str>,
    namespace_salt: Box<str>,
    flush_interval_ms: u32,
    stale_after_ms: u32,
    max_unattended_ms: u32,
    breaker: Option<BreakerPolicy>,
    keys: KeyRing,
    issuing_key: Key,
    token_max_age_s: u64,
    prompts: HashMap<Box<str>, Box<[Label]>>,
    versions: Versions,
    rollouts: BTreeMap<u32, Arc<Rollout>>,
    prices: PriceTable,
    built_in: Box<[Metric]>,
    baseline_name: Arc<str>,
}

/// Where a label of a prompt points.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) name: Box<str>,
    pub(crate) version: Arc<Version>,
    pub(crate) rollout: Option<Arc<Rollout>>,
}

impl Snapshot {
    /// Checks and compiles a configuration.
    ///
    /// `local_secret` is 32 random bytes that this process made for itself: they sign
    /// tokens where the configuration has no key, and such tokens stay readable when
    /// keys arrive.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] for the first thing that could not be served, with its place.
    pub fn compile(message: &v1::Snapshot, local_secret: &[u8; 32]) -> Result<Self, SnapshotError> {
        check_capabilities(message)?;
        let config_version = message.config_version.as_ref();
        let config_version = config_version
            .ok_or(SnapshotErrorKind::Missing("config_version"))
            .at("snapshot")?;
        let (keys, issuing_key) = keys(message, local_secret)?;
        let versions = versions(message)?;
        let rollouts = rollouts(message, &versions)?;
        Ok(Self {
            config_version: config_version.into(),
            namespace: message.namespace.as_str().into(),
            environment: message.environment.as_str().into(),
            namespace_salt: message.namespace_salt.as_str().into(),
            flush_interval_ms: message.flush_interval_ms,
            stale_after_ms: message.stale_after_ms,
            max_unattended_ms: message.max_unattended_ms,
            breaker: breaker(message.breaker.as_ref())?,
            keys,
            issuing_key,
            token_max_age_s: message.token_max_age_s,
            prompts: prompts(message, &versions, &rollouts)?,
            versions,
            rollouts,
            prices: PriceTable::compile(&message.prices)?,
            built_in: Metric::built_in(),
            baseline_name: Arc::from("baseline"),
        })
    }

    /// Which configuration this is.
    pub const fn config_version(&self) -> ConfigVersion {
        self.config_version
    }

    /// The namespace that it belongs to.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The environment that it belongs to.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// How often to upload, in milliseconds; 0 where the controller does not say.
    pub const fn flush_interval_ms(&self) -> u32 {
        self.flush_interval_ms
    }

    /// After how many milliseconds without confirmation it is stale; 0: never.
    pub const fn stale_after_ms(&self) -> u32 {
        self.stale_after_ms
    }

    /// After how many milliseconds without a controller candidates lose their traffic;
    /// 0: never.
    pub const fn max_unattended_ms(&self) -> u32 {
        self.max_unattended_ms
    }

    /// The sidecar's own brake, or `None` when it is off.
    pub const fn breaker(&self) -> Option<BreakerPolicy> {
        self.breaker
    }

    /// Names of the prompts that can be resolved, in no particular order.
    pub fn prompts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.prompts.keys().map(|name| &**name)
    }

    /// Numbers and current epochs of the running rollouts, ascending.
    pub fn rollouts(&self) -> impl ExactSizeIterator<Item = (u32, u32)> {
        self.rollouts
            .values()
            .map(|rollout| (rollout.id, rollout.epoch))
    }

    /// Seconds after which tokens are refused.
    pub const fn token_max_age_s(&self) -> u64 {
        self.token_max_age_s
    }

    /// Authenticates a token of this environment.
    ///
    /// # Errors
    ///
    /// As [`Token::open`].
    pub fn open_token(&self, bytes: &[u8], now_s: u64) -> Result<Token, TokenError> {
        Token::open(bytes, &self.keys, now_s, self.token_max_age_s)
    }

    pub(crate) const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    pub(crate) const fn issuing_key(&self) -> &Key {
        &self.issuing_key
    }

    pub(crate) fn namespace_salt(&self) -> &str {
        &self.namespace_salt
    }

    /// The labels of a prompt.
    pub(crate) fn labels(&self, prompt: &str) -> Option<&[Label]> {
        self.prompts.get(prompt).map(|labels| &**labels)
    }

    pub(crate) fn rollout(&self, id: u32) -> Option<&Rollout> {
        self.rollouts.get(&id).map(|rollout| &**rollout)
    }

    pub(crate) fn version(&self, id: u32) -> Option<&Version> {
        self.versions.get(&id).map(|version| &**version)
    }

    pub(crate) const fn prices(&self) -> &PriceTable {
        &self.prices
    }

    /// The name of the arm where no rollout applies.
    pub(crate) const fn baseline_name(&self) -> &Arc<str> {
        &self.baseline_name
    }

    /// Metrics of traffic without a rollout.
    pub(crate) fn built_in_metrics(&self) -> &[Metric] {
        &self.built_in
    }
}

fn check_capabilities(message: &v1::Snapshot) -> Result<(), SnapshotError> {
    let mut required = message.required_capabilities.iter();
    match required.find(|name| !CAPABILITIES.contains(&name.as_str())) {
        Some(name) => Err(SnapshotErrorKind::Capability(name.clone()).at("snapshot")),
        None => Ok(()),
    }
}

/// The key ring, with the local key where its id is free, and the key that issues.
fn keys(message: &v1::Snapshot, local_secret: &[u8; 32]) -> Result<(KeyRing, Key), SnapshotError> {
    let mut keys = Vec::with_capacity(message.token_keys.len() + 1);
    for key in &message.token_keys {
        let id = u8::try_from(key.key_id).ok();
        let secret = <[u8; 32]>::try_from(&*key.secret).ok();
        let (Some(id), Some(secret)) = (id, secret) else {
            let kind =
                SnapshotErrorKind::OutOfRange("its id must be below 256, its secret 32 bytes");
            return Err(kind.at(format!("token key {}", key.key_id)));
        };
        keys.push(Key::new(id, secret));
    }
    let issuing_id = if keys.is_empty() {
        u32::from(LOCAL_KEY_ID)
    } else {
        message.issuing_key
    };
    if keys.iter().all(|key| key.id() != LOCAL_KEY_ID) {
        keys.push(Key::new(LOCAL_KEY_ID, *local_secret));
    }
    let issuing = keys.iter().find(|key| u32::from(key.id()) == issuing_id);
    let issuing = issuing
        .cloned()
        .ok_or_else(|| unknown("issuing key", &issuing_id))
        .at("token keys")?;
    Ok((KeyRing::new(keys).at("token keys")?, issuing))
}

fn versions(message: &v1::Snapshot) -> Result<Versions, SnapshotError> {
    let mut versions = Versions::new();
    for version in &message.versions {
        let compiled = Arc::new(Version::compile(version)?);
        if versions.insert(version.id, compiled).is_some() {
            return Err(SnapshotErrorKind::Duplicate(version.id.to_string()).at("versions"));
        }
    }
    Ok(versions)
}

fn rollouts(
    message: &v1::Snapshot,
    versions: &Versions,
) -> Result<BTreeMap<u32, Arc<Rollout>>, SnapshotError> {
    let parts = rollout::Parts {
        versions,
        segments: &segments::compile(&message.segments)?,
        thresholds: &metric::compile_thresholds(&message.threshold_sets).at("threshold sets")?,
    };
    let mut rollouts = BTreeMap::new();
    for rollout in &message.rollouts {
        let compiled = Rollout::compile(rollout, &message.namespace_salt, &parts)?;
        if rollouts.insert(rollout.id, Arc::new(compiled)).is_some() {
            return Err(SnapshotErrorKind::Duplicate(rollout.id.to_string()).at("rollouts"));
        }
    }
    Ok(rollouts)
}

fn prompts(
    message: &v1::Snapshot,
    versions: &Versions,
    rollouts: &BTreeMap<u32, Arc<Rollout>>,
) -> Result<HashMap<Box<str>, Box<[Label]>>, SnapshotError> {
    let mut prompts = HashMap::with_capacity(message.prompts.len());
    for prompt in &message.prompts {
        let place = format!("prompt `{}`", prompt.name);
        let labels: Vec<Label> = prompt
            .labels
            .iter()
            .map(|target| label(&prompt.name, target, versions, rollouts))
            .collect::<Result<_, _>>()
            .at(&place)?;
        let mut names: Vec<&str> = labels.iter().map(|label| &*label.name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SnapshotErrorKind::Duplicate(pair[0].to_owned()).at(&place));
        }
        if prompts
            .insert(prompt.name.as_str().into(), labels.into())
            .is_some()
        {
            return Err(SnapshotErrorKind::Duplicate(prompt.name.clone()).at("prompts"));
        }
    }
    Ok(prompts)
}

fn label(
    prompt: &str,
    target: &v1::LabelTarget,
    versions: &Versions,
    rollouts: &BTreeMap<u32, Arc<Rollout>>,
) -> Result<Label, SnapshotErrorKind> {
    let version = versions.get(&target.version);
    let version = version.ok_or_else(|| unknown("version", &target.version))?;
    let rollout = match target.rollout {
        0 => None,
        id => Some(rollouts.get(&id).ok_or_else(|| unknown("rollout", &id))?),
    };
    let arms = rollout.iter().flat_map(|rollout| &rollout.arms);
    let served = arms.map(|arm| &arm.version).chain([version]);
    for version in served {
        if &*version.prompt != prompt {
            return Err(unknown("version of this prompt", &version.id));
        }
    }
    Ok(Label {
        name: target.label.as_str().into(),
        version: Arc::clone(version),
        rollout: rollout.map(Arc::clone),
    })
}

fn breaker(message: Option<&v1::Breaker>) -> Result<Option<BreakerPolicy>, SnapshotError> {
    let Some(message) = message.filter(|breaker| breaker.enabled) else {
        return Ok(None);
    };
    if !(message.excess_rate > 0.0 && message.excess_rate <= 1.0) {
        let kind = SnapshotErrorKind::OutOfRange("its excess_rate must be above 0, at most 1");
        return Err(kind.at("breaker"));
    }
    Ok(Some(BreakerPolicy {
        min_requests: message.min_requests,
        excess_rate: message.excess_rate,
    }))
}

#[cfg(test)]
mod tests;
