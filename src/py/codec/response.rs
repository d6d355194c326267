//! Responses: status, headers and body as a tree of plain data; every hit gets a response of its own.
//!
//! What is rebuilt is what unpickling would rebuild, attribute by attribute. Anything unusual about a response
//! (a subclass, a stream, a file, a close callback, an attribute that is no plain data) leaves it to pickle.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::container::Copied;
use crate::py::imports::{CACHED_RESPONSE, FLASK_RESPONSE, HEADERS, Imported, WERKZEUG_RESPONSE};
use crate::py::once::intern;
use crate::py::prototypes::Budget;
use crate::py::weight::counted;

/// The classes whose instances are nothing but their attributes.
static CLASSES: [&Imported; 3] = [&FLASK_RESPONSE, &CACHED_RESPONSE, &WERKZEUG_RESPONSE];

/// A stored response.
pub(in crate::py) struct Snapshot {
    class: &'static Imported,
    /// The response's attributes, with the headers as a list of pairs.
    state: Arc<Copied>,
}

impl Snapshot {
    /// The stored form of a response; None if the value is none, or an unusual one.
    pub(in crate::py) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let Some(class) = class_of(value)? else {
            return Ok(None);
        };
        let Some(state) = plain_state(value)? else {
            return Ok(None);
        };
        let state = Copied::encode(state.as_any())?;
        Ok(state.map(|state| Self {
            class,
            state: Arc::new(state),
        }))
    }

    /// What it takes, in bytes, without a prototype.
    pub(in crate::py) fn weight(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.state.weight(py)?.saturating_add(counted::<Self>()))
    }

    /// A response of the caller's own. Raises what rebuilding its parts raises.
    pub(in crate::py) fn decode<'py>(
        &self,
        py: Python<'py>,
        budget: &Arc<Budget>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let state = Copied::decode(&self.state, py, budget)?.cast_into::<PyDict>()?;
        let key = intern!(py, "headers");
        let headers = bare(HEADERS.get(py)?)?;
        headers.setattr(intern!(py, "_list"), state.get_item(key)?)?;
        state.set_item(key, headers)?;
        let response = bare(self.class.get(py)?)?;
        response.setattr(intern!(py, "__dict__"), state)?;
        Ok(response)
    }
}

fn class_of(value: &Bound<'_, PyAny>) -> PyResult<Option<&'static Imported>> {
    let class = value.get_type();
    // Spares nearly all values three comparisons.
    if !class.name()?.to_cow()?.ends_with("Response") {
        return Ok(None);
    }
    for known in CLASSES {
        if known.is(&class)? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// The response's attributes in a dict of our own, headers as their list; None if the headers are unusual.
fn plain_state<'py>(response: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = response.py();
    let state = attributes(response)?.copy()?;
    let Some(headers) = state.get_item(intern!(py, "headers"))? else {
        return Ok(None);
    };
    if !HEADERS.is(&headers.get_type())? || attributes(&headers)?.len() != 1 {
        return Ok(None);
    }
    let list = headers.getattr(intern!(py, "_list"))?;
    if !list.is_exact_instance_of::<PyList>() {
        return Ok(None);
    }
    state.set_item(intern!(py, "headers"), list)?;
    Ok(Some(state))
}

fn attributes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    Ok(object
        .getattr(intern!(object.py(), "__dict__"))?
        .cast_into::<PyDict>()?)
}

/// An instance whose `__init__` has not run.
fn bare<'py>(class: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    class.call_method1(intern!(class.py(), "__new__"), (class,))
}
