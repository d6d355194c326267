//! The version records of memoized functions: beside the store and outside its bound, so that no other
//! traffic can make a function lose its entries.
//!
//! A record is found under its key as any entry is. Entries carry the keys of their records as tags: when a
//! record goes, they go; when the last entry of an instance's record goes, so does the record.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use ahash::RandomState;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Store;
use super::inspect::{Entry, seconds_left};
use crate::core::sync::Mutex;
use crate::core::{self, Evicted, Instant, Lifetime, StoreConfig, When};
use crate::py::errors::Error;
use crate::py::key::text_bytes;
use crate::py::value::Stored;

/// How long the parts of an entry's key are: a digest, and the versions of a function and an instance.
const DIGEST: usize = 16;
const VERSION: usize = 6;
const TWO_VERSIONS: usize = 12;

/// How the keys of records end.
const SUFFIX: &[u8] = b"_memver";

/// The bytes of a key that a record may have.
fn record_key<'a>(key: &'a Bound<'_, PyAny>) -> Option<Cow<'a, [u8]>> {
    let text = key.cast::<PyString>().ok()?;
    text_bytes(text).ok().filter(|text| text.ends_with(SUFFIX))
}

struct Record {
    version: String,
    of_instance: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Records {
    records: OnceLock<core::Store<Record>>,
    /// Records that a call is about to store an entry for, and how many calls are.
    in_use: Mutex<HashMap<Box<[u8]>, usize, RandomState>>,
    /// Which record has a version: entries' keys end in theirs.
    by_version: Mutex<HashMap<String, Box<[u8]>, RandomState>>,
}

impl Records {
    /// None as long as nothing was memoized.
    fn get(&self) -> Option<&core::Store<Record>> {
        self.records.get()
    }

    fn get_or_make(&self) -> PyResult<&core::Store<Record>> {
        if let Some(records) = self.records.get() {
            return Ok(records);
        }
        let made = core::Store::new(StoreConfig {
            max_entries: usize::MAX,
            shards: 1,
        })
        .map_err(Error::from)?;
        Ok(self.records.get_or_init(|| made))
    }

    fn find(&self, key: &[u8], now: Instant) -> Option<(String, Lifetime)> {
        self.get()?.peek(key, now, |record, lifetime| {
            (record.version.clone(), lifetime)
        })
    }

    fn version(&self, key: &[u8], now: Instant) -> Option<String> {
        self.find(key, now).map(|(version, _)| version)
    }

    /// The records that an entry depends on by its key, which Flask-Caching has end in their versions.
    pub(super) fn of_entry(&self, key: &[u8]) -> Vec<Box<[u8]>> {
        let versions = match (self.records.get(), key.len().checked_sub(DIGEST)) {
            (Some(_), Some(VERSION)) | (Some(_), Some(TWO_VERSIONS)) => &key[DIGEST..],
            _ => return Vec::new(),
        };
        let by_version = self.by_version.lock();
        let record = |version| by_version.get(std::str::from_utf8(version).ok()?).cloned();
        versions.chunks(VERSION).filter_map(record).collect()
    }

    fn has_version(&self, version: &str, key: &[u8]) {
        let mut by_version = self.by_version.lock();
        by_version.insert(version.to_owned(), key.into());
    }

    fn had_versions(&self, gone: &Evicted<Record>) {
        let mut by_version = self.by_version.lock();
        for removed in gone {
            by_version.remove(&removed.value.version);
        }
    }

    fn is_in_use(&self, key: &[u8]) -> bool {
        self.in_use.lock().contains_key(key)
    }

    fn begin_use(&self, key: &[u8]) {
        *self.in_use.lock().entry(key.into()).or_default() += 1;
    }

    fn end_use(&self, key: &[u8]) {
        let mut in_use = self.in_use.lock();
        if let Some(calls) = in_use.get_mut(key) {
            *calls -= 1;
            if *calls == 0 {
                in_use.remove(key);
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
            self.had_versions(&gone);
        }
    }
}

/// Keeps the records of a call from going while it is under way.
pub(in crate::py) struct InUse<'a, 'py> {
    store: &'a Bound<'py, Store>,
    tags: &'a [Box<[u8]>],
}

impl<'a, 'py> InUse<'a, 'py> {
    pub(in crate::py) fn begin(store: &'a Bound<'py, Store>, tags: &'a [Box<[u8]>]) -> Self {
        for tag in tags {
            store.get().records.begin_use(tag);
        }
        Self { store, tags }
    }
}

impl Drop for InUse<'_, '_> {
    fn drop(&mut self) {
        for tag in self.tags {
            self.store.get().records.end_use(tag);
            self.store.get().end_unused_record(self.store.py(), tag);
        }
    }
}

impl Store {
    /// The record under a key that the store itself knows nothing of.
    #[inline]
    pub(super) fn record<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> Option<Bound<'py, PyAny>> {
        self.record_entry(key, now).map(|(.., version)| version)
    }

    /// Removes the record under a key, with its entries; was there one?
    #[inline]
    pub(super) fn remove_record(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        now: Instant,
    ) -> bool {
        if slf.get().records.get().is_none() {
            return false;
        }
        record_key(key).is_some_and(|text| Self::drop_version(slf, &text, now))
    }

    /// The same, with the seconds that it has left.
    pub(super) fn record_entry<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> Option<Entry<'py>> {
        self.records.get()?;
        let text = record_key(key)?;
        let (version, lifetime) = self.records.find(&text, now)?;
        let version = PyString::new(key.py(), &version).into_any();
        Some((seconds_left(lifetime.stale_until, now), false, version))
    }

    /// The version under a record's key, or None.
    pub(super) fn version(slf: &Bound<'_, Self>, key: &[u8]) -> PyResult<Option<String>> {
        let now = Self::begin(slf)?;
        let Some(records) = slf.get().records.get() else {
            return Ok(None);
        };
        let (version, expired) = records.read(key, now, |record| record.version.clone());
        slf.get().bury_records(slf.py(), expired);
        Ok(version)
    }

    /// Makes a record that never expires, unless there is one; the version that is there then. What
    /// Flask-Caching's own code left under the key, in the store, moves here.
    pub(super) fn add_version(
        slf: &Bound<'_, Self>,
        key: &[u8],
        version: &str,
        of_instance: bool,
    ) -> PyResult<String> {
        let now = Self::begin(slf)?;
        let records = slf.get().records.get_or_make()?;
        let (left, lifetime) = slf.get().take_version(slf.py(), key, now)?;
        let record = Record {
            version: left.unwrap_or_else(|| version.into()),
            of_instance,
        };
        let made = records.insert(key, record, lifetime, now, When::IfAbsent);
        slf.get().bury_records(slf.py(), made.evicted);
        let records = &slf.get().records;
        let version = records.version(key, now).unwrap_or_else(|| version.into());
        records.has_version(&version, key);
        Ok(version)
    }

    /// Takes a version out of the store, with its lifetime.
    fn take_version(
        &self,
        py: Python<'_>,
        key: &[u8],
        now: Instant,
    ) -> PyResult<(Option<String>, Lifetime)> {
        let core = self.core()?;
        let held = core.peek(key, now, |stored, lifetime| (stored.share(py), lifetime));
        let Some((Stored::Shared(object), lifetime)) = held else {
            return Ok((None, Lifetime::NEVER));
        };
        let version = object.extract::<String>(py).ok();
        self.bury(py, core.remove(key, now).1);
        Ok((version, lifetime))
    }

    /// A value for the key of a record: it becomes the record's version, unless it is to be stored only where
    /// there is none. Was it stored? None if that is up to the store.
    pub(super) fn put_version(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        (lifetime, when): (Lifetime, When),
    ) -> PyResult<Option<bool>> {
        let this = slf.get();
        let Some(records) = this.records.get() else {
            return Ok(None);
        };
        let Some(text) = record_key(key) else {
            return Ok(None);
        };
        let now = Self::begin(slf)?;
        let held = records.peek(&text, now, |record, _| {
            (record.version.clone(), record.of_instance)
        });
        let Some((old, of_instance)) = held else {
            return Ok(None);
        };
        if when == When::IfAbsent {
            return Ok(Some(false));
        }
        let Ok(version) = value.extract::<String>() else {
            // No version: the record goes, and the store keeps the value.
            Self::drop_version(slf, &text, now);
            return Ok(None);
        };
        let is_new = version != old;
        let record = Record {
            version,
            of_instance,
        };
        if is_new {
            this.records.has_version(&record.version, &text);
        }
        let replaced = records.insert(&text, record, lifetime, now, When::Always);
        if is_new {
            this.records.had_versions(&replaced.evicted);
            this.let_tag_go(slf.py(), &text);
        }
        Ok(Some(true))
    }

    /// Gives a record a new lifetime, if it still has that version.
    pub(super) fn keep_version(
        slf: &Bound<'_, Self>,
        key: &[u8],
        version: &str,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        let now = Self::begin(slf)?;
        let Some(records) = this.records.get() else {
            return Ok(());
        };
        let lifetime = this.timeout(timeout)?.lifetime(now);
        let ticket = records.ticket(key, &[]);
        let held = records.peek(key, now, |record, _| {
            (&*record.version == version).then_some(record.of_instance)
        });
        if let (Some(lifetime), Some(of_instance)) = (lifetime, held.flatten()) {
            let record = Record {
                version: version.into(),
                of_instance,
            };
            drop(records.insert(key, record, lifetime, now, When::IfTicket(ticket)));
        }
        records.end_ticket(key, &[]);
        Ok(())
    }

    /// Lets a record go, and its entries with it; was there one?
    pub(super) fn drop_version(slf: &Bound<'_, Self>, key: &[u8], now: Instant) -> bool {
        let this = slf.get();
        let Some(records) = this.records.get() else {
            return false;
        };
        let (found, gone) = records.remove(key, now);
        this.records.had_versions(&gone);
        drop(gone);
        this.let_tag_go(slf.py(), key);
        found
    }

    /// Are these the versions that the records have, one after the other?
    pub(in crate::py) fn are_current(
        slf: &Bound<'_, Self>,
        tags: &[Box<[u8]>],
        versions: &str,
    ) -> PyResult<bool> {
        let now = Self::begin(slf)?;
        let mut rest = versions;
        for tag in tags {
            let version = slf.get().records.version(tag, now);
            match version.and_then(|version| rest.strip_prefix(&*version)) {
                Some(after) => rest = after,
                None => return Ok(false),
            }
        }
        Ok(rest.is_empty())
    }

    /// Removes the entries that carry a tag, and lets nothing under way store another.
    pub(super) fn let_tag_go(&self, py: Python<'_>, tag: &[u8]) {
        if let Ok(core) = self.core() {
            self.bury(py, core.remove_tag(tag));
        }
    }

    /// The entries of records that went, go.
    fn bury_records(&self, py: Python<'_>, gone: Evicted<Record>) {
        self.records.had_versions(&gone);
        for removed in gone {
            self.let_tag_go(py, &removed.key);
        }
    }

    /// Lets go what is due, with its entries.
    pub(super) fn purge_records(&self, py: Python<'_>, now: Instant) {
        if let Some(records) = self.records.get() {
            self.bury_records(py, records.purge_expired(now));
        }
    }

    /// An instance's record goes with its last entry.
    pub(super) fn end_unused_record(&self, py: Python<'_>, key: &[u8]) {
        let start = Instant::from_nanos(0);
        let (Some(records), Ok(core)) = (self.records.get(), self.core()) else {
            return;
        };
        let of_instance = records.peek(key, start, |record, _| record.of_instance);
        if of_instance == Some(true) && !self.records.is_in_use(key) && !core.has_tag(key) {
            self.records.had_versions(&records.remove(key, start).1);
            // Whoever read the version just now is too late.
            self.let_tag_go(py, key);
        }
    }
}
