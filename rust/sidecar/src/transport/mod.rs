//! How bytes reach the sidecar: sockets, limits, write coalescing, drain.
//!
//! Nothing here knows a service or a message; `server` composes them.

mod accept;
pub mod address;
mod bind;
pub mod coalesce;
pub mod connection;
pub mod counters;
pub mod error;
pub mod limits;
pub mod listen;
mod registry;
mod send_queue;
pub mod shutdown;
