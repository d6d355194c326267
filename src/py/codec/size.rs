//! How many bytes Python objects take, near enough for a budget and far cheaper than asking each object.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyTuple};

use crate::py::ffi;

/// The collector's header.
const HEADER: usize = 16;

/// A list and its leaves.
pub(super) fn list_size(list: &Bound<'_, PyList>) -> usize {
    let leaves: usize = list.iter().map(|leaf| leaf_size(&leaf)).sum();
    HEADER + 40 + 8 * list.len() + leaves
}

/// A tuple and its leaves.
pub(super) fn tuple_size(tuple: &Bound<'_, PyTuple>) -> usize {
    let leaves: usize = tuple.iter().map(|leaf| leaf_size(&leaf)).sum();
    HEADER + 24 + 8 * tuple.len() + leaves
}

/// A set and its leaves; tables of 8 slots lie within the object, larger ones are at most 3/5 full.
pub(super) fn set_size(set: &Bound<'_, PySet>) -> usize {
    let leaves: usize = set.iter().map(|leaf| leaf_size(&leaf)).sum();
    let table = (set.len() * 5 / 3 + 1).next_power_of_two();
    HEADER + 200 + if table > 8 { 16 * table } else { 0 } + leaves
}

/// A dict, its keys and its leaves; tables have a power of two of slots, two thirds of them usable.
pub(super) fn dict_size(dict: &Bound<'_, PyDict>) -> usize {
    let mut leaves = 0;
    let Ok(_count) = ffi::dict_each(dict, |key, value| {
        leaves += leaf_size(&key) + leaf_size(&value);
        Ok::<_, Infallible>(())
    });
    let slots = (dict.len() * 3 / 2 + 1).next_power_of_two().max(8);
    let index = if slots > 128 { 4 * slots } else { slots };
    HEADER + 48 + 32 + index + slots * 2 / 3 * 24 + leaves
}

/// A leaf, if the tree is alone in holding it (its container and the caller hold it here).
fn leaf_size(leaf: &Bound<'_, PyAny>) -> usize {
    if ffi::reference_count(leaf) > 3 {
        0
    } else if let Ok(text) = leaf.cast_exact::<PyString>() {
        48 + text.to_str().map_or(0, str::len)
    } else if let Ok(bytes) = leaf.cast_exact::<PyBytes>() {
        33 + bytes.as_bytes().len()
    } else if leaf.is_exact_instance_of::<PyInt>() || leaf.is_exact_instance_of::<PyFloat>() {
        32
    } else if let Ok(tuple) = leaf.cast_exact::<PyTuple>() {
        tuple_size(tuple)
    } else {
        64
    }
}
