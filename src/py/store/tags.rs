//! Tags as users give them: text of their own, which no tag of ours can be.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::core::USERS;
use crate::py::errors::Error;
use crate::py::key::text_bytes;

/// A tag as the core knows it.
pub(in crate::py) type TagName = Box<[u8]>;

/// What the core knows a user's tag by. Ours are text, and no UTF-8 (surrogates included) begins so.
pub(super) fn name_of(tag: &Bound<'_, PyString>) -> PyResult<TagName> {
    let text = text_bytes(tag)?;
    let mut name = Vec::with_capacity(1 + text.len());
    name.push(USERS);
    name.extend_from_slice(&text);
    Ok(name.into_boxed_slice())
}

/// The same for all of them, each once.
///
/// Raises `TypeError` for what is no iterable of str, and what iterating raises.
pub(in crate::py) fn names_of(tags: &Bound<'_, PyAny>) -> PyResult<Vec<TagName>> {
    let mut names: Vec<TagName> = texts_of(tags)?
        .iter()
        .map(name_of)
        .collect::<PyResult<_>>()?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The same where None stands for no tags.
#[inline]
pub(super) fn names_given(tags: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<TagName>> {
    tags.map_or_else(|| Ok(Vec::new()), names_of)
}

fn texts_of<'py>(tags: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyString>>> {
    if tags.is_instance_of::<PyString>() {
        return Err(Error::TagsText(tags.repr()?.to_string()).into());
    }
    if !tags.hasattr("__iter__")? {
        return Err(Error::TagsType(tags.get_type().name()?.to_string()).into());
    }
    tags.try_iter()?.map(|tag| text_of(tag?)).collect()
}

fn text_of(tag: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyString>> {
    tag.cast_into::<PyString>().map_err(|error| {
        let kind = error.into_inner().get_type();
        let name = kind
            .name()
            .map_or_else(|_| "?".to_owned(), |name| name.to_string());
        Error::TagType(name).into()
    })
}

/// Tags as a tuple, checked: what a decorator is given may be read only once.
///
/// Raises as `set` does.
#[pyfunction]
pub(in crate::py) fn _frozen_tags<'py>(tags: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(tags.py(), texts_of(tags)?)
}
