//! The link to the controller: configuration comes in, counts go out.
//!
//! Runs beside the server and never in a request's way: with the controller gone,
//! everything here retries and the server goes on with the last good configuration.

pub mod backoff;
pub mod endpoint;
pub mod installer;
pub mod spool;
pub mod stream;
pub mod upload;
