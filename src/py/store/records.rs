//! The version records of memoized functions: beside the store and outside its bound, so that no other
//! traffic can make a function lose its entries.
//!
//! A record is found under its key as any entry is. Entries carry the keys of their records as tags: when a
//! record goes, they go; when the last entry of an instance's record goes, so does the record.

use std::collections::HashMap;
use std::sync::OnceLock;

use ahash::RandomState;
use pyo3::prelude::*;

use crate::core::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::core::{self, Instant, Lifetime, StoreConfig};
use crate::py::errors::Error;
use crate::py::flight::process_number;

/// How long the parts of an entry's key are: a digest, and the versions of a function and an instance.
const DIGEST: usize = 16;
const VERSION: usize = 6;
const TWO_VERSIONS: usize = 12;

#[derive(Clone)]
pub(super) struct Record {
    pub(super) version: String,
    pub(super) of_instance: bool,
}

/// How many calls use a record.
#[derive(Default)]
struct Uses {
    /// Of which process they are: a forked child has none of its parent's.
    process: u64,
    calls: HashMap<Box<[u8]>, usize, RandomState>,
}

impl Uses {
    fn of_this_process(&mut self) -> &mut HashMap<Box<[u8]>, usize, RandomState> {
        let process = process_number();
        if self.process != process {
            self.process = process;
            self.calls.clear();
        }
        &mut self.calls
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Records {
    held: OnceLock<core::Store<Record>>,
    /// Records that a call is about to store an entry for.
    in_use: Mutex<Uses>,
    /// Which record has a version: entries' keys end in theirs.
    by_version: Mutex<HashMap<String, Box<[u8]>, RandomState>>,
    /// The earliest deadline of any, in nanoseconds; 0 = there is none.
    due: AtomicU64,
    /// Locked while that is found out.
    watching: Mutex<()>,
    /// How many calls are letting records go, and have not yet let go of all entries of these.
    leaving: AtomicUsize,
}

/// Records are being let go, until this is dropped.
pub(super) struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Records {
    /// None as long as nothing was memoized.
    pub(super) fn get(&self) -> Option<&core::Store<Record>> {
        self.held.get()
    }

    pub(super) fn get_or_make(&self) -> PyResult<&core::Store<Record>> {
        if let Some(records) = self.held.get() {
            return Ok(records);
        }
        let made = core::Store::new(StoreConfig {
            max_entries: usize::MAX,
            max_weight: usize::MAX,
            shards: 1,
        })
        .map_err(Error::from)?;
        Ok(self.held.get_or_init(|| made))
    }

    pub(super) fn find(&self, key: &[u8], now: Instant) -> Option<(String, Lifetime)> {
        self.get()?.peek(key, now, |record, lifetime| {
            (record.version.clone(), lifetime)
        })
    }

    pub(super) fn version(&self, key: &[u8], now: Instant) -> Option<String> {
        self.find(key, now).map(|(version, _)| version)
    }

    /// May an entry of that key depend on any?
    #[inline]
    pub(super) fn may_have(&self, key: &[u8]) -> bool {
        let versions = key.len().checked_sub(DIGEST);
        matches!(versions, Some(VERSION | TWO_VERSIONS)) && self.held.get().is_some()
    }

    /// Is the function's version that an entry's key ends in one that a record has?
    pub(super) fn know_version_of(&self, key: &[u8]) -> bool {
        if !self.may_have(key) {
            return false;
        }
        let version = std::str::from_utf8(&key[DIGEST..DIGEST + VERSION]);
        version.is_ok_and(|version| self.by_version.lock().contains_key(version))
    }

    /// The records that an entry depends on by its key, which Flask-Caching has end in their versions.
    pub(super) fn of_entry(&self, key: &[u8]) -> Vec<Box<[u8]>> {
        if !self.may_have(key) {
            return Vec::new();
        }
        let versions = &key[DIGEST..];
        let by_version = self.by_version.lock();
        let record = |version| by_version.get(std::str::from_utf8(version).ok()?).cloned();
        let mut records: Vec<Box<[u8]>> = versions.chunks(VERSION).filter_map(record).collect();
        if versions.len() == TWO_VERSIONS && !records.is_empty() {
            // The instance may have no record yet, and is let go by its versions all the same.
            records.push(versions.into());
        }
        records
    }

    /// Records are about to go, and then their entries.
    pub(super) fn begin_leaving(&self) -> Leaving<'_> {
        self.leaving.fetch_add(1, Ordering::Relaxed);
        Leaving(&self.leaving)
    }

    /// The same if any of them is due: whatever is done to another may push it out.
    pub(super) fn leave_if_due(&self, now: Instant) -> Option<Leaving<'_>> {
        self.are_due(now).then(|| self.begin_leaving())
    }

    /// May there be entries of records that are not there any more?
    pub(super) fn are_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire) != 0
    }

    /// Is any of them due?
    #[inline]
    pub(super) fn are_due(&self, now: Instant) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        due != 0 && due <= now.as_nanos()
    }

    /// Lifetimes have changed.
    pub(super) fn watch_due(&self) {
        // Else who found out earlier might say so later.
        let _watching = self.watching.lock();
        let due = self.get().map_or(Instant::NEVER, core::Store::next_due);
        let nanos = if due == Instant::NEVER {
            0
        } else {
            due.as_nanos()
        };
        self.due.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn has_version(&self, version: &str, key: &[u8]) {
        let mut by_version = self.by_version.lock();
        by_version.insert(version.to_owned(), key.into());
    }

    pub(super) fn had_version(&self, version: &str) {
        self.by_version.lock().remove(version);
    }

    pub(super) fn is_in_use(&self, key: &[u8]) -> bool {
        self.in_use.lock().of_this_process().contains_key(key)
    }

    pub(super) fn begin_use(&self, key: &[u8]) {
        let mut uses = self.in_use.lock();
        *uses.of_this_process().entry(key.into()).or_default() += 1;
    }

    pub(super) fn end_use(&self, key: &[u8]) {
        let mut uses = self.in_use.lock();
        let uses = uses.of_this_process();
        if let Some(calls) = uses.get_mut(key) {
            *calls -= 1;
            if *calls == 0 {
                uses.remove(key);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self, now: Instant) -> usize {
        self.get().map_or(0, |records| records.keys(now).len())
    }

    /// Their keys.
    pub(super) fn keys(&self, now: Instant) -> Vec<core::Key> {
        self.get()
            .map_or_else(Vec::new, |records| records.keys(now))
    }

    /// Forgets all of them.
    pub(super) fn clear(&self) {
        if let Some(gone) = self.get().map(core::Store::clear) {
            self.by_version.lock().clear();
            drop(gone);
        }
    }
}
