//! Why a benchmark cannot run or cannot be trusted.

use std::io;

/// Why a benchmark stopped. Failed calls are counted instead, by gRPC status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// An argument is missing or wrong.
    #[error("{0}; see `pitcanary-bench --help`")]
    Argument(String),
    /// The server cannot be reached, or the connection broke.
    #[error("connection to `{target}` failed: {source}; check that the server runs there")]
    Connection {
        /// The address of the server.
        target: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server ended the connection in the middle of the run.
    #[error("the server closed a connection with {in_flight} calls in flight; see its log")]
    Closed {
        /// Calls without an answer.
        in_flight: usize,
    },
    /// The server broke the rules of HTTP/2, or uses a part this generator does not know.
    #[error("the server sent what this generator cannot read: {0}")]
    Protocol(&'static str),
    /// More calls at once than the server allows.
    #[error("the server allows {allowed} calls per connection; ask for fewer than {wanted}")]
    TooManyInFlight {
        /// What the server said.
        allowed: u32,
        /// What was asked for.
        wanted: u32,
    },
    /// A message is too large for one frame.
    #[error("message {index} has {bytes} bytes; the generator sends at most {allowed}")]
    MessageTooLarge {
        /// Its place in the table.
        index: usize,
        /// Its size.
        bytes: usize,
        /// The largest allowed.
        allowed: usize,
    },
    /// A file of messages is cut off or empty.
    #[error("messages of `{path}` cannot be used: {problem}")]
    Messages {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The system refuses to wait for sockets.
    #[error("waiting for sockets failed: {0}")]
    Wait(#[from] io::Error),
}
