//! Everything that has no better way: pickle, at its highest protocol, as SimpleCache does.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::py::daemon::call_python;
use crate::py::imports::{PICKLE_DUMPS, PICKLE_LOADS, PICKLE_PROTOCOL};
use crate::py::once::intern;

/// Pickles a value.
///
/// Raises what pickle raises (`PicklingError`, `TypeError`, `AttributeError`, `RecursionError`, or anything
/// from the value's own `__reduce__`), with a note that says what it means for the cache.
pub(in crate::py) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Py<PyBytes>> {
    let py = value.py();
    let protocol = PICKLE_PROTOCOL.get(py)?;
    let dumps = PICKLE_DUMPS.get(py)?;
    let args = (value, protocol).into_pyobject(py)?;
    let pickled = call_python(dumps, &args, None).map_err(|error| with_note(value, error))?;
    Ok(pickled.cast_into::<PyBytes>()?.unbind())
}

/// Unpickles a value. Raises what unpickling raises.
pub(in crate::py) fn decode<'py>(pickled: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
    let loads = PICKLE_LOADS.get(pickled.py())?;
    let args = (pickled,).into_pyobject(pickled.py())?;
    call_python(loads, &args, None)
}

/// What a note of ours begins with.
const NOTE: &str = "flask-rustcache";

/// Adds to an exception what the caller can do about it. The exception stays what it was.
fn with_note(value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = value.py();
    // KeyboardInterrupt and the like say nothing of the value.
    if !error.is_instance_of::<PyException>(py) || is_noted(&error, py) {
        return error;
    }
    let class = value.get_type().fully_qualified_name();
    let class = class.map_or_else(|_| String::from("value"), |name| name.to_string());
    let note = format!(
        "{NOTE}: this {class} cannot be pickled, so it was not stored and the key's old value stays; \
         cache plain data (or set CACHE_SERIALIZER), or leave it uncached"
    );
    // Without the note the exception is still the right one.
    let _ = error
        .value(py)
        .call_method1(intern!(py, "add_note"), (note,));
    error
}

/// Is there one already? Some exceptions are raised again and again, one object.
fn is_noted(error: &PyErr, py: Python<'_>) -> bool {
    let notes = error.value(py).getattr(intern!(py, "__notes__"));
    let notes: Vec<String> = notes.and_then(|notes| notes.extract()).unwrap_or_default();
    notes.iter().any(|note| note.starts_with(NOTE))
}
