//! Looking into a store without changing what it holds.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::Store;
use super::engine::Find;
use crate::core::sync::Ordering;
use crate::core::{Evicted, Instant};
use crate::py::key::{number_of, text_object};
use crate::py::value::Stored;

/// Seconds left (None = for ever), is the object what a serializer made of the value, the object.
pub(super) type Entry<'py> = (Option<f64>, bool, Bound<'py, PyAny>);

/// How many live entries there are.
pub(super) fn len(slf: &Bound<'_, Store>) -> PyResult<usize> {
    let now = Store::begin(slf)?;
    slf.get().purge_records(slf.py(), now);
    let (len, evicted) = slf.get().core()?.len(now);
    slf.get().bury(slf.py(), evicted);
    Ok(len + slf.get().records.len(now))
}

/// Lets every expired entry go; how many went.
pub(super) fn purge_expired(slf: &Bound<'_, Store>) -> PyResult<usize> {
    let now = Store::begin(slf)?;
    let evicted: Evicted<Stored> = slf.get().core()?.purge_expired(now);
    let count = evicted.len();
    slf.get().bury(slf.py(), evicted);
    // Last: with a record goes whatever it has, expired or not, and uncounted.
    slf.get().purge_records(slf.py(), now);
    Ok(count)
}

/// The counters (see `core::Stats` for what moves them), true now.
pub(super) fn stats<'py>(slf: &Bound<'py, Store>) -> PyResult<Bound<'py, PyDict>> {
    purge_expired(slf)?;
    let this = slf.get();
    let core = this.core()?.stats();
    let stats = PyDict::new(slf.py());
    stats.set_item("entries", core.entries)?;
    stats.set_item("bytes", core.weight)?;
    let max_bytes = this.core()?.max_weight();
    let limit = if max_bytes == usize::MAX {
        0
    } else {
        max_bytes
    };
    stats.set_item("bytes_limit", limit)?;
    stats.set_item("records", this.records.len(Store::begin(slf)?))?;
    stats.set_item("hits", core.hits)?;
    stats.set_item("misses", core.misses)?;
    stats.set_item("insertions", core.insertions)?;
    stats.set_item("replacements", core.replacements)?;
    stats.set_item("evictions", core.evictions)?;
    stats.set_item("evictions_by_bytes", core.evictions_by_weight)?;
    stats.set_item("refusals", core.refusals)?;
    stats.set_item("expirations", core.expirations)?;
    stats.set_item("removals", core.removals)?;
    stats.set_item("coalesced", this.coalesced.load(Ordering::Relaxed))?;
    stats.set_item("prototype_bytes", this.budget.used())?;
    stats.set_item("prototype_bytes_limit", this.budget.limit())?;
    Ok(stats)
}

/// The keys of the live entries, as they were at some moment of the call.
pub(super) fn keys<'py>(slf: &Bound<'py, Store>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let (this, py) = (slf.get(), slf.py());
    let now = Store::begin(slf)?;
    this.purge_records(py, now);
    let mut keys = Vec::new();
    for key in this.core()?.keys(now) {
        match number_of(&key) {
            None => keys.push(text_object(py, &key)?),
            // A key that was forgotten meanwhile is no key any more.
            Some(number) => keys.extend(this.keys.key_of(py, number)?),
        }
    }
    for key in this.records.keys(now) {
        keys.push(text_object(py, &key)?);
    }
    Ok(keys)
}

/// What is stored under a key, without counting it as a hit.
pub(super) fn entry<'py>(
    slf: &Bound<'py, Store>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Entry<'py>>> {
    let (this, py) = (slf.get(), slf.py());
    let now = Store::begin(slf)?;
    let found = this.with_key(key, Find::Known, |core, key| {
        core.peek(key, now, |stored, lifetime| {
            (stored.share(py), lifetime.stale_until)
        })
    })?;
    let Some((stored, deadline)) = found else {
        return Ok(this.record_entry(key, now));
    };
    let left = seconds_left(deadline, now);
    Ok(match stored {
        Stored::Serialized(object) => Some((left, true, object.into_bound(py))),
        Stored::Pickled(bytes) => Some((left, true, bytes.into_bound(py).into_any())),
        Stored::Foreign(number) => this
            .vault
            .get(py, number)?
            .map(|object| (left, true, object)),
        stored => Store::decode(slf, stored)?.map(|object| (left, false, object)),
    })
}

/// None = for ever.
#[expect(
    clippy::cast_precision_loss,
    reason = "a time to look at; nothing is decided by it"
)]
pub(super) fn seconds_left(deadline: Instant, now: Instant) -> Option<f64> {
    let left = deadline.as_nanos().saturating_sub(now.as_nanos());
    (deadline != Instant::NEVER).then(|| left as f64 / 1e9)
}
