//! What applications ask of the sidecar.
//!
//! `handlers` answers, `grpc` brings it to the network; the rest counts and keeps
//! order. Sockets and limits are the transport's.

pub mod grpc;
pub mod handlers;
pub mod latency;
pub mod replay;
pub mod status;
pub mod streams;
pub mod tally;
