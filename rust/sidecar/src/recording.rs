//! What is counted, between the requests that bring it and the frames that take it.

use bytes::Bytes;

use crate::control::upload::Counts;

/// The counts of one sidecar.
#[derive(Debug, Default)]
pub struct Recording {}

impl Counts for Recording {
    fn fold(&self, _seq: u64) -> Option<Bytes> {
        None
    }

    fn is_full(&self) -> bool {
        false
    }

    fn committed(&self, _seq: u64) {}

    fn dropped(&self, _seq: u64) {}
}
