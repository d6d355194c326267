//! The bounds; bytes: what an entry takes, and what comes of one that would take more than the whole store may.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Store;
use super::inspect::purge_expired;
use crate::core::sync::Ordering;
use crate::core::{self, Inserted, StoreConfig};
use crate::py::daemon::call_function;
use crate::py::errors::Error;
use crate::py::ffi;
use crate::py::imports::{self, REFUSED};
use crate::py::key::is_text;
use crate::py::value::Stored;
use crate::py::weight::{TABLE, object_weight};

/// No allocation is larger, whatever a `__sizeof__` says: so there is room for what the core adds.
const MOST: usize = isize::MAX.cast_unsigned();

/// What came of a value.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) stored: bool,
    /// It is not, as it would take more than the whole store may; or nobody wants what a fill made any more.
    pub(super) refused: bool,
}

impl Placed {
    /// Whatever it was, it was not too large.
    pub(super) const fn known(stored: bool) -> Self {
        Self {
            stored,
            refused: false,
        }
    }
}

impl Store {
    /// What a value takes, with what its key takes beside its bytes.
    ///
    /// Raises what interrupts the caller in a `__sizeof__`.
    #[inline]
    pub(super) fn weight_of(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        stored: &Stored,
    ) -> PyResult<usize> {
        match Self::plain_weight(key, stored) {
            Some(weight) => Ok(weight),
            None => slf.get().weigh(key, stored),
        }
    }

    /// The same of a str under a str, if it is easily told.
    #[inline]
    pub(super) fn plain_weight(key: &Bound<'_, PyAny>, stored: &Stored) -> Option<usize> {
        let Stored::Shared(object) = stored else {
            return None;
        };
        let text = object.bind(key.py()).cast_exact::<PyString>().ok()?;
        if !key.is_exact_instance_of::<PyString>() {
            return None;
        }
        ffi::ascii_size(text)
    }

    #[inline(never)]
    pub(super) fn weigh(&self, key: &Bound<'_, PyAny>, stored: &Stored) -> PyResult<usize> {
        let weight = stored.weight(key.py())?;
        let number = stored.foreign();
        if number.is_none() && key.is_exact_instance_of::<PyString>() {
            return Ok(weight);
        }
        self.weigh_elsewhere(key, number)
            .map(|more| more.saturating_add(weight))
    }

    /// What is in Python's tables: a key that is not there by its text, an object of a custom serializer's.
    #[cold]
    fn weigh_elsewhere(&self, key: &Bound<'_, PyAny>, number: Option<u64>) -> PyResult<usize> {
        let mut weight = 0_usize;
        if !is_text(key)? {
            weight = object_weight(key)?.saturating_add(TABLE);
        }
        if let Some(number) = number
            && let Some(object) = self.vault.get(key.py(), number)?
        {
            weight = weight.saturating_add(object_weight(&object)?);
        }
        Ok(weight.min(MOST))
    }

    /// Drops what an insertion leaves, out of every lock; what came of it.
    #[inline]
    pub(super) fn settle(&self, py: Python<'_>, inserted: Inserted<Stored>) -> Placed {
        let Inserted {
            stored,
            refused,
            evicted,
        } = inserted;
        self.bury(py, evicted);
        Placed { stored, refused }
    }

    /// Logs, once for this store, that a value was too large for it.
    #[cold]
    pub(super) fn tell_refused(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        weight: usize,
    ) -> PyResult<()> {
        let this = slf.get();
        if this.told_refused.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let max_bytes = this.core()?.max_weight();
        call_function(REFUSED.get(slf.py())?, (key, weight, max_bytes))?;
        Ok(())
    }

    /// Makes the store, with these bounds on entries and bytes; or empties it, and sets them anew.
    pub(super) fn configure(
        slf: &Bound<'_, Self>,
        (max_entries, max_bytes): (usize, usize),
        shards: usize,
        prototype_bytes: usize,
    ) -> PyResult<()> {
        imports::import_all(slf.py())?;
        let this = slf.get();
        this.budget.set_limit(prototype_bytes);
        let made = core::Store::new(StoreConfig {
            max_entries,
            max_weight: max_bytes,
            shards,
        })
        .map_err(Error::from)?;
        if this.core.set(made).is_err() {
            Self::clear(slf)?;
            Self::bound_entries(slf, max_entries)?;
            Self::bound_bytes(slf, max_bytes)?;
        }
        Ok(())
    }

    /// Sets the bound on entries; what has expired goes before others do.
    pub(super) fn bound_entries(slf: &Bound<'_, Self>, max_entries: usize) -> PyResult<()> {
        let (this, py) = (slf.get(), slf.py());
        let core = this.core()?;
        // While it is empty the time is not asked for: whose it goes by is up to its first call. A clock that fails knows
        // of nothing that has expired.
        if core.stats().entries > 0
            && let Err(error) = purge_expired(slf)
            && !error.is_instance_of::<PyException>(py)
        {
            return Err(error);
        }
        this.bury(py, core.set_max_entries(max_entries).map_err(Error::from)?);
        Ok(())
    }

    /// Sets the bound in bytes; `usize::MAX` is none.
    pub(super) fn bound_bytes(slf: &Bound<'_, Self>, max_bytes: usize) -> PyResult<()> {
        let this = slf.get();
        let evicted = this
            .core()?
            .set_max_weight(max_bytes)
            .map_err(Error::from)?;
        this.bury(slf.py(), evicted);
        Ok(())
    }
}
