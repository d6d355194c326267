//! Everything that has no better way: pickle, at its highest protocol, as SimpleCache does.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::py::imports::{PICKLE_DUMPS, PICKLE_LOADS, PICKLE_PROTOCOL};

/// Pickles a value.
///
/// Raises what pickle raises (`PicklingError`, `TypeError`, `AttributeError`, `RecursionError`, or anything
/// from the value's own `__reduce__`), with a note that says what it means for the cache.
pub(in crate::py) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Py<PyBytes>> {
    let py = value.py();
    let protocol = PICKLE_PROTOCOL.get(py)?;
    let pickled = PICKLE_DUMPS
        .get(py)?
        .call1((value, protocol))
        .map_err(|error| with_note(value, error))?;
    Ok(pickled.cast_into::<PyBytes>()?.unbind())
}

/// Unpickles a value. Raises what unpickling raises.
pub(in crate::py) fn decode<'py>(pickled: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    PICKLE_LOADS.get(pickled.py())?.call1((pickled,))
}

/// Adds to an exception what the caller can do about it. The exception stays what it was.
fn with_note(value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = value.py();
    let class = value
        .get_type()
        .fully_qualified_name()
        .map_or_else(|_| String::from("an unknown type"), |name| name.to_string());
    let note = format!(
        "flask-rustcache: this {class} cannot be pickled, so it was not stored and the key's old value \
         stays; cache plain data (or set CACHE_SERIALIZER), or leave it uncached"
    );
    // Without the note the exception is still the right one.
    let _ = error
        .value(py)
        .call_method1(intern!(py, "add_note"), (note,));
    error
}
