//! What stands in for a unit that was not given.

use std::fmt::Write;

/// The kind that units without a rollout are hashed as, unless the request names one.
pub(super) const DEFAULT_KIND: &str = "user";

/// A unit for one request alone.
pub(super) fn for_request(nonce: [u8; 8]) -> String {
    let mut unit = String::with_capacity(2 * nonce.len());
    for byte in nonce {
        // Writing to a String cannot fail.
        let _ = write!(unit, "{byte:02x}");
    }
    unit
}
