//! What stored values take in memory, in bytes: the account that `CACHE_MAX_BYTES` is held to.
//!
//! What the codec holds natively counts to the byte; Python objects count with what `sys.getsizeof` says of them
//! and, in tuples and frozensets, of what they hold. An object that lives elsewhere, too, counts in full in each entry
//! that holds it, as it may be the last one to do so. None, True and False take nothing.

use std::collections::HashSet;

use ahash::RandomState;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyFrozenSet, PyInt, PyString, PyTuple};

use super::daemon::call_function;
use super::ffi;
use super::imports::{GETSIZEOF, UUID};
use crate::py::once::intern;

/// What reference counting adds to a value that is not of Python's making: two counts.
const COUNTS: usize = 16;
/// What a table in Python takes for an object: two slots that may be half empty, a number, our own index.
pub(super) const TABLE: usize = 256;
/// The most that an object can take, whatever its `__sizeof__` says: what a process can address. A few thousand
/// such lies add up to no overflow.
const MOST: usize = 1 << 47;

/// A native part of a value that is shared by reference counting.
pub(super) const fn counted<T>() -> usize {
    COUNTS + size_of::<T>()
}

/// What an object takes, with what it holds if it is a tuple or a frozenset. However large it says it is: the
/// sum saturates.
#[inline]
pub(super) fn object_weight(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    if let Ok(text) = object.cast_exact::<PyString>()
        && let Some(size) = ffi::ascii_size(text)
    {
        return Ok(size);
    }
    unusual_weight(object)
}

fn unusual_weight(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    match scalar_weight(object) {
        Some(weight) => Ok(weight),
        None => Weigher::default().weigh(object),
    }
}

/// The same for what nearly all leaves are; None for others.
#[inline]
fn scalar_weight(object: &Bound<'_, PyAny>) -> Option<usize> {
    if let Ok(text) = object.cast_exact::<PyString>() {
        return ffi::ascii_size(text);
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Some(bytes_weight(bytes));
    }
    if let Ok(int) = object.cast_exact::<PyInt>() {
        let digits = match int.extract::<i64>().ok()?.unsigned_abs() {
            0..=0x3fff_ffff => 1,
            0x4000_0000..=0x0fff_ffff_ffff_ffff => 2,
            _ => 3,
        };
        // Of 30 bits each.
        return Some(ffi::INT_HEADER + 4 * digits);
    }
    if object.is_exact_instance_of::<PyFloat>() {
        return Some(ffi::FLOAT_SIZE);
    }
    (object.is_none() || object.is_exact_instance_of::<PyBool>()).then_some(0)
}

/// What bytes take.
pub(super) fn bytes_weight(bytes: &Bound<'_, PyBytes>) -> usize {
    // Their object has a byte for the zero at the end already, and is padded.
    ffi::BYTES_HEADER + bytes.as_bytes().len()
}

/// One way through an object. What occurs twice in it counts once (and takes no more time). A list of what is left
/// takes the place of recursion: a key, or what a serializer returned, may nest deeper than the stack is.
#[derive(Default)]
struct Weigher<'py> {
    weight: usize,
    met: HashSet<usize, RandomState>,
    rest: Vec<Bound<'py, PyAny>>,
}

impl<'py> Weigher<'py> {
    fn weigh(mut self, object: &Bound<'py, PyAny>) -> PyResult<usize> {
        self.add(object.clone());
        while let Some(object) = self.rest.pop() {
            self.count(size_of_object(&object)?);
            if let Ok(tuple) = object.cast_exact::<PyTuple>() {
                tuple.iter().for_each(|item| self.add(item));
            } else if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
                set.iter().for_each(|item| self.add(item));
            } else if UUID.is(&object.get_type())? {
                self.add(object.getattr(intern!(object.py(), "int"))?);
            }
        }
        Ok(self.weight)
    }

    /// Counts an object, at once or later.
    fn add(&mut self, object: Bound<'py, PyAny>) {
        // Its container holds it, and this call; with no other reference it cannot occur again.
        if ffi::reference_count(&object) > 2 && !self.met.insert(object.as_ptr() as usize) {
            return;
        }
        match scalar_weight(&object) {
            Some(weight) => self.count(weight),
            None => self.rest.push(object),
        }
    }

    fn count(&mut self, weight: usize) {
        self.weight = self.weight.saturating_add(weight);
    }
}

/// What `sys.getsizeof` says, at most [`MOST`]. A `__sizeof__` that fails is told of, and weighs nothing.
fn size_of_object(object: &Bound<'_, PyAny>) -> PyResult<usize> {
    let py = object.py();
    let size = call_function(GETSIZEOF.get(py)?, (object,));
    match size.and_then(|size| size.extract()) {
        Err(error) if error.is_instance_of::<PyException>(py) => {
            error.write_unraisable(py, Some(object));
            Ok(0)
        }
        other => Ok(MOST.min(other?)),
    }
}
