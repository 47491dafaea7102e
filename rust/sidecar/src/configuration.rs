//! The configuration in force: one immutable snapshot, swapped whole.
//!
//! Takes a pushed snapshot through its gates (order, place, meaning, disk) and
//! puts it in force only when it has passed all of them; anything else leaves the
//! last good one where it is. Also knows how long ago a controller confirmed it.
//! How it got here is `control::stream`'s business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::Mutex;
use pitcanary_core::snapshot::{ConfigVersion, Snapshot, SnapshotError};
use pitcanary_core::v1;
use prost::Message;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::files::snapshot::{SnapshotFileError, SnapshotFiles};

/// Which part of the world a sidecar serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The environment.
    pub environment: String,
}

/// How much the configuration in force can be trusted to be current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freshness {
    /// Milliseconds since a controller last confirmed it.
    pub age_ms: u64,
    /// Older than the controller said it may be.
    pub stale: bool,
    /// So old that candidate traffic goes to the baseline.
    pub unattended: bool,
}

/// Why a snapshot is not put in force; never holds text of a prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// It belongs to somebody else.
    #[error("the snapshot is for `{theirs}`, this sidecar serves `{ours}`")]
    WrongPlace {
        /// Namespace and environment of the snapshot.
        theirs: String,
        /// Namespace and environment of the sidecar.
        ours: String,
    },
    /// It is older than the one in force.
    #[error(
        "revision `{offered}` (store incarnation {offered_incarnation}) is older than `{held}` (store incarnation {held_incarnation}), which is in force; raise the incarnation after restoring a backup"
    )]
    Older {
        /// Revision of the snapshot.
        offered: u64,
        /// Incarnation of the snapshot.
        offered_incarnation: u64,
        /// Revision in force.
        held: u64,
        /// Incarnation in force.
        held_incarnation: u64,
    },
    /// It cannot be served.
    #[error(transparent)]
    Meaning(#[from] SnapshotError),
    /// It cannot be stored.
    #[error(transparent)]
    File(#[from] SnapshotFileError),
}

/// The configuration in force and what is needed to replace it.
#[derive(Debug)]
pub struct Configuration {
    place: Place,
    files: SnapshotFiles,
    clock: Clock,
    serving: ArcSwapOption<Snapshot>,
    confirmed_us: AtomicU64,
    /// Signs tokens where the configuration has no key.
    local_secret: [u8; 32],
    /// What is on disk; held while a snapshot is judged and stored, never by requests.
    stored: Mutex<Option<ConfigVersion>>,
    in_force: watch::Sender<Option<ConfigVersion>>,
}

impl Configuration {
    /// Starts with nothing in force; `local_secret` is random and of this start.
    pub fn new(place: Place, files: SnapshotFiles, clock: Clock, local_secret: [u8; 32]) -> Self {
        let confirmed_us = AtomicU64::new(clock.steady_us());
        Self {
            place,
            files,
            clock,
            serving: ArcSwapOption::empty(),
            confirmed_us,
            local_secret,
            stored: Mutex::new(None),
            in_force: watch::Sender::new(None),
        }
    }

    /// Puts the newest stored snapshot in force that can be served, if there is one.
    ///
    /// Its age counts from now: how long the process was down is not known on a
    /// clock that can be trusted.
    pub fn restore(&self) -> Option<ConfigVersion> {
        let stored = self.files.load().into_iter();
        let snapshots = stored.filter_map(|stored| v1::Snapshot::decode(stored.content).ok());
        let snapshot = snapshots
            .filter(|snapshot| self.check_place(snapshot).is_ok())
            .find_map(|snapshot| Snapshot::compile(&snapshot, &self.local_secret).ok())?;
        let version = snapshot.config_version();
        *self.stored.lock() = Some(version);
        self.put_in_force(snapshot);
        Some(version)
    }

    /// Validates a snapshot, stores it and puts it in force; blocks for the disk.
    ///
    /// A snapshot that cannot be *stored* is in force all the same, and the error
    /// says so: a rollback must not wait for a full disk. The version that is in
    /// force and stored already is only confirmed.
    ///
    /// # Errors
    ///
    /// When any other gate refuses it; the last good one stays in force and on disk.
    pub fn install(&self, snapshot: &v1::Snapshot) -> Result<(), InstallError> {
        let mut stored = self.stored.lock();
        self.check_place(snapshot)?;
        let offered = ConfigVersion::from(&snapshot.config_version.unwrap_or_default());
        let held = self.version();
        check_order(offered, held)?;
        let unsaved = (*stored != Some(offered)).then(|| snapshot.encode_to_vec());
        let compile = || Snapshot::compile(snapshot, &self.local_secret);
        let replacement = (held != Some(offered)).then(compile).transpose()?;
        let saved = unsaved.map_or(Ok(()), |bytes| self.files.save(&bytes));
        if saved.is_ok() {
            *stored = Some(offered);
        }
        if let Some(compiled) = replacement {
            self.put_in_force(compiled);
        }
        self.confirmed_now();
        Ok(saved?)
    }

    /// Takes the controller's word that a version is current.
    ///
    /// Another version than the one in force confirms nothing: a sidecar that
    /// refuses every new configuration must not serve an old candidate for ever.
    pub fn confirm(&self, current: ConfigVersion) {
        if self.version() == Some(current) {
            self.confirmed_now();
        }
    }

    /// Counts a step of a replay clock as attended time.
    pub fn attend(&self, step_us: u64) {
        self.confirmed_us.fetch_add(step_us, Ordering::AcqRel);
    }

    /// What is in force; cheap, for every request.
    pub fn serving(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.serving.load()
    }

    /// The version in force.
    pub fn version(&self) -> Option<ConfigVersion> {
        self.serving()
            .as_ref()
            .map(|snapshot| snapshot.config_version())
    }

    /// How current a configuration in force is.
    pub fn freshness(&self, snapshot: &Snapshot) -> Freshness {
        let confirmed_us = self.confirmed_us.load(Ordering::Acquire);
        let age_ms = self.clock.steady_us().saturating_sub(confirmed_us) / 1000;
        Freshness {
            age_ms,
            stale: is_over(age_ms, snapshot.stale_after_ms()),
            unattended: is_over(age_ms, snapshot.max_unattended_ms()),
        }
    }

    /// Says whenever another version is in force.
    pub fn changes(&self) -> watch::Receiver<Option<ConfigVersion>> {
        self.in_force.subscribe()
    }

    fn put_in_force(&self, snapshot: Snapshot) {
        let version = snapshot.config_version();
        self.serving.store(Some(Arc::new(snapshot)));
        self.in_force.send_replace(Some(version));
    }

    fn confirmed_now(&self) {
        self.confirmed_us
            .store(self.clock.steady_us(), Ordering::Release);
    }

    fn check_place(&self, snapshot: &v1::Snapshot) -> Result<(), InstallError> {
        let Place {
            namespace,
            environment,
        } = &self.place;
        if snapshot.namespace == *namespace && snapshot.environment == *environment {
            return Ok(());
        }
        Err(InstallError::WrongPlace {
            theirs: format!("{}/{}", snapshot.namespace, snapshot.environment),
            ours: format!("{namespace}/{environment}"),
        })
    }
}

/// A limit of 0 is none.
fn is_over(age_ms: u64, limit_ms: u32) -> bool {
    limit_ms > 0 && age_ms > u64::from(limit_ms)
}

fn check_order(offered: ConfigVersion, held: Option<ConfigVersion>) -> Result<(), InstallError> {
    match held {
        Some(held) if offered < held => Err(InstallError::Older {
            offered: offered.revision,
            offered_incarnation: offered.store_incarnation,
            held: held.revision,
            held_incarnation: held.store_incarnation,
        }),
        _ => Ok(()),
    }
}
