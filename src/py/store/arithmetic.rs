//! `inc` and `dec`: atomic without a lock around Python code.
//!
//! The value is read with its version, changed out of every lock (`+` may be anybody's code), and put
//! back only if the version is still the same; otherwise it is all done again.

use std::convert::Infallible;

use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::Store;
use super::engine::Find;
use crate::core::{Inserted, Instant, Version, When};
use crate::py::imports::FALLBACK_ARITHMETIC;
use crate::py::settings::Overrides;
use crate::py::value::Stored;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// By how much. None is no number, so it cannot stand for the default.
pub(super) enum Delta<'py> {
    One,
    Given(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Delta<'py> {
    type Error = Infallible;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Self::Given(object.to_owned()))
    }
}

/// The new value.
///
/// Raises what `+` or `-` raise, and what storing the result raises; then the old value stays.
pub(super) fn change<'py>(
    slf: &Bound<'py, Store>,
    key: &Bound<'py, PyAny>,
    delta: Delta<'py>,
    sign: Sign,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    let delta = match delta {
        Delta::One => PyInt::new(py, 1).into_any(),
        Delta::Given(delta) => delta,
    };
    slf.get().settings.ensure(slf)?;
    if slf
        .get()
        .settings
        .overrides()
        .any(Overrides::GET, Overrides::SET)
    {
        let sign = if sign == Sign::Plus { 1 } else { -1 };
        return FALLBACK_ARITHMETIC.get(py)?.call1((slf, key, delta, sign));
    }
    loop {
        if let Some(result) = attempt(slf, key, &delta, sign)? {
            return Ok(result);
        }
        py.check_signals()?;
    }
}

/// One attempt; None if another thread was quicker.
fn attempt<'py>(
    slf: &Bound<'py, Store>,
    key: &Bound<'py, PyAny>,
    delta: &Bound<'py, PyAny>,
    sign: Sign,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (this, py) = (slf.get(), slf.py());
    let now = this.settings.clock.now(slf.as_any())?;
    let found = this.with_key(key, Find::Known, |core, key| {
        let (found, evicted) = core.read_versioned(key, now, |stored| stored.share(py));
        this.bury(py, evicted);
        found
    })?;
    let (old, version) = match found {
        Some((stored, version)) => (Store::decode(slf, stored)?, Some(version)),
        None => (None, None),
    };
    // A stored None counts as 0, like a missing value.
    let zero = || PyInt::new(py, 0).into_any();
    let old = old.filter(|old| !old.is_none()).unwrap_or_else(zero);
    let new = if sign == Sign::Plus {
        old.add(delta)?
    } else {
        old.sub(delta)?
    };
    Ok(store(slf, key, &new, version, now)?.then_some(new))
}

/// Puts the result back. An entry that was there keeps the lifetime it has left.
fn store(
    slf: &Bound<'_, Store>,
    key: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
    version: Option<Version>,
    now: Instant,
) -> PyResult<bool> {
    let Some(version) = version else {
        return Store::put(slf, key, new, None, When::IfAbsent);
    };
    let (this, py) = (slf.get(), slf.py());
    let stored: Stored = Store::encode(slf, new)?;
    let foreign = stored.foreign();
    let replaced = this.with_key(key, Find::Make, |core, key| {
        let Inserted { stored, evicted } = core.replace(key, version, stored, now);
        this.bury(py, evicted);
        stored
    });
    this.forget_unused(py, foreign, &replaced);
    replaced
}
