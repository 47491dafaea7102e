//! What one peer may ask of the sidecar, in one place.

use std::time::Duration;

/// The largest request message; services set it on their generated servers.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Limits on connections and on what each may hold open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections over all listeners; further ones are closed at once.
    pub max_connections: usize,
    /// Calls in flight per connection; clients queue further ones.
    pub max_concurrent_streams: u32,
    /// The headers of one request, decoded.
    pub max_header_list_bytes: u32,
    /// Calls that a peer may reset before they were looked at.
    pub max_pending_reset_streams: usize,
    /// Time for a new connection to start speaking HTTP/2.
    pub handshake_timeout: Duration,
    /// How often a connection is asked whether it lives.
    pub keepalive_interval: Duration,
    /// How long it may take to answer; a peer in the middle of its headers cannot.
    pub keepalive_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_concurrent_streams: 100,
            max_header_list_bytes: 16 * 1024,
            max_pending_reset_streams: 20,
            handshake_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
        }
    }
}
