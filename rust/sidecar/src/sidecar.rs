//! One running sidecar: its threads, its tasks and its end.
//!
//! Decides in which order things start and end. A start ends with open sockets and,
//! where the disk has one, with a configuration in force: it never waits for a
//! controller. An end loses nothing that there is still time to upload.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic_health::server::HealthReporter;

use crate::clock::Stopwatch;
use crate::control::endpoint;
use crate::control::stream::{ConfigStream, Installer};
use crate::counters::SidecarCounts;
use crate::error::StartError;
use crate::parts::Parts;
use crate::random::Random;
use crate::routes::routes;
use crate::service::handlers::Handlers;
use crate::service::status;
use crate::settings::{Settings, address_text};
use crate::transport::counters::Counters;
use crate::transport::error::ListenError;
use crate::transport::listen::{Drained, ListenOptions, Listeners};
use crate::transport::shutdown::Shutdown;

/// Where the controller does not say how often to upload.
const DEFAULT_FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// How often to upload while the last calls end.
const FOLD_AT_THE_END: Duration = Duration::from_millis(10);

/// Threads of the disk end within it; it is only ever waited for by a dying process.
const THREADS_END: Duration = Duration::from_millis(500);

/// A sidecar that serves; dropping it ends it without a drain.
pub struct Sidecar {
    runtime: Runtime,
    parts: Parts,
    addresses: Vec<String>,
    connections: Arc<Counters>,
    health: HealthReporter,
    /// Report streams read no more when it says true.
    ending: watch::Sender<bool>,
    shutdown: Shutdown,
    server: Option<JoinHandle<Result<Drained, ListenError>>>,
    background: JoinSet<()>,
    has_controller: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Connections cut with calls in flight.
    pub aborted_connections: u64,
    /// Frames that no controller committed in time.
    pub frames_lost: usize,
}

impl DrainReport {
    /// Tells whether nothing was cut and nothing lost.
    pub const fn is_clean(&self) -> bool {
        self.aborted_connections == 0 && self.frames_lost == 0
    }
}

impl Sidecar {
    /// Starts a sidecar; it answers when this returns.
    ///
    /// Without a configuration on disk it answers that it has none, until a controller
    /// is found.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        settings.check()?;
        let addresses = settings.listen_addresses()?;
        let runtime = threads(settings.workers)?;
        let handle = runtime.handle().clone();
        let _inside = handle.enter();
        let parts = Parts::make(settings)?;
        let channel = match settings.controller.as_str() {
            "" => None,
            address => Some(endpoint::channel(address)?),
        };
        let ending = watch::Sender::new(false);
        let (routes, health) = routes(&parts, ending.subscribe());
        runtime.block_on(status::tell_of(&health, &parts.configuration));
        let mut sidecar = Self {
            addresses: Vec::new(),
            connections: Arc::default(),
            health,
            ending,
            shutdown: Shutdown::new(),
            server: None,
            background: JoinSet::new(),
            has_controller: channel.is_some(),
            parts,
            runtime,
        };
        if !addresses.is_empty() {
            let listeners = Listeners::bind(ListenOptions {
                insecure_listen: !settings.insecure_listen.is_empty(),
                coalesce_writes: settings.coalesce,
                ..ListenOptions::new(addresses)
            })?;
            sidecar.serve(listeners, routes);
        }
        sidecar.run_in_background(channel, settings.replay);
        Ok(sidecar)
    }

    /// Where it serves, with the ports that the system chose.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Answers without a network.
    pub fn handlers(&self) -> &Handlers {
        &self.parts.handlers
    }

    /// Everything counted so far.
    pub fn counts(&self) -> SidecarCounts {
        let Parts {
            brakes,
            configuration,
            handlers,
            upload,
            link_counters,
            upload_counters,
            ..
        } = &self.parts;
        let in_force = configuration.serving();
        let snapshot = in_force.as_deref();
        let (frames_waiting, frame_bytes_waiting) = upload.waiting();
        SidecarCounts {
            resolves: handlers.tally().resolves(),
            resolve_latency: handlers.latency().read(),
            resolves_refused: handlers.tally().refusals(),
            reports: handlers.tally().reports(),
            rejects: handlers.tally().rejects(),
            config_revision: snapshot.map(|snapshot| snapshot.config_version().revision),
            freshness: snapshot
                .map(|snapshot| configuration.freshness(snapshot))
                .unwrap_or_default(),
            tripped_rollouts: brakes.tripped().rollouts().len(),
            link: link_counters.read(),
            upload: upload_counters.read(),
            frames_waiting,
            frame_bytes_waiting,
            connections: self.connections.read(),
        }
    }

    /// Ends the sidecar within a time: stops accepting, finishes calls, uploads.
    ///
    /// Calls in flight have half of the time, the last upload has what is left.
    pub fn drain(mut self, within: Duration) -> DrainReport {
        let stopwatch = Stopwatch::start();
        let aborted_connections = self.runtime.block_on(async {
            status::end(self.health.clone()).await;
            self.ending.send_replace(true);
            self.shutdown.drain(within / 2);
            let server = self.server.take();
            tokio::select! {
                aborted = ended(server) => aborted,
                () = fold_often(&self.parts) => 0,
            }
        });
        let left = within.saturating_sub(Duration::from_nanos(stopwatch.elapsed_ns()));
        let left = if self.has_controller {
            left
        } else {
            Duration::ZERO
        };
        let upload = &self.parts.upload;
        // What could not be uploaded in time shows in what still waits.
        let _ = self
            .runtime
            .block_on(async { timeout(left, upload.flush()).await });
        let report = DrainReport {
            aborted_connections,
            frames_lost: upload.waiting().0,
        };
        self.background.abort_all();
        self.runtime.shutdown_timeout(THREADS_END);
        report
    }

    fn serve(&mut self, listeners: Listeners, routes: Routes) {
        self.addresses = listeners.addresses().iter().map(address_text).collect();
        self.connections = listeners.counters();
        let serving = listeners.serve(routes, self.shutdown.clone());
        self.server = Some(self.runtime.spawn(serving));
    }

    /// Starts what runs beside the server. A replay uploads only when asked to.
    fn run_in_background(&mut self, channel: Option<Channel>, is_replay: bool) {
        let handle = self.runtime.handle();
        let parts = &self.parts;
        let telling = status::follow(self.health.clone(), Arc::clone(&parts.configuration));
        self.background.spawn_on(telling, handle);
        self.background.spawn_on(follow(parts.clone()), handle);
        if !is_replay {
            self.background
                .spawn_on(fold_regularly(parts.clone()), handle);
        }
        let Some(channel) = channel else {
            return;
        };
        let stream = ConfigStream::new(
            channel.clone(),
            Arc::clone(&parts.installer) as Arc<dyn Installer>,
            Random::from_system(),
            Arc::clone(&parts.link_counters),
            parts.brakes.changes(),
        );
        self.background.spawn_on(stream.run(), handle);
        let upload = Arc::clone(&parts.upload);
        self.background
            .spawn_on(async move { upload.send(channel).await }, handle);
    }
}

fn threads(workers: usize) -> Result<Runtime, StartError> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("pitcanary")
        .enable_all()
        .build()
        .map_err(StartError::Threads)
}

/// Waits for the server and returns how many connections it cut.
async fn ended(server: Option<JoinHandle<Result<Drained, ListenError>>>) -> u64 {
    match server {
        Some(server) => match server.await {
            Ok(Ok(drained)) => drained.aborted_connections,
            // A server that failed cut whatever was left.
            Ok(Err(_)) | Err(_) => 1,
        },
        None => 0,
    }
}

/// Lets go of what belongs to rollouts that a new configuration has moved on from.
async fn follow(parts: Parts) {
    let mut changes = parts.configuration.changes();
    while changes.changed().await.is_ok() {
        if let Some(snapshot) = parts.configuration.serving().as_deref() {
            parts.brakes.follow(snapshot);
            parts.recording.follow(snapshot);
        }
    }
}

/// Folds without waiting for the next interval: report streams end when they are durable.
async fn fold_often(parts: &Parts) {
    loop {
        parts.upload.fold_if_idle();
        sleep(FOLD_AT_THE_END).await;
    }
}

/// Folds at the controller's pace, from a random moment on: a fleet that starts
/// together must not upload together.
async fn fold_regularly(parts: Parts) {
    let mut fraction = Random::from_system().next_u64() as f64 / u64::MAX as f64;
    loop {
        sleep(flush_interval(&parts).mul_f64(fraction)).await;
        let upload = Arc::clone(&parts.upload);
        // A fold that failed has counted what it lost; the next one goes on.
        let _ = spawn_blocking(move || upload.fold_if_idle()).await;
        fraction = 1.0;
    }
}

fn flush_interval(parts: &Parts) -> Duration {
    let told_ms = parts
        .configuration
        .serving()
        .as_ref()
        .map(|snapshot| snapshot.flush_interval_ms());
    match told_ms {
        None | Some(0) => DEFAULT_FLUSH_INTERVAL,
        Some(told_ms) => Duration::from_millis(u64::from(told_ms)),
    }
}
