//! Why the sidecar cannot listen, and what to do about it.
//!
//! Errors of single connections never come here: they are counted
//! ([`super::counters`]) and end that connection alone.

use std::io;
use std::path::PathBuf;

use super::address::ListenAddress;

/// Why the sidecar cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The text is not an address.
    #[error(
        "cannot listen on `{text}`: {problem}; \
         write `unix:/path/to/socket` or `tcp:127.0.0.1:PORT` (port 0 lets the system choose)"
    )]
    InvalidAddress {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is nothing to listen on.
    #[error(
        "cannot listen: no address is given; name at least one, such as `unix:/run/pitcanary.sock`"
    )]
    NoAddress,
    /// The address can be reached from other machines, without encryption.
    #[error(
        "cannot listen on `{address}`: other machines can reach it and requests are not encrypted; \
         use a unix socket or `tcp:127.0.0.1:PORT`, or set `insecure_listen` to accept the risk"
    )]
    NotLoopback {
        /// The refused address.
        address: ListenAddress,
    },
    /// Another process listens there.
    #[error(
        "cannot listen on `{address}`: another process already does; \
         stop it or choose another address"
    )]
    InUse {
        /// The address that is taken.
        address: ListenAddress,
    },
    /// The path of the socket holds something else.
    #[error(
        "cannot listen on `unix:{}`: the path exists and is not a socket; \
         remove it or choose another path", path.display()
    )]
    NotASocket {
        /// The occupied path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error(
        "cannot listen on `{address}`: {source}; check that the address exists and may be used"
    )]
    Refused {
        /// The refused address.
        address: ListenAddress,
        /// What the system says.
        source: io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped: {0}; this is a defect, please report it")]
    Stopped(#[from] tonic::transport::Error),
}
