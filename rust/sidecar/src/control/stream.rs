//! The config stream: hears the controller and answers what became of each snapshot.
//!
//! Knows the conversation and its failures, not what a snapshot means: an
//! [`Installer`] validates, stores and puts it in force. Silence is treated as
//! absence, so a controller that hangs is left as one that died.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pitcanary_core::v1;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::backoff::Backoff;
use crate::counters::LinkCounters;
use crate::random::Random;
use crate::v1::control_service_client::ControlServiceClient;

/// The first and the longest wait between two attempts.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// A controller says something every few seconds; past this it is taken as gone.
pub const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// A snapshot with every prompt of an environment; requests are far smaller.
const MAX_SNAPSHOT_BYTES: usize = 64 * 1024 * 1024;

/// Answers waiting to be sent; the controller reads them as fast as it pushes.
const OUTGOING: usize = 64;

/// What the stream does with what it hears.
pub trait Installer: Send + Sync + 'static {
    /// The first message of a stream.
    fn hello(&self) -> v1::Hello;

    /// Validates a snapshot, stores it and puts it in force; blocks for the disk.
    ///
    /// # Errors
    ///
    /// The reason for the controller when the last good one stays; without prompt text.
    fn install(&self, snapshot: &v1::Snapshot) -> Result<(), String>;

    /// The version in force.
    fn serving(&self) -> Option<v1::ConfigVersion>;

    /// The controller says which version is current.
    fn confirm(&self, current: &v1::ConfigVersion);

    /// The trips of the local breaker that hold now, said again on every stream.
    fn trips(&self) -> Vec<v1::BreakerTrip>;

    /// The stream is up, or is not.
    fn connected(&self, connected: bool);
}

/// One sidecar's stream to its controller.
pub struct ConfigStream {
    channel: Channel,
    installer: Arc<dyn Installer>,
    random: Random,
    counters: Arc<LinkCounters>,
    tripped: watch::Receiver<()>,
    longest_silence: Duration,
}

impl ConfigStream {
    /// Prepares the stream; `tripped` says that [`Installer::trips`] changed.
    pub fn new(
        channel: Channel,
        installer: Arc<dyn Installer>,
        random: Random,
        counters: Arc<LinkCounters>,
        tripped: watch::Receiver<()>,
    ) -> Self {
        Self {
            channel,
            installer,
            random,
            counters,
            tripped,
            longest_silence: LONGEST_SILENCE,
        }
    }

    /// Leaves a controller that is silent for so long.
    #[must_use]
    pub const fn with_longest_silence(mut self, longest_silence: Duration) -> Self {
        self.longest_silence = longest_silence;
        self
    }

    /// Keeps the stream up for as long as it is polled.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let heard_before = self.counters.messages.load(Ordering::Relaxed);
            // How a stream ended matters to nobody: either way it is opened again.
            let _ = self.session().await;
            self.installer.connected(false);
            if self.counters.messages.load(Ordering::Relaxed) > heard_before {
                backoff.reset();
            }
            sleep(backoff.next(self.random.next_u64())).await;
        }
    }

    /// One stream from Hello to its end.
    async fn session(&mut self) -> Result<(), Status> {
        self.counters.connects.fetch_add(1, Ordering::Relaxed);
        let (outgoing, receiver) = mpsc::channel(OUTGOING);
        let hello = Message::Hello(self.installer.hello());
        send(&outgoing, hello).await?;
        let mut client = ControlServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_SNAPSHOT_BYTES);
        let opened = client.stream_config(ReceiverStream::new(receiver));
        let mut incoming = within(self.longest_silence, opened).await?.into_inner();
        self.tripped.mark_changed();
        loop {
            tokio::select! {
                message = within(self.longest_silence, incoming.message()) => match message? {
                    Some(message) => self.hear(message, &outgoing).await?,
                    None => return Ok(()),
                },
                Ok(()) = self.tripped.changed() => self.tell_trips(&outgoing).await?,
            }
        }
    }

    async fn hear(
        &self,
        message: v1::StreamConfigResponse,
        outgoing: &Outgoing,
    ) -> Result<(), Status> {
        self.counters.messages.fetch_add(1, Ordering::Relaxed);
        self.installer.connected(true);
        match message.message {
            Some(Incoming::Snapshot(snapshot)) => {
                send(outgoing, self.install(snapshot).await).await
            }
            Some(Incoming::KeepAlive(alive)) => {
                self.installer
                    .confirm(&alive.config_version.unwrap_or_default());
                Ok(())
            }
            // A newer controller may say more.
            None => Ok(()),
        }
    }

    /// Installs off the request threads and returns the answer for the controller.
    async fn install(&self, snapshot: v1::Snapshot) -> Message {
        let config_version = snapshot.config_version;
        let installer = Arc::clone(&self.installer);
        let outcome = tokio::task::spawn_blocking(move || installer.install(&snapshot)).await;
        let reason = match outcome {
            Ok(Ok(())) => {
                self.counters.accepted.fetch_add(1, Ordering::Relaxed);
                return Message::Ack(v1::Ack { config_version });
            }
            Ok(Err(reason)) => reason,
            Err(_) => "the snapshot could not be examined".to_owned(),
        };
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        Message::Nack(v1::Nack {
            config_version,
            reason,
            serving: self.installer.serving(),
        })
    }

    async fn tell_trips(&self, outgoing: &Outgoing) -> Result<(), Status> {
        for trip in self.installer.trips() {
            send(outgoing, Message::BreakerTrip(trip)).await?;
        }
        Ok(())
    }
}

type Message = v1::stream_config_request::Message;
type Incoming = v1::stream_config_response::Message;
type Outgoing = mpsc::Sender<v1::StreamConfigRequest>;

async fn send(outgoing: &Outgoing, message: Message) -> Result<(), Status> {
    let request = v1::StreamConfigRequest {
        message: Some(message),
    };
    let sent = within(LONGEST_SILENCE, async { Ok(outgoing.send(request).await) }).await?;
    sent.map_err(|_| Status::unavailable("the stream is closed"))
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let silent = |_| Status::deadline_exceeded("the controller is silent");
    timeout(limit, step).await.map_err(silent)?
}
