//! The gRPC sidecar: server, config stream, upload.

pub mod clock;
pub mod files;
pub mod v1;
