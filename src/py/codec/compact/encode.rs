//! Python objects to the compact form. No Python code runs here, so nothing changes under our hands
//! but by the collector's finalisers, which is noticed, and on free-threaded builds by other threads. There each
//! container's items are taken out at one moment, under its lock, and then looked at: a lock is given up
//! wherever another one has to be waited for.

use std::collections::HashMap;

use ahash::RandomState;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyTuple};

use super::{Compact, MAX_DEPTH, tag};
use crate::py::codec::immutable;
use crate::py::ffi;
use crate::py::once::intern;

/// Longer str and bytes are kept by reference: the object's header is small beside them, and a hit
/// need not copy them.
const INLINE_BYTES: usize = 256;

/// A str with more references than this is taken to live as long as the program (a literal, an interned
/// key): a reference to it costs 8 bytes and no time.
const COMMON: isize = 8;

/// References to an object that occurs once: its container's and our own.
const SINGLE: isize = 2;

/// How often a value is read that changes while it is read.
const MOST_READINGS: usize = 8;

/// Why a value has no compact form.
enum Stop {
    /// Something in it is of no kind of ours: pickle may take it.
    Unsupported,
    /// It changed while it was read: it is not stored half.
    Changed,
    /// Python raised.
    Raised(PyErr),
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// The compact form of a list, dict, set or tuple; None if it holds what only pickle can store.
pub(in crate::py::codec) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Option<Compact>> {
    for _ in 0..MOST_READINGS {
        let mut encoder = Encoder::default();
        match encoder.container(value, MAX_DEPTH, true) {
            Ok(()) => return Ok(Some(encoder.finish())),
            Err(Stop::Unsupported) => return Ok(None),
            Err(Stop::Changed) => {}
            Err(Stop::Raised(error)) => return Err(error),
        }
    }
    // It never stands still: pickle decides.
    Ok(None)
}

/// Where an object that was met before stands.
#[derive(Clone, Copy)]
enum Met {
    /// Under this number. Not flat: a mutable container, or a tuple with containers in it.
    Kept { number: u32, flat: bool },
    /// A tuple whose items are still being written: a cycle through it has no form here.
    Unfinished,
}

#[derive(Default)]
struct Encoder<'py> {
    bytes: Vec<u8>,
    leaves: Vec<Bound<'py, PyAny>>,
    leaf_numbers: HashMap<usize, usize, RandomState>,
    met: HashMap<usize, Met, RandomState>,
    /// Holds what `met` knows by address, so that no address is used again meanwhile.
    held: Vec<Bound<'py, PyAny>>,
    kept: u32,
    aliased: bool,
    /// Containers so far.
    containers: usize,
}

impl<'py> Encoder<'py> {
    fn finish(self) -> Compact {
        Compact {
            bytes: self.bytes.into_boxed_slice(),
            leaves: self.leaves.into_iter().map(Bound::unbind).collect(),
            kept: self.kept,
            aliased: self.aliased,
        }
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, depth: usize) -> Result<(), Stop> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text);
        } else if let Ok(int) = value.cast_exact::<PyInt>() {
            self.int(int);
        } else if value.is_none() {
            self.bytes.push(tag::NONE);
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            self.bytes.push(if truth.is_true() {
                tag::TRUE
            } else {
                tag::FALSE
            });
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.bytes.push(tag::FLOAT);
            self.bytes.extend_from_slice(&float.value().to_le_bytes());
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            self.byte_string(bytes);
        } else {
            return self.container(value, depth, false);
        }
        Ok(())
    }

    /// A list, dict, set or tuple, or a rarer leaf.
    fn container(
        &mut self,
        value: &Bound<'py, PyAny>,
        depth: usize,
        root: bool,
    ) -> Result<(), Stop> {
        if self.back_reference(value)? || self.known_leaf(value) {
            return Ok(());
        }
        let depth = depth.checked_sub(1).ok_or(Stop::Unsupported)?;
        // A root may be referred to from within itself however few references it seems to have.
        let keep = root || ffi::reference_count(value) > SINGLE;
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict, depth, keep)
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list, depth, keep)
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.tuple(tuple, depth, keep)
        } else if let Ok(set) = value.cast_exact::<PySet>() {
            self.set(set, keep)
        } else if !root && immutable::is_leaf(value, depth)? {
            self.leaf(value);
            Ok(())
        } else {
            Err(Stop::Unsupported)
        }
    }

    fn list(&mut self, list: &Bound<'py, PyList>, depth: usize, keep: bool) -> Result<(), Stop> {
        if ffi::FREE_THREADED {
            let items = ffi::list_items(list);
            self.begin(list, tag::LIST, items.len(), keep);
            return items.iter().try_for_each(|item| self.value(item, depth));
        }
        let len = list.len();
        self.begin(list, tag::LIST, len, keep);
        for index in 0..len {
            let item = list.get_item(index).map_err(|_| Stop::Changed)?;
            self.value(&item, depth)?;
        }
        same_length(list.len(), len)
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, depth: usize, keep: bool) -> Result<(), Stop> {
        if ffi::FREE_THREADED {
            let items = ffi::dict_items(dict);
            self.begin(dict, tag::DICT, items.len(), keep);
            return items
                .iter()
                .try_for_each(|(key, value)| self.item(key, value, depth));
        }
        let len = dict.len();
        self.begin(dict, tag::DICT, len, keep);
        let count = ffi::dict_each(dict, |key, value| self.item(&key, &value, depth))?;
        same_length(len, count)?;
        same_length(dict.len(), len)
    }

    fn item(
        &mut self,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        depth: usize,
    ) -> Result<(), Stop> {
        self.hashable(key, depth)?;
        self.value(value, depth)
    }

    fn set(&mut self, set: &Bound<'py, PySet>, keep: bool) -> Result<(), Stop> {
        let mut items = set.as_any().clone();
        if ffi::FREE_THREADED {
            items = items.call_method0(intern!(set.py(), "copy"))?;
        }
        let (len, mut count) = (items.len()?, 0);
        self.begin(set, tag::SET, len, keep);
        for item in items.try_iter()? {
            // An iterator over a set raises where the set's length changes, and nowhere else.
            let item = item.map_err(|_| Stop::Changed)?;
            self.hashable(&item, MAX_DEPTH)?;
            count += 1;
        }
        same_length(len, count)?;
        same_length(items.len()?, len)
    }

    /// A tuple is numbered once it is complete, as it cannot be made before its items are.
    fn tuple(&mut self, tuple: &Bound<'py, PyTuple>, depth: usize, keep: bool) -> Result<(), Stop> {
        self.tag(tag::TUPLE, keep);
        self.number(tuple.len());
        if keep {
            self.met.insert(address(tuple), Met::Unfinished);
        }
        self.containers += 1;
        let before = self.containers;
        for item in tuple.iter() {
            self.value(&item, depth)?;
        }
        if keep {
            self.keep(tuple, self.containers == before);
        }
        Ok(())
    }

    /// A dict's key or a set's item: immutable, or the tree could not be rebuilt without its code.
    fn hashable(&mut self, item: &Bound<'py, PyAny>, depth: usize) -> Result<(), Stop> {
        if immutable::is_scalar(item) {
            return self.value(item, depth);
        }
        if self.known_leaf(item) {
            return Ok(());
        }
        if immutable::is_leaf(item, depth)? {
            self.leaf(item);
            return Ok(());
        }
        Err(Stop::Unsupported)
    }

    fn text(&mut self, text: &Bound<'py, PyString>) {
        let references = ffi::reference_count(text);
        // Asking a long str that is no ASCII for its UTF-8 would make it keep that, too.
        let large = references > COMMON || text.len().is_ok_and(|len| len >= INLINE_BYTES);
        if large {
            return self.leaf(text);
        }
        match text.to_str() {
            Ok(utf8) => self.inline(text, tag::STR, utf8.as_bytes(), references > SINGLE),
            // Lone surrogates have no UTF-8.
            Err(_) => self.leaf(text),
        }
    }

    fn byte_string(&mut self, bytes: &Bound<'py, PyBytes>) {
        let content = bytes.as_bytes();
        if content.len() >= INLINE_BYTES {
            self.leaf(bytes);
        } else {
            self.inline(
                bytes,
                tag::BYTES,
                content,
                ffi::reference_count(bytes) > SINGLE,
            );
        }
    }

    fn inline(&mut self, object: &Bound<'py, PyAny>, tag: u8, content: &[u8], keep: bool) {
        if let Some(Met::Kept { number, .. }) = self.met.get(&address(object)).copied() {
            return self.back(number);
        }
        self.tag(tag, keep);
        self.number(content.len());
        self.bytes.extend_from_slice(content);
        if keep {
            self.keep(object, true);
        }
    }

    fn int(&mut self, int: &Bound<'py, PyInt>) {
        match int.extract::<i64>() {
            Ok(number) => match u8::try_from(number) {
                Ok(small) if small < tag::SMALL => self.bytes.push(tag::SMALL | small),
                _ => {
                    self.bytes.push(tag::INT);
                    self.varint(((number << 1) ^ (number >> 63)).cast_unsigned());
                }
            },
            // Beyond 64 bits.
            Err(_) => self.leaf(int),
        }
    }

    /// A reference to an immutable object, counted once however often it occurs.
    fn leaf(&mut self, object: &Bound<'py, PyAny>) {
        let next = self.leaves.len();
        let number = *self.leaf_numbers.entry(address(object)).or_insert(next);
        if number == next {
            self.leaves.push(object.clone());
        }
        self.bytes.push(tag::LEAF);
        self.number(number);
    }

    /// Writes a leaf that was written before; false if this is the first time. What is known to be a leaf is
    /// not looked through again: a large tuple may be a key in many dicts.
    fn known_leaf(&mut self, object: &Bound<'py, PyAny>) -> bool {
        let known = self.leaf_numbers.contains_key(&address(object));
        if known {
            self.leaf(object);
        }
        known
    }

    /// Writes a reference to an object that was met before; false if this is the first time.
    fn back_reference(&mut self, object: &Bound<'py, PyAny>) -> Result<bool, Stop> {
        match self.met.get(&address(object)).copied() {
            None => Ok(false),
            Some(Met::Unfinished) => Err(Stop::Unsupported),
            Some(Met::Kept { number, flat }) => {
                self.aliased |= !flat;
                self.back(number);
                Ok(true)
            }
        }
    }

    fn back(&mut self, number: u32) {
        self.bytes.push(tag::BACK);
        self.varint(u64::from(number));
    }

    /// The head of a container that exists, empty, before its items do.
    fn begin(&mut self, container: &Bound<'py, PyAny>, tag: u8, len: usize, keep: bool) {
        self.containers += 1;
        self.tag(tag, keep);
        self.number(len);
        if keep {
            self.keep(container, false);
        }
    }

    fn keep(&mut self, object: &Bound<'py, PyAny>, flat: bool) {
        let number = self.kept;
        self.met.insert(address(object), Met::Kept { number, flat });
        self.held.push(object.clone());
        self.kept += 1;
    }

    fn tag(&mut self, tag: u8, keep: bool) {
        self.bytes.push(if keep { tag | tag::KEEP } else { tag });
    }

    fn number(&mut self, number: usize) {
        self.varint(number as u64);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "seven bits at a time are what is wanted"
    )]
    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

fn address<T>(object: &Bound<'_, T>) -> usize {
    object.as_ptr() as usize
}

fn same_length(now: usize, read: usize) -> Result<(), Stop> {
    if now == read {
        Ok(())
    } else {
        Err(Stop::Changed)
    }
}
