//! Values that are shared by reference: exact types that nobody can change and that cannot reach back.

use std::collections::HashSet;

use ahash::RandomState;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDate, PyDateTime, PyDelta, PyFloat, PyFrozenSet, PyInt, PyString,
    PyTime, PyTuple, PyTzInfo, PyTzInfoAccess,
};

use crate::py::ffi;
use crate::py::imports::{DECIMAL, MARKUP, SAFE_UUID, TIMEZONE, UTC, UUID};
use crate::py::once::intern;

/// How deep tuples and frozensets may nest and still be shared; deeper ones are pickled.
const MAX_DEPTH: usize = 64;

/// May every caller be given this very object?
pub(in crate::py) fn is_immutable(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    is_leaf(value, MAX_DEPTH)
}

/// The same for a part of a tree that may nest `depth` levels more.
#[inline]
pub(super) fn is_leaf(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
    Ok(is_scalar(value) || Check::default().unusual(value, depth)?)
}

/// One look through a value. Containers that occur more than once are looked through once: a few tuples
/// that hold each other twice would otherwise take for ever.
#[derive(Default)]
struct Check {
    passed: HashSet<usize, RandomState>,
}

impl Check {
    fn leaf(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
        Ok(is_scalar(value) || self.unusual(value, depth)?)
    }

    fn unusual(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return self.frozen(value, tuple.iter(), depth);
        }
        if let Ok(set) = value.cast_exact::<PyFrozenSet>() {
            return self.frozen(value, set.iter(), depth);
        }
        let immutable = is_object(value)?;
        if immutable {
            // A UUID or Markup holds nothing but numbers and text.
            ffi::untrack(value);
        }
        Ok(immutable)
    }

    /// A tuple or frozenset of leaves. It cannot be part of a cycle, so the collector is spared it (as it
    /// does with tuples itself, when it comes across them).
    fn frozen<'py>(
        &mut self,
        container: &Bound<'py, PyAny>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: usize,
    ) -> PyResult<bool> {
        let address = container.as_ptr() as usize;
        if self.passed.contains(&address) {
            return Ok(true);
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(false);
        };
        for item in items {
            if !self.leaf(&item, depth)? {
                return Ok(false);
            }
        }
        // Its container holds it, and this call; with no other reference it cannot occur again.
        if ffi::reference_count(container) > 2 {
            self.passed.insert(address);
        }
        ffi::untrack(container);
        Ok(true)
    }
}

/// The types of nearly all leaves.
#[inline]
pub(super) fn is_scalar(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_none()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBytes>()
        || value.is_exact_instance_of::<PyComplex>()
}

fn is_object(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_exact_instance_of::<PyDate>() || value.is_exact_instance_of::<PyDelta>() {
        return Ok(true);
    }
    if let Ok(datetime) = value.cast_exact::<PyDateTime>() {
        return has_plain_zone(datetime);
    }
    if let Ok(time) = value.cast_exact::<PyTime>() {
        return has_plain_zone(time);
    }
    let class = value.get_type();
    if UUID.is(&class)? {
        return has_plain_parts(value);
    }
    Ok(DECIMAL.is(&class)? || MARKUP.is(&class)?)
}

/// A `UUID` takes any object for its two parts.
fn has_plain_parts(uuid: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = uuid.py();
    let number = uuid.getattr(intern!(py, "int"))?;
    let safety = uuid.getattr(intern!(py, "is_safe"))?;
    Ok(number.is_exact_instance_of::<PyInt>() && SAFE_UUID.is(&safety.get_type())?)
}

/// No zone, or one of the standard library's fixed offsets: others are objects of unknown code.
fn has_plain_zone<'py>(moment: &impl PyTzInfoAccess<'py>) -> PyResult<bool> {
    match moment.get_tzinfo() {
        None => Ok(true),
        Some(zone) if UTC.is(&zone)? => Ok(true),
        Some(zone) => is_plain_offset(&zone),
    }
}

/// A `timezone`, and not one made of instances of subclasses.
fn is_plain_offset(zone: &Bound<'_, PyTzInfo>) -> PyResult<bool> {
    let py = zone.py();
    if !TIMEZONE.is(&zone.get_type())? {
        return Ok(false);
    }
    let offset = zone.call_method1(intern!(py, "utcoffset"), (py.None(),))?;
    let name = zone.call_method1(intern!(py, "tzname"), (py.None(),))?;
    Ok(offset.is_exact_instance_of::<PyDelta>() && name.is_exact_instance_of::<PyString>())
}
