//! Asks the server to drain, from any thread.
//!
//! The handle only carries the request; what a drain does is written at
//! [`super::listen::Listeners::serve`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A handle that stops the server; clones stop the same one.
#[derive(Debug, Clone)]
pub struct Shutdown {
    deadline: Arc<watch::Sender<Option<Duration>>>,
}

impl Shutdown {
    /// Makes a handle that has not been used.
    pub fn new() -> Self {
        Self {
            deadline: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Starts the drain; calls in flight have until `deadline` from now.
    ///
    /// The first request counts: a second one does not move the deadline.
    pub fn drain(&self, deadline: Duration) {
        self.deadline.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(deadline);
            first
        });
    }

    /// Waits for the drain to start and returns its deadline.
    pub async fn requested(&self) -> Duration {
        let mut receiver = self.deadline.subscribe();
        loop {
            if let Some(deadline) = *receiver.borrow_and_update() {
                return deadline;
            }
            if receiver.changed().await.is_err() {
                // Cannot happen while `self` holds the sender.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}
