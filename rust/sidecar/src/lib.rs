//! The gRPC sidecar: server, config stream, upload.

pub mod clock;
pub mod configuration;
pub mod control;
pub mod counters;
pub mod files;
pub mod random;
pub mod service;
pub mod serving;
pub mod transport;
pub mod v1;
