//! `Store`: cachelib's verbs over the core, thin.
//!
//! Each verb has two phases. Under the lock (inside the core) nothing happens but a reference-count bump. Out of the
//! lock the value is decoded, and what left the store is dropped, where `__del__` may call us again.

pub(super) use decorated::{Hit, OutTicket};
pub(super) use tags::{_frozen_tags, TagName, names_of};
pub(super) use versions::InUse;

mod arithmetic;
mod batch;
mod decorated;
mod engine;
mod groups;
mod inspect;
mod put;
mod records;
mod tags;
mod versions;
mod weight;

use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::daemon::call_method;
use super::ffi;
use super::front::forget_keys;
use super::jitter::Jitter;
use super::key::table::KeyTable;
use super::key::text_bytes;
use super::prototypes::Budget;
use super::settings::{Overrides, Settings};
use super::timeout::Timeout;
use super::value::Stored;
use super::vault::Vault;
use crate::core;
use crate::core::sync::{AtomicBool, AtomicU64, Ordering};
use crate::py::once::intern;
use arithmetic::Delta;
use engine::Find;
use records::Records;

static STORES: AtomicU64 = AtomicU64::new(0);

/// The native half of `RustCache`; use that. See `_native.pyi` for what each method promises.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
#[repr(C)]
pub(super) struct Store {
    /// Keeps the rest off the cache line of the object's reference count, which on free-threaded builds every call
    /// writes to: without it two threads reach a sixth less.
    _apart: [u64; 16],
    core: OnceLock<core::Store<Stored>>,
    keys: KeyTable,
    vault: Vault,
    settings: Settings,
    budget: Arc<Budget>,
    records: Records,
    jitter: Jitter,
    /// No two stores of a process have the same, however short they live.
    number: u64,
    /// Misses that were answered by another caller's fill.
    coalesced: AtomicU64,
    /// It was logged that a value was too large.
    told_refused: AtomicBool,
}

#[pymethods]
impl Store {
    /// Takes anything, so that a subclass may have a signature of its own; `_configure` does the work.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        py: Python<'_>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> Self {
        Self {
            _apart: [0; 16],
            core: OnceLock::new(),
            keys: KeyTable::new(py),
            vault: Vault::new(py),
            settings: Settings::new(),
            budget: Arc::default(),
            records: Records::default(),
            jitter: Jitter::default(),
            number: STORES.fetch_add(1, Ordering::Relaxed),
            coalesced: AtomicU64::new(0),
            told_refused: AtomicBool::new(false),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.keys.traverse(&visit)?;
        self.vault.traverse(&visit)
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if name == "clock" {
            return Self::set_clock(slf, name, Some(value));
        }
        if name == "default_timeout" {
            Timeout::from_default(value)?;
        }
        ffi::set_attribute(slf.as_any(), name, Some(value))?;
        slf.get().settings.touch();
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        if name == "clock" {
            return Self::set_clock(slf, name, None);
        }
        ffi::set_attribute(slf.as_any(), name, None)?;
        slf.get().settings.touch();
        Ok(())
    }

    /// Makes the store, empty; a second call empties it and sets the bounds anew.
    #[pyo3(signature = (max_entries, max_bytes, shards, prototype_bytes))]
    fn _configure(
        slf: &Bound<'_, Self>,
        max_entries: usize,
        max_bytes: usize,
        shards: usize,
        prototype_bytes: usize,
    ) -> PyResult<()> {
        Self::configure(slf, (max_entries, max_bytes), shards, prototype_bytes)
    }

    /// The value, the caller's own, or None if there is no live entry.
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let now = Self::begin(slf)?;
        Self::look_up(slf, key, now)
    }

    /// Stores a value; True, or False if it is larger than the whole cache may be.
    #[pyo3(signature = (key, value, timeout=None, *, tags=None))]
    fn set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        batch::set(slf, (key, value), timeout, tags)
    }

    /// Stores a value if there is no live entry, atomically; True if it did.
    #[pyo3(signature = (key, value, timeout=None, *, tags=None))]
    fn add(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        batch::add(slf, (key, value), timeout, tags)
    }

    /// Whether there is a live entry. Counts as neither hit nor miss.
    fn has(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let now = Self::begin(slf)?;
        let this = slf.get();
        this.with_key(key, Find::Known, |core, key| {
            let (found, evicted) = core.contains(key, now);
            this.bury(slf.py(), evicted);
            found
        })
        .map(|found| found || this.record(key, now).is_some())
    }

    /// Removes an entry; True if there was a live one.
    fn delete(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let now = Self::begin(slf)?;
        Self::remove(slf, key, now)
    }

    /// Removes every entry; True.
    fn clear(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        let core = this.core()?;
        let leaving = this.records.begin_leaving();
        // First: what is computed under a version that it forgets comes too late for the store.
        this.records.clear();
        let evicted = core.clear();
        forget_keys();
        drop(leaving);
        this.bury(slf.py(), evicted);
        Ok(true)
    }

    /// A list of a value or None for each key, in order.
    #[pyo3(signature = (*keys))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::get_many(slf, keys)
    }

    /// A dict of each key with its value or None.
    #[pyo3(signature = (*keys))]
    fn get_dict<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::get_dict(slf, keys)
    }

    /// Stores each item in turn; a list of the keys stored, all but those of values that are too large.
    #[pyo3(signature = (mapping, timeout=None, *, tags=None))]
    fn set_many<'py>(
        slf: &Bound<'py, Self>,
        mapping: &Bound<'py, PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
        tags: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::set_many(slf, mapping, timeout, tags)
    }

    /// Removes each key; a list of those that are absent afterwards, those never there included.
    #[pyo3(signature = (*keys))]
    fn delete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::delete_many(slf, keys)
    }

    /// Removes all entries that carry a tag, and ends fills under way that would store another; how many there were.
    fn delete_tag(slf: &Bound<'_, Self>, tag: &Bound<'_, PyAny>) -> PyResult<usize> {
        groups::delete_tag(slf, tag)
    }

    /// Removes all entries with str keys that begin so, and ends such fills under way; how many there were.
    fn delete_prefix(slf: &Bound<'_, Self>, prefix: &Bound<'_, PyAny>) -> PyResult<usize> {
        groups::delete_prefix(slf, prefix)
    }

    /// The seconds that an entry has left; None if it never expires. Raises `KeyError` if there is no live entry.
    fn ttl(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        groups::ttl(slf, key)
    }

    /// Gives an entry a new lifetime from now on; False if there is no live one.
    #[pyo3(signature = (key, timeout=None))]
    fn touch(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        groups::touch(slf, key, timeout)
    }

    /// Adds to the value, atomically; the new value. None and what is missing count as 0.
    #[pyo3(signature = (key, delta=Delta::One), text_signature = "($self, key, delta=1)")]
    fn inc<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Delta<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        arithmetic::change(slf, key, delta, arithmetic::Sign::Plus)
    }

    /// Subtracts from the value, atomically; the new value. None and what is missing count as 0.
    #[pyo3(signature = (key, delta=Delta::One), text_signature = "($self, key, delta=1)")]
    fn dec<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Delta<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        arithmetic::change(slf, key, delta, arithmetic::Sign::Minus)
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        slf.get().settings.ensure(slf)?;
        if slf.get().overrides(Overrides::HAS, Overrides::HAS) {
            return call_method(slf, intern!(slf.py(), "has"), (key,))?.is_truthy();
        }
        Self::has(slf, key)
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        inspect::len(slf)
    }

    /// A cache is true, empty or not: with `__len__` alone an empty one would be false.
    const fn __bool__(_slf: &Bound<'_, Self>) -> bool {
        true
    }

    /// The counters by name, true now, and what is held just now.
    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        inspect::stats(slf)
    }

    /// Gives the memory of every expired entry back now; how many there were.
    fn purge_expired(slf: &Bound<'_, Self>) -> PyResult<usize> {
        inspect::purge_expired(slf)
    }

    fn _keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        inspect::keys(slf)
    }

    fn _entry<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<inspect::Entry<'py>>> {
        inspect::entry(slf, key)
    }

    fn _is_plain(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::is_plain(slf)
    }

    fn _version(slf: &Bound<'_, Self>, key: &Bound<'_, PyString>) -> PyResult<Option<String>> {
        Self::version(slf, &text_bytes(key)?)
    }

    fn _add_version(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyString>,
        version: &str,
        of_instance: bool,
    ) -> PyResult<String> {
        Self::add_version(slf, &text_bytes(key)?, version, of_instance)
    }

    #[pyo3(signature = (key, timeout))]
    fn _keep_version(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyString>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::keep_version(slf, &text_bytes(key)?, timeout)
    }

    fn _drop_version(slf: &Bound<'_, Self>, key: &Bound<'_, PyString>) -> PyResult<bool> {
        let (now, key) = (Self::begin(slf)?, text_bytes(key)?);
        // Flask-Caching's own code may have left one in the store.
        let (left, evicted) = slf.get().core()?.remove(&key, now);
        slf.get().bury(slf.py(), evicted);
        Ok(Self::drop_version(slf, &key, now) || left)
    }

    /// Lets all entries go that carry a tag.
    fn _remove_tag(slf: &Bound<'_, Self>, tag: &Bound<'_, PyString>) -> PyResult<()> {
        let (now, tag) = (Self::begin(slf)?, text_bytes(tag)?);
        slf.get().let_tag_go(slf.py(), &tag, now);
        Ok(())
    }

    fn _drop_unused_version(slf: &Bound<'_, Self>, key: &Bound<'_, PyString>) -> PyResult<()> {
        slf.get().end_unused_record(slf.py(), &text_bytes(key)?);
        Ok(())
    }

    fn _validate(&self) -> PyResult<()> {
        self.core()?.validate().map_err(PyRuntimeError::new_err)
    }

    fn _set_max_entries(slf: &Bound<'_, Self>, max_entries: usize) -> PyResult<()> {
        Self::bound_entries(slf, max_entries)
    }

    fn _set_jitter(&self, share: f64) {
        self.jitter.set(share);
    }

    fn _max_entries(&self) -> PyResult<usize> {
        Ok(self.core()?.max_entries())
    }

    /// Does nothing: what a native call costs on this object, for the benchmarks.
    const fn _nop(_slf: &Bound<'_, Self>) {}

    /// The same with an argument.
    const fn _nop1(_slf: &Bound<'_, Self>, _key: &Bound<'_, PyAny>) {}
}
