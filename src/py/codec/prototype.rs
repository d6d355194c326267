//! A private tree of Python containers that is copied natively for each hit: what is hot pays memory for speed.
//!
//! Each node keeps a container whose immutable items are in place and whose inner containers are blanked
//! out (None); a copy is the container's own shallow copy with fresh inner copies put in. The blanked
//! containers hold nothing that could reach back, so they are taken out of the collector's sight.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

use super::size::{dict_size, list_size, set_size, tuple_size};
use crate::py::ffi;
use crate::py::once::intern;

/// One container of the tree, and the containers within it by position or key.
pub(super) enum Node {
    List {
        blank: Py<PyList>,
        inner: Box<[(usize, Node)]>,
    },
    Dict {
        blank: Py<PyDict>,
        inner: Box<[(Py<PyAny>, Node)]>,
    },
    Set {
        blank: Py<PySet>,
    },
    /// Never without a container in it: a tuple of leaves is a leaf.
    Tuple {
        blank: Py<PyTuple>,
        inner: Box<[(usize, Node)]>,
    },
}

impl Node {
    /// Takes a freshly decoded plain tree apart, which must be nobody else's; None for a leaf.
    pub(super) fn take_apart(value: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            Self::from_dict(dict).map(Some)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            Self::from_list(list).map(Some)
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            Self::from_tuple(tuple)
        } else if let Ok(set) = value.cast_exact::<PySet>() {
            ffi::untrack(set);
            let blank = set.clone().unbind();
            Ok(Some(Self::Set { blank }))
        } else {
            Ok(None)
        }
    }

    fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let py = dict.py();
        let mut inner = Vec::new();
        ffi::dict_each(dict, |key, value| {
            if let Some(node) = Self::take_apart(&value)? {
                inner.push((key.unbind(), node));
            }
            Ok::<_, PyErr>(())
        })?;
        for (key, _) in &inner {
            dict.set_item(key.bind(py), py.None())?;
        }
        ffi::untrack(dict);
        Ok(Self::Dict {
            blank: dict.clone().unbind(),
            inner: inner.into_boxed_slice(),
        })
    }

    fn from_list(list: &Bound<'_, PyList>) -> PyResult<Self> {
        let py = list.py();
        let mut inner = Vec::new();
        for (index, item) in list.iter().enumerate() {
            if let Some(node) = Self::take_apart(&item)? {
                list.set_item(index, py.None())?;
                inner.push((index, node));
            }
        }
        ffi::untrack(list);
        Ok(Self::List {
            blank: list.clone().unbind(),
            inner: inner.into_boxed_slice(),
        })
    }

    fn from_tuple(tuple: &Bound<'_, PyTuple>) -> PyResult<Option<Self>> {
        let py = tuple.py();
        let mut inner = Vec::new();
        let mut items = Vec::with_capacity(tuple.len());
        for (index, item) in tuple.iter().enumerate() {
            if let Some(node) = Self::take_apart(&item)? {
                inner.push((index, node));
                items.push(py.None().into_bound(py));
            } else {
                items.push(item);
            }
        }
        let inner = inner.into_boxed_slice();
        if inner.is_empty() {
            ffi::untrack(tuple);
            return Ok(None);
        }
        let blank = PyTuple::new(py, items)?;
        ffi::untrack(&blank);
        let blank = blank.unbind();
        Ok(Some(Self::Tuple { blank, inner }))
    }

    /// A tree of the caller's own. Raises `MemoryError`, or what the hash of a leaf raises.
    pub(super) fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Dict { blank, inner } => copy_dict(blank.bind(py), inner),
            Self::List { blank, inner } => copy_list(blank.bind(py), inner),
            Self::Tuple { blank, inner } => copy_tuple(blank.bind(py), inner),
            Self::Set { blank } => blank.bind(py).call_method0(intern!(py, "copy")),
        }
    }

    /// What the tree takes, in bytes: nodes, containers, and the leaves that it alone holds.
    pub(super) fn size(&self, py: Python<'_>) -> usize {
        let own = match self {
            Self::Dict { blank, .. } => dict_size(blank.bind(py)),
            Self::List { blank, .. } => list_size(blank.bind(py)),
            Self::Tuple { blank, .. } => tuple_size(blank.bind(py)),
            Self::Set { blank } => set_size(blank.bind(py)),
        };
        let inner: usize = match self {
            Self::Dict { inner, .. } => inner.iter().map(|(_, child)| child.size(py)).sum(),
            Self::List { inner, .. } | Self::Tuple { inner, .. } => {
                inner.iter().map(|(_, child)| child.size(py)).sum()
            }
            Self::Set { .. } => 0,
        };
        size_of::<Self>() + own + inner
    }
}

fn copy_dict<'py>(
    blank: &Bound<'py, PyDict>,
    inner: &[(Py<PyAny>, Node)],
) -> PyResult<Bound<'py, PyAny>> {
    let py = blank.py();
    let copy = blank.copy()?;
    for (key, child) in inner {
        copy.set_item(key.bind(py), child.copy(py)?)?;
    }
    if dicts_are_always_tracked(py) {
        ffi::ensure_tracked(&copy);
    }
    Ok(copy.into_any())
}

fn copy_list<'py>(
    blank: &Bound<'py, PyList>,
    inner: &[(usize, Node)],
) -> PyResult<Bound<'py, PyAny>> {
    let py = blank.py();
    if inner.len() == blank.len() {
        return Ok(ffi::list_with(py, inner.len(), |index| inner[index].1.copy(py))?.into_any());
    }
    let copy = blank.get_slice(0, blank.len());
    for (index, child) in inner {
        copy.set_item(*index, child.copy(py)?)?;
    }
    Ok(copy.into_any())
}

fn copy_tuple<'py>(
    blank: &Bound<'py, PyTuple>,
    inner: &[(usize, Node)],
) -> PyResult<Bound<'py, PyAny>> {
    let py = blank.py();
    let mut items: Vec<_> = blank.iter().collect();
    for (index, child) in inner {
        items[*index] = child.copy(py)?;
    }
    Ok(PyTuple::new(py, items)?.into_any())
}

/// Up to 3.13 a dict comes under the collector's eyes when the first container is put in; from 3.14 on
/// it is there from birth, and a copy takes after the blank, which is not.
fn dicts_are_always_tracked(py: Python<'_>) -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| py.version_info() >= (3, 14))
}
