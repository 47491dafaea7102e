//! The gRPC sidecar: server, config stream, upload.

pub mod v1;
