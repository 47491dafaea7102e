//! Puts a configuration where a sidecar will find it, without a controller.

use std::path::Path;

use pitcanary_core::snapshot::{Snapshot, SnapshotError};
use pitcanary_core::v1;
use prost::Message;

use super::snapshot::{SnapshotFileError, SnapshotFiles};

/// Why a configuration was not stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The bytes are no snapshot.
    #[error("the bytes are no snapshot message: {0}")]
    Message(#[from] prost::DecodeError),
    /// No sidecar could serve it.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The folder cannot be written.
    #[error(transparent)]
    File(#[from] SnapshotFileError),
}

/// Stores an encoded snapshot as the last good one of a data folder.
///
/// A sidecar that is started there serves it until a controller has a newer one.
///
/// # Errors
///
/// When it could not be served, or the folder cannot be written.
pub fn seed(data_dir: &Path, snapshot: &[u8]) -> Result<(), SeedError> {
    let message = v1::Snapshot::decode(snapshot)?;
    Snapshot::compile(&message, &[0; 32])?;
    Ok(SnapshotFiles::open(data_dir)?.save(snapshot)?)
}
