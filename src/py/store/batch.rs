//! The verbs that store, and those for many keys: one native call, unless a subclass overrides what they are
//! made of.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::Store;
use super::put::Terms;
use super::tags::names_given;
use crate::core::When;
use crate::py::daemon::{call_function, call_method};
use crate::py::errors::Error;
use crate::py::imports::{FALLBACK_ADD, FALLBACK_SET_MANY};
use crate::py::once::intern;
use crate::py::settings::Overrides;

/// `get_many`: a value or None for each key.
pub(super) fn get_many<'py>(
    slf: &Bound<'py, Store>,
    keys: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let now = Store::begin(slf)?;
    if slf.get().overrides(Overrides::GET, Overrides::GET) {
        return Store::call_base(slf, "get_many", keys.iter());
    }
    let py = slf.py();
    // Not straight into a list: a key's code could find it half made.
    let values: Vec<_> = keys
        .iter()
        .map(|key| Store::look_up(slf, &key, now))
        .collect::<PyResult<_>>()?;
    Ok(PyList::new(py, values)?.into_any())
}

/// `get_dict`: the same as a dict.
pub(super) fn get_dict<'py>(
    slf: &Bound<'py, Store>,
    keys: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let now = Store::begin(slf)?;
    if slf.get().overrides(Overrides::GET, Overrides::GET_MANY) {
        return Store::call_base(slf, "get_dict", keys.iter());
    }
    let found = PyDict::new(slf.py());
    for key in keys {
        let value = Store::look_up(slf, &key, now)?;
        found.set_item(key, value)?;
    }
    Ok(found.into_any())
}

/// `set`: true, unless the value is larger than the whole store may be.
#[inline]
pub(super) fn set(
    slf: &Bound<'_, Store>,
    (key, value): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    timeout: Option<&Bound<'_, PyAny>>,
    tags: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    slf.get().settings.ensure(slf)?;
    let tags = names_given(tags)?;
    let terms = Terms {
        timeout,
        tags: &tags,
        when: When::Always,
    };
    Store::put(slf, key, value, terms).map(|placed| !placed.refused)
}

/// `add`: was it stored?
pub(super) fn add(
    slf: &Bound<'_, Store>,
    (key, value): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    timeout: Option<&Bound<'_, PyAny>>,
    tags: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let this = slf.get();
    this.settings.ensure(slf)?;
    if this.overrides(Overrides::HAS, Overrides::SET) {
        let arguments = (slf, key, value, timeout, tags);
        return call_function(FALLBACK_ADD.get(slf.py())?, arguments)?.extract();
    }
    let tags = names_given(tags)?;
    let terms = Terms {
        timeout,
        tags: &tags,
        when: When::IfAbsent,
    };
    Store::put(slf, key, value, terms).map(|placed| placed.stored)
}

/// `set_many`: the keys that were stored, which is all but those of values that are too large.
pub(super) fn set_many<'py>(
    slf: &Bound<'py, Store>,
    mapping: &Bound<'py, PyAny>,
    timeout: Option<&Bound<'py, PyAny>>,
    tags: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = slf.py();
    slf.get().settings.ensure(slf)?;
    if slf.get().overrides(Overrides::SET, Overrides::SET) {
        return call_function(FALLBACK_SET_MANY.get(py)?, (slf, mapping, timeout, tags));
    }
    let tags = names_given(tags)?;
    let terms = Terms {
        timeout,
        tags: &tags,
        when: When::Always,
    };
    let stored = PyList::empty(py);
    for item in call_method(mapping, intern!(py, "items"), ())?.try_iter()? {
        let (key, value) = pair(&item?)?;
        let placed = Store::put(slf, &key, &value, terms)?;
        if !placed.refused {
            stored.append(key)?;
        }
    }
    Ok(stored.into_any())
}

/// Anything that unpacks into two.
fn pair<'py>(item: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    if let Ok(pair) = item.extract() {
        return Ok(pair);
    }
    let parts: Vec<_> = item.try_iter()?.take(3).collect::<PyResult<_>>()?;
    let parts: [_; 2] = parts.try_into().map_err(|_| Error::Pair)?;
    Ok(parts.into())
}

/// `delete_many`: the keys that are absent afterwards, which is all of them.
pub(super) fn delete_many<'py>(
    slf: &Bound<'py, Store>,
    keys: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let now = Store::begin(slf)?;
    if slf.get().overrides(Overrides::DELETE, Overrides::HAS) {
        return Store::call_base(slf, "delete_many", keys.iter());
    }
    for key in keys {
        Store::remove(slf, &key, now)?;
    }
    Ok(PyList::new(slf.py(), keys.iter())?.into_any())
}
