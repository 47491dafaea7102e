//! Which reports have been counted: a bounded memory, first in, first out.
//!
//! Exact for as long as a report is remembered, but for one hash collision in 2⁶⁴; what
//! is forgotten before its token expires is counted, since it could be counted twice.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::Xxh3Default;

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Matter<'a> {
    /// The outcome of the token.
    Outcome,
    /// That the answer of the token was shown.
    Exposure,
    /// A score of a metric by a scorer.
    Score(&'a str, &'a str),
}

/// Reports that were counted.
#[derive(Debug)]
pub(super) struct Window {
    capacity: usize,
    order: VecDeque<Entry>,
    known: HashSet<u64, BuildHasherDefault<AlreadyHashed>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    expires_s: u64,
}

impl Window {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            order: VecDeque::new(),
            known: HashSet::default(),
        }
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.known.contains(&key)
    }

    /// Remembers a report; returns how many were forgotten too early for it.
    pub(super) fn insert(&mut self, key: u64, expires_s: u64, now_s: u64) -> u64 {
        if !self.known.insert(key) {
            return 0;
        }
        let mut evictions = 0;
        while self.order.len() >= self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest.key);
                evictions += u64::from(oldest.expires_s > now_s);
            }
        }
        self.order.push_back(Entry { key, expires_s });
        evictions
    }
}

/// The key of a report about a token.
pub(super) fn key(nonce: [u8; 8], matter: Matter<'_>) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(&nonce);
    match matter {
        Matter::Outcome => hash.update(&[0]),
        Matter::Exposure => hash.update(&[1]),
        Matter::Score(metric, scorer) => {
            hash.update(&[2]);
            hash.update(&(metric.len() as u64).to_le_bytes());
            hash.update(metric.as_bytes());
            hash.update(scorer.as_bytes());
        }
    }
    hash.digest()
}

/// Keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}
