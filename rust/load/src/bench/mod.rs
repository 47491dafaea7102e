//! A load generator that costs less than the server it measures.
//!
//! One thread, pre-encoded HTTP/2 frames, and of each answer no more is looked
//! at than its gRPC status. It refuses to be a gRPC client: no TLS, no
//! streaming calls, no retries. General clients spend as much processor time
//! per call as the sidecar does, and would measure themselves.

pub mod call;
mod clock;
mod connection;
pub mod error;
mod frame;
mod hpack;
mod http2;
pub mod messages;
pub mod quantiles;
pub mod run;
mod socket;
