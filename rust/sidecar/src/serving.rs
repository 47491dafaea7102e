//! One compiled snapshot with what the sidecar adds to it.

use pitcanary_core::v1;

use crate::configuration::Version;

/// What this sidecar can do; a snapshot that needs more is refused.
pub const CAPABILITIES: [&str; 0] = [];

/// Raised when an evaluator may judge the same output otherwise.
pub const EVALUATOR_VERSION: u32 = 1;

/// Never stale, where the controller set no limit.
const NO_LIMIT_MS: u64 = u64::MAX;

/// Where the controller set no limit: 15 minutes.
const DEFAULT_MAX_UNATTENDED_MS: u64 = 15 * 60 * 1000;

/// A snapshot that can be served.
#[derive(Debug)]
pub struct Serving {
    version: Version,
    stale_after_ms: u64,
    max_unattended_ms: u64,
}

impl Serving {
    /// Compiles a snapshot.
    ///
    /// # Errors
    ///
    /// What is wrong and where, for the controller.
    pub fn compile(snapshot: &v1::Snapshot) -> Result<Self, String> {
        check_capabilities(&snapshot.required_capabilities)?;
        let stale_after_ms = limit(snapshot.stale_after_ms, NO_LIMIT_MS);
        let max_unattended_ms = limit(snapshot.max_unattended_ms, DEFAULT_MAX_UNATTENDED_MS);
        Ok(Self {
            version: snapshot.config_version.unwrap_or_default().into(),
            stale_after_ms,
            max_unattended_ms,
        })
    }

    /// Its version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Not confirmed for longer than this, it is stale.
    pub const fn stale_after_ms(&self) -> u64 {
        self.stale_after_ms
    }

    /// Not confirmed for longer than this, candidates get no traffic.
    pub const fn max_unattended_ms(&self) -> u64 {
        self.max_unattended_ms
    }
}

fn check_capabilities(required: &[String]) -> Result<(), String> {
    let missing = required
        .iter()
        .find(|name| !CAPABILITIES.contains(&name.as_str()));
    missing.map_or(Ok(()), |name| {
        Err(format!(
            "the snapshot needs the capability `{name}`: upgrade this sidecar"
        ))
    })
}

fn limit(configured_ms: u32, default_ms: u64) -> u64 {
    if configured_ms == 0 {
        default_ms
    } else {
        u64::from(configured_ms)
    }
}
