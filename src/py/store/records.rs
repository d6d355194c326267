//! The version records of memoized functions: beside the store and outside its bound, so that no other
//! traffic can make a function lose its entries.
//!
//! A record is found under its key as any entry is. Entries carry the keys of their records as tags: when a
//! record goes, they go; when the last entry of an instance's record goes, so does the record.

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
use crate::py::key::plain_text;
use crate::py::value::Stored;

/// How the keys of records end.
const SUFFIX: &[u8] = b"_memver";

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
        drop(self.get().map(core::Store::clear));
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
        let text = plain_text(key).filter(|text| text.ends_with(SUFFIX));
        text.is_some_and(|text| Self::drop_version(slf, text, now))
    }

    /// The same, with the seconds that it has left.
    pub(super) fn record_entry<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> Option<Entry<'py>> {
        self.records.get()?;
        let text = plain_text(key).filter(|text| text.ends_with(SUFFIX))?;
        let (version, lifetime) = self.records.find(text, now)?;
        let version = PyString::new(key.py(), &version).into_any();
        Some((seconds_left(lifetime.stale_until, now), false, version))
    }

    /// The version under a record's key, or None.
    pub(super) fn version(slf: &Bound<'_, Self>, key: &str) -> PyResult<Option<String>> {
        let now = Self::begin(slf)?;
        let Some(records) = slf.get().records.get() else {
            return Ok(None);
        };
        let (version, expired) = records.read(key.as_bytes(), now, |record| record.version.clone());
        slf.get().bury_records(slf.py(), expired);
        Ok(version)
    }

    /// Makes a record that never expires, unless there is one; the version that is there then. What
    /// Flask-Caching's own code left under the key, in the store, moves here.
    pub(super) fn add_version(
        slf: &Bound<'_, Self>,
        key: &str,
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
        let made = records.insert(key.as_bytes(), record, lifetime, now, When::IfAbsent);
        slf.get().bury_records(slf.py(), made.evicted);
        Ok(slf
            .get()
            .records
            .version(key.as_bytes(), now)
            .unwrap_or_else(|| version.into()))
    }

    /// Takes a version out of the store, with its lifetime.
    fn take_version(
        &self,
        py: Python<'_>,
        key: &str,
        now: Instant,
    ) -> PyResult<(Option<String>, Lifetime)> {
        let (core, key) = (self.core()?, key.as_bytes());
        let held = core.peek(key, now, |stored, lifetime| (stored.share(py), lifetime));
        let Some((Stored::Shared(object), lifetime)) = held else {
            return Ok((None, Lifetime::NEVER));
        };
        let version = object.extract::<String>(py).ok();
        self.bury(py, core.remove(key, now).1);
        Ok((version, lifetime))
    }

    /// A value for the key of a record: it becomes the record's version. False if there is no such record.
    pub(super) fn put_version(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        lifetime: Lifetime,
    ) -> PyResult<bool> {
        let this = slf.get();
        let Some(records) = this.records.get() else {
            return Ok(false);
        };
        let Some(text) = plain_text(key).filter(|text| text.ends_with(SUFFIX)) else {
            return Ok(false);
        };
        let now = Self::begin(slf)?;
        let held = records.peek(text, now, |record, _| {
            (record.version.clone(), record.of_instance)
        });
        let Some((old, of_instance)) = held else {
            return Ok(false);
        };
        let Ok(version) = value.extract::<String>() else {
            // No version: the record goes, and the store keeps the value.
            Self::drop_version(slf, text, now);
            return Ok(false);
        };
        let is_new = version != old;
        let record = Record {
            version,
            of_instance,
        };
        drop(records.insert(text, record, lifetime, now, When::Always));
        if is_new {
            this.let_tag_go(slf.py(), text);
        }
        Ok(true)
    }

    /// Gives a record a new lifetime, if it still has that version.
    pub(super) fn keep_version(
        slf: &Bound<'_, Self>,
        key: &str,
        version: &str,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let (this, key) = (slf.get(), key.as_bytes());
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
        Ok(())
    }

    /// Lets a record go, and its entries with it; was there one?
    pub(super) fn drop_version(slf: &Bound<'_, Self>, key: &[u8], now: Instant) -> bool {
        let this = slf.get();
        let Some(records) = this.records.get() else {
            return false;
        };
        let (found, gone) = records.remove(key, now);
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
            drop(records.remove(key, start));
            // Whoever read the version just now is too late.
            self.let_tag_go(py, key);
        }
    }
}
