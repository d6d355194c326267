//! The query of a request: what Python makes of it is remembered by its bytes.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::Call;
use super::keys::Known;
use crate::core::sync::Mutex;
use crate::py::ffi;
use crate::py::imports::{FLASK_REQUEST, REQUEST_ARGUMENTS};
use crate::py::key::buffer::Buffer;
use crate::py::once::intern;
use crate::py::remembered::Memory;

/// Queries that a function remembers the keys of.
const MOST_QUERIES: usize = 1024;
/// Where a request's arguments are kept as they were made of its query.
const PARSED: &str = "_flask_rustcache_args";

/// The query of a request, as what is made of it is found by.
struct Query<'py> {
    written: Buffer,
    attributes: Bound<'py, PyDict>,
}

/// What comes after it are the bytes of the query string, or arguments.
const BY_BYTES: &[u8] = b"?";
const BY_ARGUMENTS: &[u8] = b"&";

impl<'py> Query<'py> {
    /// By its bytes, as long as its arguments are its own; else by these, as an application may have put others in
    /// their place. None where Python has to look at them: another class may read them in another way.
    fn of(request: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let py = request.py();
        if !FLASK_REQUEST.is(&request.get_type())? {
            return Ok(None);
        }
        let attributes = request
            .getattr(intern!(py, "__dict__"))?
            .cast_into::<PyDict>()?;
        let mut written = Buffer::new();
        let is_written = match foreign_arguments(&attributes)? {
            Some(arguments) => write_arguments(&mut written, &arguments)?,
            None => write_bytes(&mut written, request)?,
        };
        Ok(is_written.then_some(Self {
            written,
            attributes,
        }))
    }

    /// Lets Python read the arguments. If it parses them, they are known to be the query's from then on.
    fn read<T>(&self, read: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let (py, attributes) = (self.attributes.py(), &self.attributes);
        let parsed_here = !attributes.contains(intern!(py, "args"))?;
        let made = read()?;
        if parsed_here && let Some(parsed) = attributes.get_item(intern!(py, "args"))? {
            attributes.set_item(intern!(py, PARSED), parsed)?;
        }
        Ok(made)
    }
}

impl<'py> Call<'_, 'py> {
    /// The key of the request's path and query.
    pub(super) fn write_query(
        &self,
        to: &mut Buffer,
        memory: &Mutex<Memory<u32>>,
    ) -> PyResult<Known<'py>> {
        let Some(request) = &self.request else {
            return self.make_key(to);
        };
        let path = request.getattr(intern!(self.py(), "path"))?;
        let (Some(query), Ok(path)) = (Query::of(request)?, path.cast_exact::<PyString>()) else {
            return self.make_key(to);
        };
        let mut written = Buffer::new();
        written.push_sized(path.to_str()?.as_bytes());
        written.push(query.written.bytes());
        let generation = self.this.cache.get().generation();
        let mut known = memory.lock();
        if known.state != generation {
            let _older = known.restart(generation);
        } else if known.write(&written, to, MOST_QUERIES) {
            return Ok(Known::Key);
        }
        drop(known);
        let known = query.read(|| self.make_key(to))?;
        let mut memory = memory.lock();
        // What was set meanwhile may have made it another one.
        if memory.state == generation {
            memory.remember(&written, to, MOST_QUERIES);
        }
        drop(memory);
        Ok(known)
    }

    /// What counts of the query where the order of arguments does not; false if Python has to look at each of them.
    pub(super) fn write_arguments_of_query(
        &self,
        to: &mut Buffer,
        memory: &Mutex<Memory<()>>,
    ) -> PyResult<bool> {
        let query = self.request.as_ref().map(Query::of).transpose()?.flatten();
        let Some(query) = query else {
            return Ok(false);
        };
        let mut made = Buffer::new();
        if memory.lock().write(&query.written, to, MOST_QUERIES) {
            return Ok(true);
        }
        let text = query.read(|| self.python(intern!(self.py(), "_query"), ()))?;
        let text = text.cast_into::<PyString>()?;
        made.push(text.to_str()?.as_bytes());
        memory.lock().remember(&query.written, &made, MOST_QUERIES);
        to.push(made.bytes());
        Ok(true)
    }
}

/// The request's arguments, if they may be others than those of its query string: they were neither parsed under our
/// eyes, nor are they still to be parsed.
fn foreign_arguments<'py>(attributes: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = attributes.py();
    let Some(arguments) = attributes.get_item(intern!(py, "args"))? else {
        return Ok(None);
    };
    let parsed = attributes.get_item(intern!(py, PARSED))?;
    let is_own = parsed.is_some_and(|parsed| parsed.is(&arguments));
    Ok((!is_own).then_some(arguments))
}

fn write_bytes(to: &mut Buffer, request: &Bound<'_, PyAny>) -> PyResult<bool> {
    let query = request.getattr(intern!(request.py(), "query_string"))?;
    let Ok(query) = query.cast_exact::<PyBytes>() else {
        return Ok(false);
    };
    to.push(BY_BYTES);
    to.push(query.as_bytes());
    Ok(true)
}

/// Writes arguments in the order that they have; false where they are no usual ones.
fn write_arguments(to: &mut Buffer, arguments: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_usual = REQUEST_ARGUMENTS.is(&arguments.get_type())?;
    let Some(arguments) = arguments.cast::<PyDict>().ok().filter(|_| is_usual) else {
        return Ok(false);
    };
    to.push(BY_ARGUMENTS);
    let all = ffi::dict_each(arguments, |name, values| {
        write_text(to, &name)?;
        let values = values.cast_exact::<PyList>().map_err(|_| Unusual)?;
        to.push(&values.len().to_le_bytes());
        values.iter().try_for_each(|value| write_text(to, &value))
    });
    Ok(all.is_ok())
}

/// What is no text in UTF-8.
struct Unusual;

fn write_text(to: &mut Buffer, text: &Bound<'_, PyAny>) -> Result<(), Unusual> {
    let text = text.cast_exact::<PyString>().map_err(|_| Unusual)?;
    to.push_sized(text.to_str().map_err(|_| Unusual)?.as_bytes());
    Ok(())
}
