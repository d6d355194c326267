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
use super::put::Terms;
use crate::core::{Version, When};
use crate::py::daemon::call_function;
use crate::py::imports::FALLBACK_ARITHMETIC;
use crate::py::jitter::random;
use crate::py::settings::Overrides;
use crate::py::value::Stored;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// How often it is tried before the result is stored in any case, as if it were new. Other threads
/// never win so often in a row; a value whose own code writes the key at each attempt does.
const MOST_ATTEMPTS: u32 = 1000;
/// The longest time to stand back for, as a power of two: 2^10 turns are some 20 microseconds.
const LONGEST: u32 = 10;

/// What to do.
struct By<'py> {
    delta: Bound<'py, PyAny>,
    sign: Sign,
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
    if slf.get().overrides(Overrides::GET, Overrides::SET) {
        let sign = if sign == Sign::Plus { 1 } else { -1 };
        return call_function(FALLBACK_ARITHMETIC.get(py)?, (slf, key, delta, sign));
    }
    let by = By { delta, sign };
    for attempts in 1..MOST_ATTEMPTS {
        if let Some(result) = attempt(slf, key, &by, false)? {
            return Ok(result);
        }
        py.check_signals()?;
        stand_back(attempts);
    }
    let result = attempt(slf, key, &by, true)?;
    Ok(result.unwrap_or_else(|| py.None().into_bound(py)))
}

/// Lets others go first: the longer the oftener they were quicker, and at random, so that with any number of
/// threads at once each has its turn.
fn stand_back(attempts: u32) {
    let most = 1 << attempts.min(LONGEST);
    for _ in 0..random() % most {
        std::hint::spin_loop();
    }
}

/// One attempt; None if another thread was quicker. The last one wins in any case.
fn attempt<'py>(
    slf: &Bound<'py, Store>,
    key: &Bound<'py, PyAny>,
    by: &By<'py>,
    last: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (old, version) = match read(slf, key)? {
        Some((stored, version)) => (Store::decode(slf, stored)?, Some(version)),
        None => (None, None),
    };
    // A stored None counts as 0, like a missing value.
    let zero = || PyInt::new(slf.py(), 0).into_any();
    let old = old.filter(|old| !old.is_none()).unwrap_or_else(zero);
    let new = match by.sign {
        Sign::Plus => old.add(&by.delta)?,
        Sign::Minus => old.sub(&by.delta)?,
    };
    Ok(store(slf, key, &new, version, last)?.then_some(new))
}

/// What is stored, counted as a read, and its version.
fn read(slf: &Bound<'_, Store>, key: &Bound<'_, PyAny>) -> PyResult<Option<(Stored, Version)>> {
    let (this, py) = (slf.get(), slf.py());
    let now = this.settings.clock.now(slf.as_any())?;
    this.with_key(key, Find::Known, |core, key| {
        let (found, evicted) = core.read_versioned(key, now, |stored| stored.share(py));
        this.bury(py, evicted);
        found
    })
}

/// Puts the result back. An entry that was there keeps the lifetime it has left.
fn store(
    slf: &Bound<'_, Store>,
    key: &Bound<'_, PyAny>,
    new: &Bound<'_, PyAny>,
    version: Option<Version>,
    last: bool,
) -> PyResult<bool> {
    let Some(version) = version.filter(|_| !last) else {
        let when = if last { When::Always } else { When::IfAbsent };
        let placed = Store::put(slf, key, new, Terms::plain(when))?;
        return Ok(placed.stored || placed.refused);
    };
    let (this, py) = (slf.get(), slf.py());
    let stored = Store::encode(slf, new)?;
    let unclaimed = this.vault.hold(py, stored.foreign());
    let weight = this.weigh(key, &stored)?;
    let now = this.settings.clock.now(slf.as_any())?;
    let replaced = this.with_key(key, Find::Make, |core, key| {
        this.settle(py, core.replace(key, version, (stored, weight), now))
    })?;
    unclaimed.settle(replaced.stored);
    if replaced.refused {
        Store::tell_refused(slf, key, weight)?;
    }
    Ok(replaced.stored || replaced.refused)
}
