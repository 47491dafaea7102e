//! Why a sidecar does not start.

use std::io;

use crate::control::endpoint::AddressError;
use crate::files::snapshot::SnapshotFileError;
use crate::transport::error::ListenError;

/// Why a sidecar does not start; each says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address to listen on cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The controller's address is not one.
    #[error(transparent)]
    Controller(#[from] AddressError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Files(#[from] SnapshotFileError),
    /// A setting has no meaning.
    #[error("`{name}` cannot be `{value}`: {rule}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The system gives no threads.
    #[error("the system gives no threads for the server: {0}")]
    Threads(#[source] io::Error),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
}
