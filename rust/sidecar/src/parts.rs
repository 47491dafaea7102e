//! The parts of a sidecar, made for each other and not yet running.

use std::sync::Arc;

use crate::brakes::Brakes;
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::control::installer::{ConfigurationInstaller, Identity};
use crate::control::spool::MemorySpool;
use crate::control::upload::{Counts, Upload, Uploader};
use crate::counters::{LinkCounters, UploadCounters};
use crate::error::StartError;
use crate::files::snapshot::SnapshotFiles;
use crate::random::Random;
use crate::recording::Recording;
use crate::service::handlers::Handlers;
use crate::settings::Settings;

/// What a replay draws its random numbers from: the same in every run.
const REPLAY_SEED: u64 = 0x7069_7463_616e_6172;

/// Every shard has its own sample of units, so more of them cost memory.
const MAX_SHARDS: usize = 8;

/// Everything that a running sidecar shares between its tasks.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) brakes: Arc<Brakes>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) clock: Clock,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) installer: Arc<ConfigurationInstaller>,
    pub(crate) upload: Arc<Upload>,
    pub(crate) link_counters: Arc<LinkCounters>,
    pub(crate) upload_counters: Arc<UploadCounters>,
}

impl Parts {
    /// Makes the parts and puts the last good snapshot in force.
    pub(crate) fn make(settings: &Settings) -> Result<Self, StartError> {
        let (clock, random) = if settings.replay {
            (Clock::replay(), Random::from_seed(REPLAY_SEED))
        } else {
            (Clock::system(), Random::from_system())
        };
        let identity = Identity {
            sidecar_id: settings.sidecar_id.clone(),
            boot_id: random_bytes()?,
            place: settings.place.clone(),
        };
        let configuration = Arc::new(Configuration::new(
            settings.place.clone(),
            SnapshotFiles::open(&settings.data_dir)?,
            clock.clone(),
            random_bytes()?,
        ));
        configuration.restore();
        let brakes = Arc::<Brakes>::default();
        let shards = settings.workers.next_power_of_two().min(MAX_SHARDS);
        let recording = Arc::new(Recording::new(identity.clone(), clock.clone(), shards));
        let link_counters = Arc::<LinkCounters>::default();
        let upload_counters = Arc::<UploadCounters>::default();
        let upload = Upload::new(
            Uploader {
                sidecar_id: identity.sidecar_id.clone(),
                boot_id: identity.boot_id,
            },
            Arc::clone(&recording) as Arc<dyn Counts>,
            Box::new(MemorySpool::new(settings.spool_bytes)),
            Random::from_system(),
            Arc::clone(&upload_counters),
        );
        let installer = ConfigurationInstaller::new(
            identity,
            Arc::clone(&configuration),
            Arc::clone(&brakes),
            Arc::clone(&link_counters),
        );
        let handlers = Handlers::new(
            Arc::clone(&configuration),
            Arc::clone(&brakes),
            Arc::clone(&recording),
            clock.clone(),
            random,
        );
        Ok(Self {
            brakes,
            recording,
            clock,
            configuration,
            handlers: Arc::new(handlers),
            installer: Arc::new(installer),
            upload: Arc::new(upload),
            link_counters,
            upload_counters,
        })
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
