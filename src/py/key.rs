//! The byte form of keys.
//!
//! A str is its UTF-8 bytes (lone surrogates as their three-byte form, which no other str has). Any other
//! hashable key is a number in a table of our own (`key/table.rs`): found by hash and `==`, as in a dict of
//! SimpleCache's, and out of every lock, since `__eq__` and `__hash__` may do anything.

pub(super) mod buffer;
pub(super) mod call;
pub(super) mod table;

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::py::once::intern;

/// The first byte of a numbered key. No UTF-8, surrogates included, begins with it.
const NUMBERED: u8 = 0xff;

/// The number that a stored key stands for, if it is no str.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    let (&NUMBERED, digits) = key.split_first()? else {
        return None;
    };
    digits.try_into().ok().map(u64::from_be_bytes)
}

/// The bytes of a numbered key.
pub(super) fn number_bytes(number: u64) -> [u8; 9] {
    let mut bytes = [NUMBERED; 9];
    bytes[1..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The bytes of a plain str, without a copy; None for any other key.
#[inline]
pub(super) fn plain_text<'a>(key: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    let text = key.cast_exact::<PyString>().ok()?;
    text.to_str().ok().map(str::as_bytes)
}

/// The bytes of a str, lone surrogates included.
pub(super) fn text_bytes<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Cow<'a, [u8]>> {
    match text.to_str() {
        Ok(text) => Ok(Cow::Borrowed(text.as_bytes())),
        Err(_) => surrogates(text).map(Cow::Owned),
    }
}

/// The bytes of any key that a dict would take for a str; None if it takes the table.
///
/// Raises what the `__hash__` or `__eq__` of a subclass raise.
pub(super) fn unusual_text(key: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    match key.cast::<PyString>() {
        Ok(text) if is_text(key)? => surrogates(text).map(Some),
        _ => Ok(None),
    }
}

/// Is it a key by its text? Else it takes the table.
///
/// Raises what the `__hash__` or `__eq__` of a subclass of str raise.
pub(super) fn is_text(key: &Bound<'_, PyAny>) -> PyResult<bool> {
    match key.cast::<PyString>() {
        Ok(text) => Ok(text.is_exact_instance_of::<PyString>() || equals_its_text(text)?),
        Err(_) => Ok(false),
    }
}

/// UTF-8, with lone surrogates as their three-byte form.
fn surrogates(text: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    let py = text.py();
    // By `str` itself: a subclass may have an `encode` of its own, which makes no key of ours.
    let encoded = py
        .get_type::<PyString>()
        .call_method1(intern!(py, "encode"), (text, "utf-8", "surrogatepass"))?;
    Ok(encoded.cast_into::<PyBytes>()?.as_bytes().to_vec())
}

/// Would a dict take this instance of a subclass of str for the plain str of the same text?
fn equals_its_text(text: &Bound<'_, PyString>) -> PyResult<bool> {
    let py = text.py();
    let plain = py
        .get_type::<PyString>()
        .call_method1(intern!(py, "__str__"), (text,))?;
    Ok(text.hash()? == plain.hash()? && text.as_any().eq(&plain)?)
}

/// The key object of stored bytes.
///
/// Raises only if the bytes are no key of ours.
pub(super) fn text_object<'py>(py: Python<'py>, key: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    match std::str::from_utf8(key) {
        Ok(text) => Ok(PyString::new(py, text).into_any()),
        Err(_) => {
            PyBytes::new(py, key).call_method1(intern!(py, "decode"), ("utf-8", "surrogatepass"))
        }
    }
}
