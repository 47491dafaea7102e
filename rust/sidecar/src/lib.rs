//! The gRPC sidecar: server, config stream, upload.
//!
//! [`sidecar`] puts the parts together. Requests are answered from memory by
//! [`service`]; [`control`] keeps the memory current and brings counts to the
//! controller; [`transport`] moves bytes. What answers mean is `pitcanary_core`'s.

pub mod brakes;
pub mod clock;
pub mod configuration;
pub mod control;
pub mod counters;
pub mod error;
pub mod files;
mod parts;
pub mod random;
pub mod recording;
mod routes;
pub mod service;
pub mod settings;
pub mod sidecar;
pub mod transport;
pub mod v1;
