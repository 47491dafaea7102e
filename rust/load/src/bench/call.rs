//! One gRPC call, as the generator sees it.

/// What came back for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When the call was due or sent, on the generator's clock.
    pub started_ns: u64,
    /// The gRPC status; `None` if the server reset the stream or gave none.
    pub status: Option<u32>,
    /// The message, if answers are captured; empty otherwise.
    pub message: Vec<u8>,
}

impl Answer {
    /// Tells whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.status == Some(0)
    }
}

/// A call without its answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) started_ns: u64,
    pub(super) status: Option<u32>,
    /// Received DATA, with the five bytes that precede the message.
    pub(super) data: Vec<u8>,
}

impl Call {
    pub(super) fn new(started_ns: u64) -> Self {
        Self {
            started_ns,
            status: None,
            data: Vec::new(),
        }
    }

    pub(super) fn answer(mut self) -> Answer {
        self.data.drain(..self.data.len().min(PREFIX_BYTES));
        Answer {
            started_ns: self.started_ns,
            status: self.status,
            message: self.data,
        }
    }
}

/// gRPC's flag of compression and length, before each message.
pub(super) const PREFIX_BYTES: usize = 5;
