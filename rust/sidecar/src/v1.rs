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

include!(concat!(env!("OUT_DIR"), "/sidecar/pitcanary.v1.rs"));
include!(concat!(env!("OUT_DIR"), "/control/pitcanary.v1.rs"));

/// The sidecar's service with the answers of `pitcanary_core::resolve`, which share the
/// content that the snapshot encoded once. The same bytes on the wire.
pub mod encoded {
    include!(concat!(env!("OUT_DIR"), "/encoded/pitcanary.v1.rs"));
}

/// Descriptors of the services, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
