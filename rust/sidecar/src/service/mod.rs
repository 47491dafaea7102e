//! What applications ask of the sidecar.
//!
//! `handlers` answers, `grpc` brings it to the network; the rest counts and keeps
//! order. Sockets and limits are the transport's.

pub mod grpc;
pub mod handlers;
mod invoke;
pub mod latency;
pub mod replay;
mod report_stream;
pub mod reports;
pub mod status;
pub mod streams;
pub mod tally;
