//! What the sidecar keeps on disk so that it can start without a controller.
//!
//! Bytes and checksums only: what a stored snapshot means is decided where it is
//! compiled. Everything here blocks, so it runs off the request threads.

pub mod seed;
pub mod snapshot;
