//! The gRPC services of `pitcanary.v1`, generated at build time.
//!
//! Messages come from `pitcanary_core::v1`.

#![allow(
    clippy::allow_attributes,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated code; its documentation is in proto/"
)]

tonic::include_proto!("pitcanary.v1");

/// Descriptors of the services, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
