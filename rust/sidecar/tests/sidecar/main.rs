//! The sidecar against a real controller, real sockets and real crashes.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod brakes;
mod config_stream;
mod controller;
mod replay;
mod report_stream;
mod reports;
mod running;
mod serving;
mod snapshot_kill;
mod upload;
