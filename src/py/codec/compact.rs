//! The compact form of a container tree: one byte string, and references to leaves that live elsewhere anyway.
//!
//! A value is a tag byte and its payload; numbers are LEB128 varints. It is read back in one pass, and
//! a tree of str, bytes and usual numbers takes no more memory than in pickle's form. Rarer leaves (dates,
//! Decimal, UUID, frozensets, tuples as keys, ints beyond 64 bits) stay the objects that they are. An object
//! that occurs twice in a tree is *kept* by number at its first occurrence and referred to by that number
//! afterwards, so shared references and cycles come back as they were (the idea of pickle's memo, but only for
//! objects that have a second reference at all).

mod decode;
mod encode;

use pyo3::prelude::*;

pub(super) use encode::encode;

use crate::py::weight::object_weight;

/// How deep containers may nest; deeper trees go to pickle, which raises where it must.
pub(super) const MAX_DEPTH: usize = 100;

/// A tree of exact containers over immutable leaves, without a container of Python's.
pub(super) struct Compact {
    bytes: Box<[u8]>,
    leaves: Box<[Py<PyAny>]>,
    /// How many objects are referred to by number.
    kept: u32,
    /// A container occurs more than once (or within itself), other than a tuple without containers in it.
    aliased: bool,
}

impl Compact {
    /// A tree of the caller's own.
    pub(super) fn decode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        decode::Decoder::new(self, py).root()
    }

    /// What it takes, in bytes.
    pub(super) fn weight(&self, py: Python<'_>) -> PyResult<usize> {
        let own = self.bytes.len() + size_of_val::<[Py<PyAny>]>(&self.leaves);
        self.leaves.iter().try_fold(own, |sum, leaf| {
            Ok(sum.saturating_add(object_weight(leaf.bind(py))?))
        })
    }

    /// Is each container that matters reached by one way only? Then copying node by node keeps the tree's shape.
    pub(super) const fn is_plain_tree(&self) -> bool {
        !self.aliased
    }
}

/// Tag bytes. From [`tag::SMALL`] on, the byte itself is a whole number from 0 to 127.
mod tag {
    pub(super) const NONE: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const FLOAT: u8 = 4;
    pub(super) const STR: u8 = 5;
    pub(super) const BYTES: u8 = 6;
    pub(super) const LEAF: u8 = 7;
    pub(super) const BACK: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const TUPLE: u8 = 10;
    pub(super) const DICT: u8 = 11;
    pub(super) const SET: u8 = 12;
    /// Added to a tag: the object is kept under the next number.
    pub(super) const KEEP: u8 = 0x40;
    pub(super) const SMALL: u8 = 0x80;
}
