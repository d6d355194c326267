//! What the store holds for a Python object, and the way there and back.
//!
//! An entry holds only what cannot reach back to the cache, so the collector never needs to look into
//! the store: immutable objects, bytes, and private trees of both.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::codec::container::Copied;
use super::codec::response::Snapshot;
use super::codec::{immutable, pickle};
use super::prototypes::Budget;
use super::weight::{TABLE, bytes_weight, object_weight};

/// A stored value. Cloning the handle bumps one reference count, which is all that happens under a lock.
pub(super) enum Stored {
    /// An immutable object, returned by reference.
    Shared(Py<PyAny>),
    /// A tree of exact containers over immutable leaves; every hit gets its own.
    Copied(Arc<Copied>),
    /// A response; every hit gets its own.
    Response(Arc<Snapshot>),
    /// Anything else that pickle takes.
    Pickled(Py<PyBytes>),
    /// What a custom serializer's `dumps` returned, when that is exact bytes or str.
    Serialized(Py<PyAny>),
    /// What a custom serializer's `dumps` returned otherwise: kept in the vault under this number.
    Foreign(u64),
}

impl Stored {
    /// Another handle to the same stored value.
    #[inline]
    pub(super) fn share(&self, py: Python<'_>) -> Self {
        match self {
            Self::Shared(object) => Self::Shared(object.clone_ref(py)),
            Self::Copied(copied) => Self::Copied(Arc::clone(copied)),
            Self::Response(snapshot) => Self::Response(Arc::clone(snapshot)),
            Self::Pickled(bytes) => Self::Pickled(bytes.clone_ref(py)),
            Self::Serialized(object) => Self::Serialized(object.clone_ref(py)),
            Self::Foreign(number) => Self::Foreign(*number),
        }
    }

    /// What it takes, in bytes; an object in the vault takes more than is known here.
    #[inline]
    pub(super) fn weight(&self, py: Python<'_>) -> PyResult<usize> {
        match self {
            Self::Shared(object) => object_weight(object.bind(py)),
            stored => stored.unshared_weight(py),
        }
    }

    fn unshared_weight(&self, py: Python<'_>) -> PyResult<usize> {
        match self {
            Self::Shared(object) | Self::Serialized(object) => object_weight(object.bind(py)),
            Self::Copied(copied) => copied.weight(py),
            Self::Response(snapshot) => snapshot.weight(py),
            Self::Pickled(bytes) => Ok(bytes_weight(bytes.bind(py))),
            Self::Foreign(_) => Ok(TABLE),
        }
    }

    /// The vault's number for what is stored, if it is there.
    pub(super) const fn foreign(&self) -> Option<u64> {
        match self {
            Self::Foreign(number) => Some(*number),
            _ => None,
        }
    }
}

/// Turns a value into what is stored, by the default codec.
///
/// Raises what pickle raises for a value that is none of our own kinds and cannot be pickled.
#[inline]
pub(super) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Stored> {
    if value.is_exact_instance_of::<PyString>() || immutable::is_immutable(value)? {
        return Ok(Stored::Shared(value.clone().unbind()));
    }
    if let Some(copied) = Copied::encode(value)? {
        return Ok(Stored::Copied(Arc::new(copied)));
    }
    if let Some(snapshot) = Snapshot::encode(value)? {
        return Ok(Stored::Response(Arc::new(snapshot)));
    }
    pickle::encode(value).map(Stored::Pickled)
}

/// The caller's own value, from what is stored by the default codec.
///
/// Raises what unpickling raises. A custom serializer's values are not for here: they come back as stored.
#[inline]
pub(super) fn decode<'py>(
    py: Python<'py>,
    stored: Stored,
    budget: &Arc<Budget>,
) -> PyResult<Bound<'py, PyAny>> {
    match stored {
        Stored::Shared(object) | Stored::Serialized(object) => Ok(object.into_bound(py)),
        Stored::Copied(copied) => Copied::decode(&copied, py, budget),
        Stored::Response(snapshot) => snapshot.decode(py, budget),
        Stored::Pickled(bytes) => pickle::decode(bytes.bind(py)),
        Stored::Foreign(number) => Ok(number.into_pyobject(py)?.into_any()),
    }
}
