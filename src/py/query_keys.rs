//! The keys of `query_string=True`, remembered.
//!
//! Such a key is the hash of the sorted query arguments, which takes Python microseconds to make. It depends on
//! nothing but the path, the raw query string and the cache's hash method, so each function remembers the
//! keys of the queries it saw lately. The memory is bounded: attackers choose query strings.

use std::collections::HashMap;

use ahash::RandomState;

use crate::core::sync::{Arc, Mutex};

/// Remembered per function; when it is full, all are forgotten and the usual ones come back soon.
const MOST_KEYS: usize = 1024;
/// Bytes of path and query together that are worth remembering.
const MOST_BYTES: usize = 1024;

#[derive(Default)]
struct Known {
    /// The state of the cache object under which the keys were made.
    generation: u32,
    keys: HashMap<Box<[u8]>, Arc<str>, RandomState>,
}

/// Path and query to key.
#[derive(Default)]
pub(super) struct QueryKeys(Mutex<Known>);

impl QueryKeys {
    /// The key that was made for this path and query while the cache object was as it is now.
    pub(super) fn find(&self, request: &[u8], generation: u32) -> Option<Arc<str>> {
        let known = self.0.lock();
        if known.generation != generation {
            return None;
        }
        known.keys.get(request).map(Arc::clone)
    }

    /// Remembers a key.
    pub(super) fn remember(&self, request: Vec<u8>, key: &str, generation: u32) {
        if request.len() > MOST_BYTES {
            return;
        }
        let mut known = self.0.lock();
        let outdated = known.generation != generation;
        if outdated || known.keys.len() >= MOST_KEYS {
            known.keys.clear();
            known.generation = generation;
        }
        known
            .keys
            .insert(request.into_boxed_slice(), Arc::from(key));
    }
}

/// Path and query in one, so that no two requests look the same.
pub(super) fn request_bytes(path: &str, query: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + path.len() + query.len());
    bytes.extend_from_slice(&(path.len() as u64).to_le_bytes());
    bytes.extend_from_slice(path.as_bytes());
    bytes.extend_from_slice(query);
    bytes
}
