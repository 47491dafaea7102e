//! A small gRPC service, and clients for it, over any connection.

#![allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each test binary uses a part"
)]

pub(crate) mod talk;
pub(crate) mod tls;
