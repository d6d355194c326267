//! The compact form back to Python objects, in one pass.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyTuple};

use super::{Compact, tag};
use crate::py::errors::Error;
use crate::py::ffi;

/// Reads one tree. Raises `MemoryError`, what hashing a key raises, or our own error for corrupt bytes.
pub(super) struct Decoder<'a, 'py> {
    py: Python<'py>,
    bytes: &'a [u8],
    leaves: &'a [Py<PyAny>],
    kept: Vec<Bound<'py, PyAny>>,
}

impl<'a, 'py> Decoder<'a, 'py> {
    pub(super) fn new(compact: &'a Compact, py: Python<'py>) -> Self {
        let kept = Vec::with_capacity(compact.kept as usize);
        Self {
            py,
            bytes: &compact.bytes,
            leaves: &compact.leaves,
            kept,
        }
    }

    pub(super) fn root(mut self) -> PyResult<Bound<'py, PyAny>> {
        self.value()
    }

    fn value(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let head = self.byte()?;
        if head >= tag::SMALL {
            return Ok(PyInt::new(self.py, head & 0x7f).into_any());
        }
        let keep = head & tag::KEEP != 0;
        match head & !tag::KEEP {
            tag::LEAF => self.leaf(),
            tag::STR => self.text(keep),
            tag::INT => Ok(PyInt::new(self.py, unzigzag(self.varint()?)).into_any()),
            tag::FLOAT => self.float(),
            tag::NONE => Ok(self.py.None().into_bound(self.py)),
            tag::TRUE => Ok(true.into_pyobject(self.py)?.to_owned().into_any()),
            tag::FALSE => Ok(false.into_pyobject(self.py)?.to_owned().into_any()),
            tag::DICT => self.dict(keep),
            tag::LIST => self.list(keep),
            tag::TUPLE => self.tuple(keep),
            tag::BYTES => self.byte_string(keep),
            tag::BACK => self.back(),
            tag::SET => self.set(keep),
            _ => Err(Error::Corrupt.into()),
        }
    }

    fn dict(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.length()?;
        let dict = PyDict::new(self.py);
        self.keep(&dict, keep);
        for _ in 0..len {
            let key = self.value()?;
            dict.set_item(key, self.value()?)?;
        }
        Ok(dict.into_any())
    }

    fn list(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.length()?;
        if !keep {
            return Ok(ffi::list_with(self.py, len, |_| self.value())?.into_any());
        }
        // Kept: something inside may refer to it, so it has to exist, empty, before its items do.
        let list = PyList::empty(self.py);
        self.keep(&list, true);
        for _ in 0..len {
            list.append(self.value()?)?;
        }
        Ok(list.into_any())
    }

    fn tuple(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.length()?;
        let items = (0..len)
            .map(|_| self.value())
            .collect::<PyResult<Vec<_>>>()?;
        let tuple = PyTuple::new(self.py, items)?;
        self.keep(&tuple, keep);
        Ok(tuple.into_any())
    }

    fn set(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.length()?;
        let set = PySet::empty(self.py)?;
        self.keep(&set, keep);
        for _ in 0..len {
            set.add(self.value()?)?;
        }
        Ok(set.into_any())
    }

    fn text(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let content = self.content()?;
        let text = std::str::from_utf8(content).map_err(|_| Error::Corrupt)?;
        let text = PyString::new(self.py, text);
        self.keep(&text, keep);
        Ok(text.into_any())
    }

    fn byte_string(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let bytes = PyBytes::new(self.py, self.content()?);
        self.keep(&bytes, keep);
        Ok(bytes.into_any())
    }

    fn float(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let (head, rest) = self.bytes.split_first_chunk::<8>().ok_or(Error::Corrupt)?;
        self.bytes = rest;
        Ok(PyFloat::new(self.py, f64::from_le_bytes(*head)).into_any())
    }

    fn leaf(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let number = self.length()?;
        let leaf = self.leaves.get(number).ok_or(Error::Corrupt)?;
        Ok(leaf.bind(self.py).clone())
    }

    fn back(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let number = self.length()?;
        Ok(self.kept.get(number).ok_or(Error::Corrupt)?.clone())
    }

    fn keep<T>(&mut self, object: &Bound<'py, T>, keep: bool) {
        if keep {
            self.kept.push(object.as_any().clone());
        }
    }

    fn content(&mut self) -> PyResult<&'a [u8]> {
        let len = self.length()?;
        let (content, rest) = self.bytes.split_at_checked(len).ok_or(Error::Corrupt)?;
        self.bytes = rest;
        Ok(content)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Error> {
        let (head, rest) = self.bytes.split_first().ok_or(Error::Corrupt)?;
        self.bytes = rest;
        Ok(*head)
    }

    /// A count or an index.
    #[inline]
    fn length(&mut self) -> Result<usize, Error> {
        usize::try_from(self.varint()?).map_err(|_| Error::Corrupt)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Error> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f)
                .checked_shl(shift)
                .ok_or(Error::Corrupt)?;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}
