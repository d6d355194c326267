//! What the verbs are made of: the way of a key and a value into the core and out of it.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

use super::Store;
use super::tags::TagName;
use super::weight::Placed;
use crate::core::{self, Evicted, Instant, Offer, When};
use crate::py::clock::{self, Source};
use crate::py::daemon::call_function;
use crate::py::ffi;
use crate::py::flight::fill_to_store_for;
use crate::py::imports::BASE_CACHE;
use crate::py::key::table::{Idle, NOBODY};
use crate::py::key::{number_bytes, number_of, plain_text, unusual_text};
use crate::py::once::intern;
use crate::py::value::{self, Stored};

/// What to do for a key that is no str and has no number yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Find {
    /// Nothing: the core is asked for a number that nobody has.
    Known,
    /// Give it one.
    Make,
}

/// On what terms a value is stored.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a, 'py> {
    pub(super) timeout: Option<&'a Bound<'py, PyAny>>,
    /// What a user wants it to be let go by.
    pub(super) tags: &'a [TagName],
    pub(super) when: When,
}

impl Terms<'_, '_> {
    /// A value for the default time, with no tags.
    pub(super) const fn plain(when: When) -> Self {
        Self {
            timeout: None,
            tags: &[],
            when,
        }
    }
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
            drop(Self::begin(slf));
        }
        ffi::set_attribute(slf.as_any(), name, value)?;
        this.settings.expect_clock();
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

    /// What is stored for a value, by the store's serializer.
    #[inline]
    pub(super) fn encode(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        let this = slf.get();
        if !this.settings.custom_serializer(slf)? {
            return value::encode(value);
        }
        let py = slf.py();
        let serializer = slf.getattr(intern!(py, "serializer"))?;
        let dumps = serializer.getattr(intern!(py, "dumps"))?;
        let dumped = call_function(&dumps, (value,))?;
        if dumped.is_exact_instance_of::<PyBytes>() || dumped.is_exact_instance_of::<PyString>() {
            return Ok(Stored::Serialized(dumped.unbind()));
        }
        this.vault.put(&dumped).map(Stored::Foreign)
    }

    /// Stores a value, or says why not.
    #[inline]
    pub(super) fn put(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        terms: Terms<'_, '_>,
    ) -> PyResult<Placed> {
        let (this, py, when) = (slf.get(), slf.py(), terms.when);
        let timeout = this.settings.timeout(slf, terms.timeout)?;
        let stored = Self::encode(slf, value).inspect_err(|error| mark_unstorable(py, error))?;
        let unclaimed = this.vault.hold(py, stored.foreign());
        let now = this.settings.clock.now(slf.as_any())?;
        let Some(lifetime) = timeout.lifetime(now) else {
            return Self::put_dead(slf, key, now, when).map(Placed::known);
        };
        let has_records = this.records.get().is_some();
        if has_records && let Some(stored) = Self::put_version(slf, key, value, (lifetime, when))? {
            return Ok(Placed::known(stored));
        }
        let weight = match Self::plain_weight(key, &stored) {
            Some(weight) => weight,
            None => this.weigh(key, &stored)?,
        };
        // A record lives no shorter than what was asked for: its entries go with it.
        let jittered = this.jitter.shorten(timeout).lifetime(now);
        let lifetime = jittered.unwrap_or(lifetime);
        // A value that was long in the making may not be wanted any more; a condition of its own comes first.
        let fill = if when == When::Always {
            fill_to_store_for(py)?
        } else {
            None
        };
        let placed = this.with_key(key, Find::Make, |core, key| {
            let claim = fill
                .as_ref()
                .and_then(|fill| fill.get().claim(this.number, key));
            let records = if has_records && claim.is_none() {
                this.records.of_entry(key)
            } else {
                Vec::new()
            };
            let offer = |value, tags| Offer {
                value,
                weight,
                lifetime,
                when,
                tags,
            };
            if claim.is_none() && records.is_empty() && terms.tags.is_empty() {
                return this.settle(py, core.put(key, offer(stored, &[]), now));
            }
            let tags: Vec<&[u8]> = records
                .iter()
                .chain(terms.tags)
                .map(AsRef::as_ref)
                .collect();
            let offer = offer(stored, &tags);
            let inserted = match claim {
                None => core.put(key, offer, now),
                Some(claim) => claim.insert(core, key, offer, now),
            };
            this.settle(py, inserted)
        })?;
        unclaimed.settle(placed.stored);
        if placed.refused {
            Self::tell_refused(slf, key, weight)?;
        }
        Ok(placed)
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
            When::Always | When::IfTicket(_) => Self::remove(slf, key, now).map(|_| true),
            When::IfAbsent => Self::has(slf, key).map(|found| !found),
        }
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
        if !evicted.is_empty() {
            self.bury_all(py, evicted);
        }
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

/// Tells the decorators that the value is to blame, and not the backend. What cannot be told is not.
fn mark_unstorable(py: Python<'_>, error: &PyErr) {
    drop(error.value(py).setattr(intern!(py, UNSTORABLE), true));
}

/// See [`mark_unstorable`]; read in `_decorated.py`.
const UNSTORABLE: &str = "_flask_rustcache_unstorable";
