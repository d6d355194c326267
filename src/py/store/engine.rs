//! What the verbs are made of: the way of a key into the core, and of a value out of it. The way in is in `put.rs`.

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::Store;
use crate::core::{self, Evicted, Instant, Removed};
use crate::py::clock::{self, Source};
use crate::py::daemon::call_function;
use crate::py::ffi;
use crate::py::imports::BASE_CACHE;
use crate::py::key::table::{Idle, NOBODY};
use crate::py::key::{number_bytes, number_of, plain_text, unusual_text};
use crate::py::once::intern;
use crate::py::settings::Overrides;
use crate::py::value::{self, Stored};

/// What to do for a key that is no str and has no number yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Find {
    /// Nothing: the core is asked for a number that nobody has.
    Known,
    /// Give it one.
    Make,
}

impl Store {
    #[inline]
    pub(super) fn core(&self) -> PyResult<&core::Store<Stored>> {
        self.core.get().ok_or_else(|| {
            PyRuntimeError::new_err(
                "this cache was never set up: a subclass of RustCache that defines __init__ must call \
                 super().__init__()",
            )
        })
    }

    /// Sets or deletes the instance's clock, which counts from this moment and not from the next call.
    ///
    /// Raises what the new clock raises, or `TypeError` if it is none; then the old one stays.
    pub(super) fn set_clock(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let this = slf.get();
        if let Some(value) = value.filter(|value| !value.is_none()) {
            clock::check_callable(value)?;
        }
        let in_use = this.core.get().is_some();
        if in_use && this.settings.clock.source() == Source::Callable {
            // The old clock is asked a last time. Should it fail, the time it told last has to do.
            if let Err(error) = Self::begin(slf)
                && !error.is_instance_of::<PyException>(slf.py())
            {
                return Err(error);
            }
        }
        ffi::set_attribute(slf.as_any(), name, value)?;
        if in_use {
            this.settings.expect_clock();
        }
        this.settings.touch();
        if in_use {
            this.settings.ensure(slf)?;
        }
        Ok(())
    }

    /// What every verb begins with: settings that tell the truth, and the time, read before any lock.
    #[inline]
    pub(super) fn begin(slf: &Bound<'_, Self>) -> PyResult<Instant> {
        let settings = &slf.get().settings;
        settings.ensure(slf)?;
        settings.clock.now(slf.as_any())
    }

    /// Is one of these two methods overridden by a subclass, or patched? Ask after `ensure`.
    #[inline]
    pub(super) fn overrides(&self, one: Overrides, other: Overrides) -> bool {
        self.settings.overrides().any(one, other)
    }

    #[inline]
    pub(super) fn look_up<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (this, py) = (slf.get(), slf.py());
        let found = this.with_key(key, Find::Known, |core, key| {
            // Under the lock.
            let (found, evicted) = core.read(key, now, |stored| stored.share(py));
            // Out of the lock.
            this.bury(py, evicted);
            found
        })?;
        match found {
            None => Ok(this.record(key, now)),
            Some(Stored::Shared(object)) => Ok(Some(object.into_bound(py))),
            Some(stored) => match Self::decode(slf, stored)? {
                Some(value) => Ok(Some(value)),
                None => Self::look_again(slf, key, now),
            },
        }
    }

    /// A custom serializer's object left before it could be fetched: what is there instead? The read has been
    /// counted, as the hit that it was.
    #[cold]
    fn look_again<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        now: Instant,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (this, py) = (slf.get(), slf.py());
        loop {
            let found = this.with_key(key, Find::Known, |core, key| {
                core.peek(key, now, |stored, _| stored.share(py))
            })?;
            let Some(stored) = found else {
                return Ok(this.record(key, now));
            };
            if let Some(value) = Self::decode(slf, stored)? {
                return Ok(Some(value));
            }
            py.check_signals()?;
        }
    }

    /// The caller's own value. None if a custom serializer's object was taken out meanwhile.
    pub(super) fn decode<'py>(
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
        let loads = serializer.getattr(intern!(py, "loads"))?;
        call_function(&loads, (dumped,)).map(Some)
    }

    pub(super) fn remove(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        now: Instant,
    ) -> PyResult<bool> {
        let this = slf.get();
        let found = this.with_key(key, Find::Known, |core, key| {
            let (found, evicted) = core.remove(key, now);
            this.bury(slf.py(), evicted);
            found
        })?;
        Ok(Self::remove_record(slf, key, now) || found)
    }

    /// Runs an operation of the core under the key's bytes. It buries what the core gives back itself:
    /// the core has unlocked by then, and what is large need not be handed on.
    #[inline]
    pub(super) fn with_key<R>(
        &self,
        key: &Bound<'_, PyAny>,
        find: Find,
        operation: impl FnOnce(&core::Store<Stored>, &[u8]) -> R,
    ) -> PyResult<R> {
        let core = self.core()?;
        let unusual;
        let bytes = if let Some(text) = plain_text(key) {
            text
        } else {
            unusual = self.unusual_key(key, find)?;
            unusual.as_slice()
        };
        // One call, so that the operation is inlined here.
        let result = operation(core, bytes);
        if let Some(number) = number_of(bytes) {
            self.end_use(key.py(), number);
        }
        Ok(result)
    }

    /// The bytes of a key that is no plain str; a number among them is pinned.
    #[cold]
    fn unusual_key(&self, key: &Bound<'_, PyAny>, find: Find) -> PyResult<Vec<u8>> {
        if let Some(text) = unusual_text(key)? {
            return Ok(text);
        }
        let number = match find {
            Find::Known => self.keys.find(key)?,
            Find::Make => self.keys.find_or_make(key)?,
        };
        Ok(number_bytes(number).to_vec())
    }

    #[cold]
    fn end_use(&self, py: Python<'_>, number: u64) {
        if number != NOBODY
            && let Some(idle) = self.keys.unpin(number)
        {
            self.release(py, idle);
        }
    }

    /// Forgets a numbered key that has no entry any more.
    fn release(&self, py: Python<'_>, idle: Idle) {
        let key = number_bytes(idle.number());
        // At instant 0 nothing is expired: any entry that is still held counts.
        let start = Instant::from_nanos(0);
        let held = self
            .core()
            .is_ok_and(|core| core.peek(&key, start, |_, _| ()).is_some());
        if !held {
            self.keys.retire(py, idle);
        }
    }

    /// Drops what left the store, out of every lock, with all that stood for it in Python's tables.
    #[inline]
    pub(super) fn bury(&self, py: Python<'_>, evicted: Evicted<Stored>) {
        if evicted.is_empty() {
            return;
        }
        let is_plain = |removed: &Removed<Stored>| {
            number_of(&removed.key).is_none() && removed.value.foreign().is_none()
        };
        if evicted.emptied().is_empty() && evicted.iter().all(is_plain) {
            return drop(evicted);
        }
        self.bury_all(py, evicted);
    }

    #[cold]
    fn bury_all(&self, py: Python<'_>, evicted: Evicted<Stored>) {
        let mut numbers = Vec::new();
        let mut foreigners = Vec::new();
        let emptied = evicted.emptied().to_vec();
        for removed in &evicted {
            numbers.extend(number_of(&removed.key));
            foreigners.extend(removed.value.foreign());
        }
        drop(evicted);
        for number in foreigners {
            drop(self.vault.take(py, number));
        }
        for tag in emptied {
            self.end_unused_record(py, &tag);
        }
        for idle in numbers
            .into_iter()
            .filter_map(|number| self.keys.idle(number))
        {
            self.release(py, idle);
        }
    }

    /// Runs cachelib's own method, which goes through whatever a subclass overrides.
    pub(super) fn call_base<'py>(
        slf: &Bound<'py, Self>,
        method: &str,
        arguments: impl IntoIterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments: Vec<_> = std::iter::once(slf.as_any().clone())
            .chain(arguments)
            .collect();
        let method = BASE_CACHE.get(slf.py())?.getattr(method)?;
        call_function(&method, PyTuple::new(slf.py(), arguments)?)
    }
}
