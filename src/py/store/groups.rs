//! What is removed together, by a tag or by what keys begin with, and lifetimes without values.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Store;
use super::engine::Find;
use super::inspect::seconds_left;
use super::tags::name_of;
use crate::core::{Evicted, RemovalCause};
use crate::py::errors::Error;
use crate::py::key::text_bytes;

/// Above what every str begins with, and not above a key that is none.
const AFTER_TEXT: u8 = 0xff;

/// How many entries went that had not expired before.
fn live<V>(gone: &Evicted<V>) -> usize {
    let live = |cause| cause == RemovalCause::Explicit;
    gone.iter().filter(|removed| live(removed.cause)).count()
}

/// One str, and no more than one.
fn text<'a, 'py>(
    what: &'static str,
    given: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyString>> {
    match given.cast::<PyString>() {
        Ok(text) => Ok(text),
        Err(_) => Err(Error::Text(what, given.get_type().name()?.to_string()).into()),
    }
}

/// Removes all entries that carry a user's tag; how many went.
pub(super) fn delete_tag(slf: &Bound<'_, Store>, tag: &Bound<'_, PyAny>) -> PyResult<usize> {
    let (now, tag) = (Store::begin(slf)?, name_of(text("tag", tag)?)?);
    let gone = slf.get().core()?.remove_tag(&tag, now);
    let count = live(&gone);
    slf.get().bury(slf.py(), gone);
    Ok(count)
}

/// Removes all entries, and version records, with str keys that begin so; how many went.
pub(super) fn delete_prefix(slf: &Bound<'_, Store>, prefix: &Bound<'_, PyAny>) -> PyResult<usize> {
    let (this, py, now) = (slf.get(), slf.py(), Store::begin(slf)?);
    let from = text_bytes(text("prefix", prefix)?)?;
    let to = after(&from);
    // What goes along with a record is not counted.
    let leaving = this.records.begin_leaving();
    let records = this.remove_records_between((&from, &to), now);
    let gone = this.core()?.remove_between(&from, &to, now);
    let count = records.as_ref().map_or(0, live) + live(&gone);
    if let Some(records) = records {
        this.bury_records(py, records, now);
    }
    drop(leaving);
    this.bury(py, gone);
    Ok(count)
}

/// The first bytes after all that begin with these. A str's never end in the last byte that there is.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut after = prefix.to_vec();
    match after.last_mut() {
        Some(last) => *last += 1,
        None => after.push(AFTER_TEXT),
    }
    after
}

/// Seconds left; None = for ever.
///
/// Raises `KeyError` if there is no live entry.
pub(super) fn ttl(slf: &Bound<'_, Store>, key: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    let (this, now) = (slf.get(), Store::begin(slf)?);
    let lifetime = this.with_key(key, Find::Known, |core, key| {
        let (lifetime, evicted) = core.lifetime(key, now);
        this.bury(slf.py(), evicted);
        lifetime
    })?;
    if let Some(lifetime) = lifetime {
        return Ok(seconds_left(lifetime.stale_until, now));
    }
    match this.record_entry(key, now) {
        Some((left, ..)) => Ok(left),
        None => Err(PyKeyError::new_err((key.clone().unbind(),))),
    }
}

/// Gives an entry a new lifetime; false if there is none.
pub(super) fn touch(
    slf: &Bound<'_, Store>,
    key: &Bound<'_, PyAny>,
    timeout: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let this = slf.get();
    this.settings.ensure(slf)?;
    let given = this.settings.timeout(slf, timeout)?;
    let now = Store::begin(slf)?;
    let Some(lifetime) = this.jitter.shorten(given).lifetime(now) else {
        return Store::remove(slf, key, now);
    };
    let found = this.with_key(key, Find::Known, |core, key| {
        let (found, evicted) = core.touch(key, lifetime, now);
        this.bury(slf.py(), evicted);
        found
    })?;
    Ok(found || Store::touch_version(slf, key, timeout)?)
}
