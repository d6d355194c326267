//! What a store does with version records; see `records.rs`.

use std::borrow::Cow;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Store;
use super::inspect::{Entry, seconds_left};
use super::records::Record;
use crate::core::{Evicted, Instant, Lifetime, RemovalCause, When};
use crate::py::key::text_bytes;

/// How the keys of records end.
const SUFFIX: &[u8] = b"_memver";

/// The bytes of a key that a record may have.
fn record_key<'a>(key: &'a Bound<'_, PyAny>) -> Option<Cow<'a, [u8]>> {
    let text = key.cast::<PyString>().ok()?;
    text_bytes(text).ok().filter(|text| text.ends_with(SUFFIX))
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
        let this = slf.get();
        let _leaving = this.records.leave_if_due(now);
        let (version, expired) = records.read(key, now, |record| record.version.clone());
        slf.get().bury_records(slf.py(), expired, now);
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
        let (left, lifetime) = Self::left_version(slf, key, now)?;
        let is_left = left.is_some();
        let record = Record {
            version: left.unwrap_or_else(|| version.into()),
            of_instance,
        };
        let own = record.version.clone();
        if slf.get().records.are_leaving() {
            // Whoever has this version is not to find what is left of the one before.
            slf.get().let_tag_go(slf.py(), key, now);
        }
        // First: whoever drops the record takes that back.
        slf.get().records.has_version(&own, key);
        let leaving = slf.get().records.leave_if_due(now);
        let made = records.insert(key, record, lifetime, now, When::IfAbsent);
        slf.get().bury_records(slf.py(), made.evicted, now);
        drop(leaving);
        // After: whoever forgets the function takes either of the two away.
        if made.stored && !Self::take_left(slf, key, now)? && is_left {
            Self::drop_version(slf, key, now);
            return Self::add_version(slf, key, version, of_instance);
        }
        let records = &slf.get().records;
        let version = records.version(key, now).unwrap_or_else(|| own.clone());
        if version != own {
            records.had_version(&own);
        }
        records.watch_due();
        if is_left {
            slf.get().tag_entries_of(slf.py(), &version, now)?;
        }
        Ok(version)
    }

    /// Entries that Flask-Caching's own code stored belong to their records from now on.
    fn tag_entries_of(&self, py: Python<'_>, version: &str, now: Instant) -> PyResult<()> {
        let core = self.core()?;
        for key in core.keys(now) {
            let records = self.records.of_entry(&key);
            let ends = key
                .windows(version.len().max(1))
                .any(|part| part == version.as_bytes());
            if ends && !records.is_empty() {
                let tags: Vec<&[u8]> = records.iter().map(AsRef::as_ref).collect();
                self.bury(py, core.add_tags(&key, &tags, now));
            }
        }
        Ok(())
    }

    /// A version in the store, with its lifetime.
    fn left_version(
        slf: &Bound<'_, Self>,
        key: &[u8],
        now: Instant,
    ) -> PyResult<(Option<String>, Lifetime)> {
        let (this, py) = (slf.get(), slf.py());
        let core = this.core()?;
        let held = core.peek(key, now, |stored, lifetime| (stored.share(py), lifetime));
        let Some((stored, lifetime)) = held else {
            return Ok((None, Lifetime::NEVER));
        };
        // By a serializer of the application's, where there is one.
        let version = match Self::decode(slf, stored) {
            Ok(value) => value.and_then(|value| value.extract::<String>().ok()),
            Err(error) if error.is_instance_of::<PyException>(py) => None,
            Err(error) => return Err(error),
        };
        Ok((version, lifetime))
    }

    /// Takes what is under a record's key out of the store; was there anything?
    fn take_left(slf: &Bound<'_, Self>, key: &[u8], now: Instant) -> PyResult<bool> {
        let (found, gone) = slf.get().core()?.remove(key, now);
        slf.get().bury(slf.py(), gone);
        Ok(found)
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
        let held = records.peek(&text, now, |record, _| record.clone());
        let Some(old) = held else {
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
        let is_new = version != old.version;
        let _leaving = this.records.begin_leaving();
        let record = Record {
            version,
            of_instance: old.of_instance,
        };
        if is_new {
            this.records.has_version(&record.version, &text);
        }
        let replaced = records.insert(&text, record, lifetime, now, When::Always);
        if is_new {
            this.records.had_version(&old.version);
            this.bury_records(slf.py(), replaced.evicted, now);
            this.let_tag_go(slf.py(), &text, now);
        }
        this.records.watch_due();
        Ok(Some(true))
    }

    /// Gives a record a new lifetime.
    pub(super) fn keep_version(
        slf: &Bound<'_, Self>,
        key: &[u8],
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        let now = Self::begin(slf)?;
        let Some(records) = this.records.get() else {
            return Ok(());
        };
        let lifetime = this.settings.timeout(slf, timeout)?.lifetime(now);
        let ticket = records.ticket(key, &[]);
        let held = records.peek(key, now, |record, _| record.clone());
        if let (Some(lifetime), Some(record)) = (lifetime, held) {
            let _leaving = this.records.leave_if_due(now);
            let kept = records.insert(key, record, lifetime, now, When::IfTicket(ticket));
            this.bury_records(slf.py(), kept.evicted, now);
        }
        records.end_ticket(key, &[]);
        this.records.watch_due();
        Ok(())
    }

    /// Gives the record under a key a new lifetime; false if there is none.
    pub(super) fn touch_version(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        if slf.get().records.get().is_none() {
            return Ok(false);
        }
        let Some(text) = record_key(key) else {
            return Ok(false);
        };
        if Self::version(slf, &text)?.is_none() {
            return Ok(false);
        }
        Self::keep_version(slf, &text, timeout)?;
        Ok(true)
    }

    /// Takes out the records whose keys are in a range; their entries are still there.
    pub(super) fn remove_records_between(
        &self,
        (from, to): (&[u8], &[u8]),
        now: Instant,
    ) -> Option<Evicted<Record>> {
        let records = self.records.get()?;
        Some(records.remove_between(from, to, now))
    }

    /// Lets a record go, and its entries with it; was there one?
    pub(super) fn drop_version(slf: &Bound<'_, Self>, key: &[u8], now: Instant) -> bool {
        let this = slf.get();
        let Some(records) = this.records.get() else {
            return false;
        };
        let _leaving = this.records.begin_leaving();
        let (found, gone) = records.remove(key, now);
        this.bury_records(slf.py(), gone, now);
        // Also where there was none: somebody may be about to store.
        this.let_tag_go(slf.py(), key, now);
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

    /// Does a record have the version that those begin with? Yes, if there are none.
    pub(in crate::py) fn has_version(
        slf: &Bound<'_, Self>,
        record: &[u8],
        versions: Option<&str>,
    ) -> PyResult<bool> {
        let Some(versions) = versions else {
            return Ok(true);
        };
        let version = slf.get().records.version(record, Self::begin(slf)?);
        Ok(version.is_some_and(|version| versions.starts_with(&version)))
    }

    /// Removes the entries that carry a tag, and lets nothing under way store another. What had expired by `now`
    /// counts as that.
    pub(super) fn let_tag_go(&self, py: Python<'_>, tag: &[u8], now: Instant) {
        if let Ok(core) = self.core() {
            self.bury(py, core.remove_tag(tag, now));
        }
    }

    /// The entries of records that went, go.
    pub(super) fn bury_records(&self, py: Python<'_>, gone: Evicted<Record>, now: Instant) {
        let mut entries = Evicted::nothing();
        for removed in gone {
            // One that another took the place of is still there.
            if removed.cause != RemovalCause::Replaced {
                self.records.had_version(&removed.value.version);
                if let Ok(core) = self.core() {
                    entries.append(core.remove_tag(&removed.key, now));
                }
            }
        }
        // Last: it may run anybody's code, which is not to find entries of records that are not there.
        self.bury(py, entries);
    }

    /// Lets go what is due, with its entries.
    pub(super) fn purge_records(&self, py: Python<'_>, now: Instant) {
        if let Some(records) = self.records.get() {
            let _leaving = self.records.begin_leaving();
            self.bury_records(py, records.purge_expired(now), now);
            self.records.watch_due();
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
            // Whoever read the version just now is too late.
            self.bury_records(py, records.remove(key, start).1, start);
        }
    }
}
