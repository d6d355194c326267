//! The compact form back to Python objects, in one pass.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyTuple};

use super::{Compact, MAX_DEPTH, tag};
use crate::py::errors::Error;
use crate::py::ffi;

/// Reads one tree. Raises `MemoryError`, what hashing a key raises, or our own error for corrupt bytes.
pub(super) struct Decoder<'a, 'py> {
    py: Python<'py>,
    bytes: &'a [u8],
    leaves: &'a [Py<PyAny>],
    kept: Vec<Bound<'py, PyAny>>,
    /// How much deeper containers may nest.
    depth: usize,
}

impl<'a, 'py> Decoder<'a, 'py> {
    pub(super) fn new(compact: &'a Compact, py: Python<'py>) -> Self {
        let kept = Vec::with_capacity(compact.kept as usize);
        Self {
            py,
            bytes: &compact.bytes,
            leaves: &compact.leaves,
            kept,
            depth: MAX_DEPTH,
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
        let len = self.enter()?;
        let dict = PyDict::new(self.py);
        self.keep(&dict, keep);
        for _ in 0..len {
            let key = self.value()?;
            dict.set_item(key, self.value()?)?;
        }
        self.depth += 1;
        Ok(dict.into_any())
    }

    fn list(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.enter()?;
        if !keep {
            let list = ffi::list_with(self.py, len, |_| self.value())?;
            self.depth += 1;
            return Ok(list.into_any());
        }
        // Kept: something inside may refer to it, so it has to exist, empty, before its items do.
        let list = PyList::empty(self.py);
        self.keep(&list, true);
        for _ in 0..len {
            list.append(self.value()?)?;
        }
        self.depth += 1;
        Ok(list.into_any())
    }

    fn tuple(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.enter()?;
        let items = (0..len)
            .map(|_| self.value())
            .collect::<PyResult<Vec<_>>>()?;
        let tuple = PyTuple::new(self.py, items)?;
        self.keep(&tuple, keep);
        self.depth += 1;
        Ok(tuple.into_any())
    }

    fn set(&mut self, keep: bool) -> PyResult<Bound<'py, PyAny>> {
        let len = self.enter()?;
        let set = PySet::empty(self.py)?;
        self.keep(&set, keep);
        for _ in 0..len {
            set.add(self.value()?)?;
        }
        self.depth += 1;
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

    /// A container begins; how many items it has. Each takes a byte or more, so of more no room is made, and nothing
    /// is nested deeper than what was written.
    #[inline]
    fn enter(&mut self) -> Result<usize, Error> {
        let count = self.length()?;
        if count > self.bytes.len() || self.depth == 0 {
            return Err(Error::Corrupt);
        }
        self.depth -= 1;
        Ok(count)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pyo3::exceptions::PyMemoryError;

    use super::*;

    /// What becomes of bytes that no encoder wrote: a value or an error, but no panic, crash or hang.
    fn decode(bytes: &[u8]) -> PyResult<()> {
        Python::initialize();
        Python::attach(|py| {
            let leaves = [py.None(), PyList::empty(py).into_any().unbind()];
            let compact = Compact {
                bytes: bytes.into(),
                leaves: leaves.into(),
                kept: 0,
                aliased: false,
            };
            compact.decode(py).map(drop)
        })
    }

    /// Bytes that look like a tree's: known tags, small counts, and any others.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let tags = (tag::NONE..=tag::SET, any::<bool>());
        let known = tags.prop_map(|(tag, keep)| if keep { tag | tag::KEEP } else { tag });
        let byte = prop_oneof![4 => known, 2 => 0_u8..4, 1 => any::<u8>()];
        prop::collection::vec(byte, 0..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_bytes_are_a_value_or_an_error(bytes in damaged()) {
            drop(decode(&bytes));
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_makes_no_room() {
        for container in [tag::LIST, tag::TUPLE, tag::DICT, tag::SET] {
            // 2^62 items.
            let bytes = [
                container, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40,
            ];
            let asked_for_room = decode(&bytes)
                .is_err_and(|error| Python::attach(|py| error.is_instance_of::<PyMemoryError>(py)));
            assert!(!asked_for_room);
        }
    }

    #[test]
    fn trees_deeper_than_any_that_was_written_are_refused() {
        for container in [tag::LIST, tag::LIST | tag::KEEP, tag::TUPLE] {
            assert!(decode(&[container, 1].repeat(1_000_000)).is_err());
            let deepest = [[container, 1].repeat(MAX_DEPTH), vec![tag::NONE]].concat();
            assert!(decode(&deepest).is_ok());
        }
    }
}
