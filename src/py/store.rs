//! `Store`: cachelib's verbs over the core, thin.
//!
//! Each verb has two phases. Under the lock (inside the core) nothing happens but a reference-count bump. Out of the
//! lock the value is decoded, and what left the store is dropped, where `__del__` may call us again.

mod arithmetic;
mod batch;
mod inspect;

use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::errors::Error;
use super::ffi;
use super::imports::{BASE_CACHE, FALLBACK_ADD};
use super::key::table::{Idle, KeyTable, NOBODY};
use super::key::{number_bytes, number_of, text_bytes};
use super::prototypes::Budget;
use super::settings::{Overrides, Settings};
use super::timeout::Timeout;
use super::value::{self, Stored};
use super::vault::Vault;
use crate::core::{self, Evicted, Instant, StoreConfig, When};

/// The native half of `RustCache`; use that. See `_native.pyi` for what each method promises.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct Store {
    core: OnceLock<core::Store<Stored>>,
    keys: KeyTable,
    vault: Vault,
    settings: Settings,
    budget: Arc<Budget>,
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
            core: OnceLock::new(),
            keys: KeyTable::new(py),
            vault: Vault::new(py),
            settings: Settings::new(),
            budget: Arc::default(),
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
        ffi::set_attribute(slf.as_any(), name, Some(value))?;
        slf.get().settings.touch();
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        ffi::set_attribute(slf.as_any(), name, None)?;
        slf.get().settings.touch();
        Ok(())
    }

    /// Makes the store, empty; a second call empties it and sets the bound anew.
    #[pyo3(signature = (max_entries, shards, prototype_bytes))]
    fn _configure(
        slf: &Bound<'_, Self>,
        max_entries: usize,
        shards: usize,
        prototype_bytes: usize,
    ) -> PyResult<()> {
        let this = slf.get();
        this.budget.set_limit(prototype_bytes);
        let made = core::Store::new(StoreConfig { max_entries, shards }).map_err(Error::from)?;
        if this.core.set(made).is_err() {
            Self::clear(slf)?;
            Self::_set_max_entries(slf, max_entries)?;
        }
        Ok(())
    }

    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let now = Self::begin(slf)?;
        Self::look_up(slf, key, now)
    }

    #[pyo3(signature = (key, value, timeout=None))]
    fn set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        slf.get().settings.ensure(slf)?;
        Self::put(slf, key, value, timeout, When::Always)?;
        Ok(true)
    }

    #[pyo3(signature = (key, value, timeout=None))]
    fn add(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let this = slf.get();
        this.settings.ensure(slf)?;
        if this.settings.overrides().any(Overrides::HAS, Overrides::SET) {
            return FALLBACK_ADD.get(slf.py())?.call1((slf, key, value, timeout))?.extract();
        }
        Self::put(slf, key, value, timeout, When::IfAbsent)
    }

    fn has(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let now = Self::begin(slf)?;
        let this = slf.get();
        let (found, evicted) =
            this.with_key(key, Find::Known, |core, key| core.contains(key, now))?;
        this.bury(slf.py(), evicted);
        Ok(found)
    }

    fn delete(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let now = Self::begin(slf)?;
        Self::remove(slf, key, now)
    }

    fn clear(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        let evicted = this.core()?.clear();
        this.bury(slf.py(), evicted);
        Ok(true)
    }

    #[pyo3(signature = (*keys))]
    fn get_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::get_many(slf, keys)
    }

    #[pyo3(signature = (*keys))]
    fn get_dict<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::get_dict(slf, keys)
    }

    #[pyo3(signature = (mapping, timeout=None))]
    fn set_many<'py>(
        slf: &Bound<'py, Self>,
        mapping: &Bound<'py, PyAny>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::set_many(slf, mapping, timeout)
    }

    #[pyo3(signature = (*keys))]
    fn delete_many<'py>(
        slf: &Bound<'py, Self>,
        keys: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::delete_many(slf, keys)
    }

    #[pyo3(signature = (key, delta=None))]
    fn inc<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        arithmetic::change(slf, key, delta, arithmetic::Sign::Plus)
    }

    #[pyo3(signature = (key, delta=None))]
    fn dec<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        delta: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        arithmetic::change(slf, key, delta, arithmetic::Sign::Minus)
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::has(slf, key)
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        inspect::len(slf)
    }

    /// A cache is true, empty or not: with `__len__` alone an empty one would be false.
    const fn __bool__(&self) -> bool {
        true
    }

    fn stats<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        inspect::stats(slf)
    }

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

    fn _validate(&self) -> PyResult<()> {
        self.core()?.validate().map_err(PyRuntimeError::new_err)
    }

    fn _set_max_entries(slf: &Bound<'_, Self>, max_entries: usize) -> PyResult<()> {
        let this = slf.get();
        let evicted = this.core()?.set_max_entries(max_entries).map_err(Error::from)?;
        this.bury(slf.py(), evicted);
        Ok(())
    }

    fn _max_entries(&self) -> PyResult<usize> {
        Ok(self.core()?.max_entries())
    }

    /// Does nothing: what a native call costs on this object, for the benchmarks.
    const fn _nop(&self) {}

    /// The same with an argument.
    const fn _nop1(&self, _key: &Bound<'_, PyAny>) {}
}

/// What to do for a key that is no str and has no number yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Find {
    /// Nothing: the core is asked for a number that nobody has.
    Known,
    /// Give it one.
    Make,
}

impl Store {
    #[inline]
    fn core(&self) -> PyResult<&core::Store<Stored>> {
        self.core.get().ok_or_else(|| {
            PyRuntimeError::new_err(
                "this cache was never set up: a subclass of RustCache that defines __init__ must call \
                 super().__init__()",
            )
        })
    }

    /// What every verb begins with: settings that tell the truth, and the time, read before any lock.
    #[inline]
    fn begin(slf: &Bound<'_, Self>) -> PyResult<Instant> {
        let settings = &slf.get().settings;
        settings.ensure(slf)?;
        settings.clock.now(slf.as_any())
    }

    #[inline]
    fn look_up<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (this, py) = (slf.get(), slf.py());
        let (found, evicted) = this.with_key(key, Find::Known, |core, key| {
            // Under the lock.
            core.read(key, now, |stored| stored.share(py))
        })?;
        // Out of the lock.
        this.bury(py, evicted);
        match found {
            None => Ok(None),
            Some(Stored::Shared(object)) => Ok(Some(object.into_bound(py))),
            Some(stored) => Self::decode(slf, stored),
        }
    }

    /// The caller's own value. None if a custom serializer's object was taken out meanwhile.
    fn decode<'py>(
        slf: &Bound<'py, Self>,
        stored: Stored,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (this, py) = (slf.get(), slf.py());
        let dumped = match stored {
            Stored::Serialized(object) => object.into_bound(py),
            Stored::Foreign(number) => match this.vault.get(py, number)? {
                Some(object) => object,
                None => return Ok(None),
            },
            stored => return value::decode(py, stored, &this.budget).map(Some),
        };
        let serializer = slf.getattr(intern!(py, "serializer"))?;
        serializer.call_method1(intern!(py, "loads"), (dumped,)).map(Some)
    }

    /// What is stored for a value, by the store's serializer.
    #[inline]
    fn encode(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        let this = slf.get();
        if !this.settings.custom_serializer() {
            return value::encode(value);
        }
        let py = slf.py();
        let serializer = slf.getattr(intern!(py, "serializer"))?;
        let dumped = serializer.call_method1(intern!(py, "dumps"), (value,))?;
        if dumped.is_exact_instance_of::<PyBytes>() || dumped.is_exact_instance_of::<PyString>() {
            return Ok(Stored::Serialized(dumped.unbind()));
        }
        this.vault.put(&dumped).map(Stored::Foreign)
    }

    /// Stores a value; false if there was a live one and `when` minds.
    #[inline]
    fn put(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        timeout: Option<&Bound<'_, PyAny>>,
        when: When,
    ) -> PyResult<bool> {
        let this = slf.get();
        let timeout = this.timeout(timeout)?;
        let stored = Self::encode(slf, value)?;
        let now = this.settings.clock.now(slf.as_any())?;
        let Some(lifetime) = timeout.lifetime(now) else {
            this.discard(slf.py(), stored);
            return Self::put_dead(slf, key, now, when);
        };
        let foreign = stored.foreign();
        let inserted = this.with_key(key, Find::Make, |core, key| {
            core.insert(key, stored, lifetime, now, when)
        });
        if let Some(number) = foreign
            && !inserted.as_ref().is_ok_and(|inserted| inserted.stored)
        {
            drop(this.vault.take(slf.py(), number));
        }
        let inserted = inserted?;
        this.bury(slf.py(), inserted.evicted);
        Ok(inserted.stored)
    }

    /// A negative timeout: nothing to store, and an unconditional one takes the old value away.
    #[cold]
    fn put_dead(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        now: Instant,
        when: When,
    ) -> PyResult<bool> {
        match when {
            When::Always => Self::remove(slf, key, now).map(|_| true),
            When::IfAbsent => Self::has(slf, key).map(|found| !found),
        }
    }

    fn remove(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>, now: Instant) -> PyResult<bool> {
        let this = slf.get();
        let (found, evicted) = this.with_key(key, Find::Known, |core, key| core.remove(key, now))?;
        this.bury(slf.py(), evicted);
        Ok(found)
    }

    #[inline]
    fn timeout(&self, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Timeout> {
        timeout.map_or_else(|| Ok(self.settings.default_timeout()), Timeout::from_python)
    }

    /// Runs an operation of the core under the key's bytes.
    #[inline]
    fn with_key<R>(
        &self,
        key: &Bound<'_, PyAny>,
        find: Find,
        operation: impl FnOnce(&core::Store<Stored>, &[u8]) -> R,
    ) -> PyResult<R> {
        let core = self.core()?;
        match text_bytes(key)? {
            Some(text) => Ok(operation(core, &text)),
            None => self.with_numbered_key(key, find, |key| operation(core, key)),
        }
    }

    #[cold]
    fn with_numbered_key<R>(
        &self,
        key: &Bound<'_, PyAny>,
        find: Find,
        operation: impl FnOnce(&[u8]) -> R,
    ) -> PyResult<R> {
        let number = match find {
            Find::Known => self.keys.find(key)?,
            Find::Make => self.keys.find_or_make(key)?,
        };
        let result = operation(&number_bytes(number));
        if number != NOBODY
            && let Some(idle) = self.keys.unpin(number)
        {
            self.release(key.py(), idle);
        }
        Ok(result)
    }

    /// Forgets a numbered key that has no entry any more.
    fn release(&self, py: Python<'_>, idle: Idle) {
        let key = number_bytes(idle.number());
        // At instant 0 nothing is expired: any entry that is still held counts.
        let start = Instant::from_nanos(0);
        let held = self.core().is_ok_and(|core| core.peek(&key, start, |_, _| ()).is_some());
        if !held {
            self.keys.retire(py, idle);
        }
    }

    /// Drops what left the store, out of every lock, with all that stood for it in Python's tables.
    #[inline]
    fn bury(&self, py: Python<'_>, evicted: Evicted<Stored>) {
        if !evicted.is_empty() {
            self.bury_all(py, evicted);
        }
    }

    #[cold]
    fn bury_all(&self, py: Python<'_>, evicted: Evicted<Stored>) {
        for removed in evicted {
            if let Some(idle) = number_of(&removed.key).and_then(|number| self.keys.idle(number)) {
                self.release(py, idle);
            }
            self.discard(py, removed.value);
        }
    }

    fn discard(&self, py: Python<'_>, stored: Stored) {
        if let Some(number) = stored.foreign() {
            drop(self.vault.take(py, number));
        }
    }

    /// Runs cachelib's own method, which goes through whatever a subclass overrides.
    fn call_base<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
        arguments: impl IntoIterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments: Vec<_> =
            std::iter::once(slf.as_any().clone()).chain(arguments).collect();
        BASE_CACHE
            .get(slf.py())?
            .getattr(method)?
            .call1(PyTuple::new(slf.py(), arguments)?)
    }
}
