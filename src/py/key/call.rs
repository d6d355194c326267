//! The byte form of a call's arguments: typed and length-prefixed, so that no two different calls look the same,
//! delimiters in arguments included.
//!
//! It tells apart whatever Flask-Caching's own key may tell apart, and more (`f(1)` and `f(a=1)`), and stands
//! for nothing but the way to that key. Objects of other types count by their `repr`, as in that key.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};

use super::buffer::Buffer;
use crate::py::daemon::call_function;
use crate::py::ffi;
use crate::py::imports::REPR;
use crate::py::once::intern;

/// Tuples in tuples deeper than this count by their `repr`.
const DEEPEST: usize = 8;

/// What of a function's parameters matters to the key of a call.
#[derive(FromPyObject, Default)]
pub(in crate::py) struct Shape {
    /// Does a key depend on nothing of the function that may change, but what is written with the call?
    pub(in crate::py) is_all: bool,
    /// May its defaults change? Then they are written with each call.
    pub(in crate::py) has_changing_defaults: bool,
    /// Is the first one `self` or `cls`? That counts by its `__caching_id__`.
    has_owner: bool,
    /// Positions and names of those that do not count.
    ignored_positions: Vec<usize>,
    ignored_names: Vec<String>,
}

impl Shape {
    /// All count, and nothing else does.
    pub(in crate::py) const fn easy(has_owner: bool) -> Self {
        Self {
            is_all: true,
            has_changing_defaults: false,
            has_owner,
            ignored_positions: Vec::new(),
            ignored_names: Vec::new(),
        }
    }

    /// Does one of the two easy shapes say all about it, and which?
    pub(in crate::py) const fn is_easy(&self) -> Option<bool> {
        let none = self.ignored_positions.is_empty() && self.ignored_names.is_empty();
        if self.is_all && !self.has_changing_defaults && none {
            Some(self.has_owner)
        } else {
            None
        }
    }
}

/// Writes a call's arguments.
///
/// Raises what `repr` and `__caching_id__` raise, and for texts that are no UTF-8.
#[inline]
pub(in crate::py) fn write_call(
    to: &mut Buffer,
    (shape, scoped): (&Shape, bool),
    args: &Bound<'_, PyTuple>,
    kwargs: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    for (position, value) in args.iter_borrowed().enumerate() {
        if position == 0 && shape.has_owner {
            // Within a scope, that stands for the owner. A plain value is none, but an argument of that name.
            if !scoped {
                write_owner(to, &value)?;
            } else if is_plain(&value) {
                write(to, &value, 0)?;
            } else {
                to.push(b"O");
            }
        } else if shape.ignored_positions.contains(&position) {
            to.push(b"_");
        } else {
            write(to, &value, 0)?;
        }
    }
    let Some(kwargs) = kwargs else {
        return Ok(());
    };
    // Not by pyo3's iterator, which panics if a `repr` finds the dict and changes it.
    ffi::dict_each(kwargs, |name, value| {
        let name = name.cast::<PyString>()?.to_str()?;
        to.push(b"=");
        to.push_sized(name.as_bytes());
        if shape.ignored_names.iter().any(|ignored| ignored == name) {
            to.push(b"_");
        } else {
            write(to, &value, 0)?;
        }
        Ok::<_, PyErr>(())
    })?;
    Ok(())
}

/// Writes what a function's defaults are just now; raises what their `repr` raises.
pub(in crate::py) fn write_defaults(to: &mut Buffer, function: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = function.py();
    to.push(b"D");
    write(to, &function.getattr(intern!(py, "__defaults__"))?, 0)?;
    let named = function.getattr(intern!(py, "__kwdefaults__"))?;
    let Ok(named) = named.cast_exact::<PyDict>() else {
        return Ok(());
    };
    ffi::dict_each(named, |name, value| {
        to.push_sized(name.cast::<PyString>()?.to_str()?.as_bytes());
        write(to, &value, 0)
    })?;
    Ok(())
}

/// What a method's entries belong to: what Flask-Caching's `get_id` makes a text of.
fn write_owner(to: &mut Buffer, owner: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = owner.py();
    to.push(b"S");
    let identify = owner.getattr_opt(intern!(py, "__caching_id__"))?;
    if let Some(identify) = identify.filter(|identify| !identify.is_none()) {
        return write_text_of(to, &call_function(&identify, ())?);
    }
    write_repr(to, owner)
}

/// A value, and the text that it has just now.
fn write_text_of(to: &mut Buffer, value: &Bound<'_, PyAny>) -> PyResult<()> {
    to.push_sized(value.str()?.to_str()?.as_bytes());
    write(to, value, 0)
}

/// A value of a type that counts by itself, wherever it stands.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBytes>()
}

fn write(to: &mut Buffer, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    if let Ok(text) = value.cast_exact::<PyString>()
        && let Ok(text) = text.to_str()
    {
        to.push(b"s");
        to.push_sized(text.as_bytes());
    } else if value.is_exact_instance_of::<PyInt>()
        && let Ok(number) = value.extract::<i64>()
    {
        to.push(b"i");
        to.push(&number.to_le_bytes());
    } else if value.is_none() {
        to.push(b"N");
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        to.push(if truth.is_true() { b"T" } else { b"F" });
    } else if let Ok(float) = value.cast_exact::<PyFloat>() {
        to.push(b"f");
        to.push(&float.value().to_bits().to_le_bytes());
    } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        to.push(b"b");
        to.push_sized(bytes.as_bytes());
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>()
        && depth < DEEPEST
    {
        to.push(b"t");
        to.push(&tuple.len().to_le_bytes());
        for item in tuple.iter_borrowed() {
            write(to, &item, depth + 1)?;
        }
    } else {
        write_repr(to, value)?;
    }
    Ok(())
}

/// An object by its type and its `repr`.
fn write_repr(to: &mut Buffer, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let class = value.get_type();
    to.push(b"R");
    to.push_sized(class.module()?.to_str()?.as_bytes());
    to.push_sized(class.qualname()?.to_str()?.as_bytes());
    let shown = call_function(REPR.get(value.py())?, (value,))?;
    to.push_sized(shown.cast::<PyString>()?.to_str()?.as_bytes());
    Ok(())
}
