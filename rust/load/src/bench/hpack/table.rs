//! The static and dynamic tables of HPACK (RFC 7541, 2.3 and appendix A).

use std::collections::VecDeque;

/// Names and values by index, from 1.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// What an entry costs besides its bytes (RFC 7541, 4.1).
const ENTRY_OVERHEAD: usize = 32;

/// The largest dynamic table that a server may use unless told otherwise.
const DEFAULT_BYTES: usize = 4096;

#[derive(Debug)]
pub(super) struct Table {
    dynamic: VecDeque<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    max_bytes: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            dynamic: VecDeque::new(),
            bytes: 0,
            max_bytes: DEFAULT_BYTES,
        }
    }
}

impl Table {
    pub(super) fn get(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let index = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        self.dynamic
            .get(index - STATIC.len())
            .map(|(name, value)| (&name[..], &value[..]))
    }

    pub(super) fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.bytes += name.len() + value.len() + ENTRY_OVERHEAD;
        self.dynamic.push_front((name, value));
        self.evict();
    }

    /// Follows the server's choice; false if it is larger than allowed.
    pub(super) fn resize(&mut self, max_bytes: usize) -> bool {
        self.max_bytes = max_bytes;
        self.evict();
        max_bytes <= DEFAULT_BYTES
    }

    fn evict(&mut self) {
        while self.bytes > self.max_bytes {
            let Some((name, value)) = self.dynamic.pop_back() else {
                return;
            };
            self.bytes -= name.len() + value.len() + ENTRY_OVERHEAD;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_leave_first() {
        let mut table = Table::default();
        for (name, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
            table.insert(name.into(), value.into());
        }
        assert_eq!(table.get(62), Some((&b"c"[..], &b"3"[..])));
        assert!(table.resize(2 * (2 + ENTRY_OVERHEAD)));
        assert_eq!(table.get(63), Some((&b"b"[..], &b"2"[..])));
        assert_eq!(table.get(64), None);
        assert!(!table.resize(DEFAULT_BYTES + 1));
    }

    #[test]
    fn static_entries_keep_their_index() {
        let table = Table::default();
        assert_eq!(table.get(0), None);
        assert_eq!(table.get(8), Some((&b":status"[..], &b"200"[..])));
        assert_eq!(table.get(61), Some((&b"www-authenticate"[..], &b""[..])));
    }
}
