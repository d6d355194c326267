//! The query of a request: what Python makes of it is remembered by its bytes.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::Call;
use super::keys::Known;
use crate::core::sync::Mutex;
use crate::py::imports::FLASK_REQUEST;
use crate::py::key::buffer::Buffer;
use crate::py::once::intern;
use crate::py::remembered::Memory;

/// Queries that a function remembers the keys of.
const MOST_QUERIES: usize = 1024;
/// Where a request's arguments are kept as they were made of its query.
const PARSED: &str = "_flask_rustcache_args";

/// The query of a request whose arguments are its own.
struct Query<'py> {
    bytes: Bound<'py, PyBytes>,
    attributes: Bound<'py, PyDict>,
}

impl<'py> Query<'py> {
    /// None where Python has to look at the arguments: another class may read them in another way, and an application
    /// may have put others in their place.
    fn of(request: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        let py = request.py();
        let bytes = request.getattr(intern!(py, "query_string"))?;
        let attributes = request
            .getattr(intern!(py, "__dict__"))?
            .cast_into::<PyDict>()?;
        let usual = FLASK_REQUEST.is(&request.get_type())? && has_own_arguments(&attributes)?;
        let bytes = bytes.cast_into_exact::<PyBytes>().ok().filter(|_| usual);
        Ok(bytes.map(|bytes| Self { bytes, attributes }))
    }

    /// Lets Python read the arguments. If it parses them, they are known to be the query's from then on.
    fn read<T>(&self, read: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
        let (py, attributes) = (self.bytes.py(), &self.attributes);
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
        written.push(query.bytes.as_bytes());
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
        let (mut written, mut made) = (Buffer::new(), Buffer::new());
        written.push(query.bytes.as_bytes());
        if memory.lock().write(&written, to, MOST_QUERIES) {
            return Ok(true);
        }
        let text = query.read(|| self.python(intern!(self.py(), "_query"), ()))?;
        let text = text.cast_into::<PyString>()?;
        made.push(text.to_str()?.as_bytes());
        memory.lock().remember(&written, &made, MOST_QUERIES);
        to.push(made.bytes());
        Ok(true)
    }
}

/// Are the request's arguments those of its query string, as far as can be told? Not parsed yet, or parsed
/// under our eyes: an application may put others in their place.
fn has_own_arguments(attributes: &Bound<'_, PyDict>) -> PyResult<bool> {
    let py = attributes.py();
    let Some(arguments) = attributes.get_item(intern!(py, "args"))? else {
        return Ok(true);
    };
    let parsed = attributes.get_item(intern!(py, PARSED))?;
    Ok(parsed.is_some_and(|parsed| parsed.is(&arguments)))
}
