//! How the key of a call is made: from the request, if it is a view's. Keys that are made from the arguments have
//! a file of their own, `calls.rs`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::calls::Calls;
use super::scope::Views;
use super::{Call, Plan};
use crate::core::sync::{Mutex, Ordering};
use crate::py::imports::{FLASK_REQUEST, MADE_KEY};
use crate::py::key::buffer::Buffer;
use crate::py::once::intern;
use crate::py::remembered::Memory;
use crate::py::store::Store;

/// Queries that a function remembers the keys of.
const MOST_QUERIES: usize = 1024;
/// See the module.
pub(super) enum KeyRule {
    /// It is always this one.
    Fixed(String),
    /// This stands before and after `request.path`.
    Path(String, String),
    /// By `query_string=True`: Flask-Caching makes it, once for each query.
    Query(Mutex<Memory<u32>>),
    /// Python makes it, once for each way to write a call.
    Call(Calls),
    /// The same, once for each request where it is a view that is called; Python says what that comes to.
    Scoped(Calls, Views),
    /// Python makes it at each call.
    Asked,
}

/// What is known of a key that was looked for.
pub(super) enum Known<'py> {
    /// The key.
    Key,
    /// The key, and what Python made it as.
    Made(Bound<'py, PyAny>),
    /// It is no str: this.
    Odd(Bound<'py, PyAny>),
    /// There is none: what this call returns is not to be cached.
    None,
}

impl KeyRule {
    /// None where no hit is native.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        Some(match plan.kind.as_deref()? {
            "view" => Self::by_prefix(&plan.prefix),
            "query" => Self::Query(Mutex::default()),
            "call" => Self::Call(Calls::default()),
            "scoped" => Self::Scoped(Calls::default(), Views::default()),
            _ => Self::Asked,
        })
    }

    /// What `%` makes of other conversions than one `%s` is Python's to say.
    fn by_prefix(prefix: &str) -> Self {
        let Some((before, after)) = prefix.split_once("%s") else {
            return Self::Fixed(prefix.to_owned());
        };
        if before.contains('%') || after.contains('%') {
            return Self::Asked;
        }
        Self::Path(before.to_owned(), after.to_owned())
    }

    /// Does the key depend on whether there is a request?
    #[inline]
    pub(super) const fn heeds_request(&self) -> bool {
        self.needs_request() || matches!(self, Self::Scoped(..))
    }

    /// Is there a key only within a request?
    #[inline]
    pub(super) const fn needs_request(&self) -> bool {
        matches!(self, Self::Path(..) | Self::Query(_))
    }
}

impl<'py> Call<'_, 'py> {
    /// Writes the key.
    #[inline]
    pub(super) fn write_key(
        &self,
        to: &mut Buffer,
        store: &Bound<'py, Store>,
    ) -> PyResult<Known<'py>> {
        let rule = self.this.rule.as_ref().unwrap_or(&KeyRule::Asked);
        let asks = self.this.asks_for_key.load(Ordering::Relaxed);
        if asks || self.this.cache.get().asks_for_keys() {
            return self.make_key(to);
        }
        match rule {
            KeyRule::Fixed(key) => to.push(key.as_bytes()),
            KeyRule::Path(before, after) => return self.write_path(to, (before, after)),
            KeyRule::Query(memory) => return self.write_query(to, memory),
            KeyRule::Call(calls) => return self.write_call(to, (calls, None), store),
            KeyRule::Scoped(calls, views) => {
                return self.write_scoped(to, (calls, views), store);
            }
            KeyRule::Asked => return self.make_key(to),
        }
        Ok(Known::Key)
    }

    fn write_path(&self, to: &mut Buffer, around: (&str, &str)) -> PyResult<Known<'py>> {
        let Some(request) = &self.request else {
            return self.make_key(to);
        };
        let path = request.getattr(intern!(self.py(), "path"))?;
        let Ok(path) = path.cast_exact::<PyString>() else {
            return self.make_key(to);
        };
        to.push(around.0.as_bytes());
        to.push(path.to_str()?.as_bytes());
        to.push(around.1.as_bytes());
        Ok(Known::Key)
    }

    /// The key of the request's query.
    fn write_query(&self, to: &mut Buffer, memory: &Mutex<Memory<u32>>) -> PyResult<Known<'py>> {
        let py = self.py();
        let Some(request) = &self.request else {
            return self.make_key(to);
        };
        let query = request.getattr(intern!(py, "query_string"))?;
        let path = request.getattr(intern!(py, "path"))?;
        let attributes = request.getattr(intern!(py, "__dict__"))?;
        let attributes = attributes.cast::<PyDict>()?;
        // Another class may read its arguments in another way.
        let usual = FLASK_REQUEST.is(&request.get_type())? && has_own_arguments(attributes)?;
        let (Ok(query), Ok(path), true) = (
            query.cast_exact::<PyBytes>(),
            path.cast_exact::<PyString>(),
            usual,
        ) else {
            return self.make_key(to);
        };
        let mut written = Buffer::new();
        written.push_sized(path.to_str()?.as_bytes());
        written.push(query.as_bytes());
        let generation = self.this.cache.get().generation();
        let mut known = memory.lock();
        if known.state != generation {
            let _older = known.restart(generation);
        } else if known.write(&written, to, MOST_QUERIES) {
            return Ok(Known::Key);
        }
        drop(known);
        let parsed_here = !attributes.contains(intern!(py, "args"))?;
        let known = self.make_key(to)?;
        if parsed_here && let Some(parsed) = attributes.get_item(intern!(py, "args"))? {
            attributes.set_item(intern!(py, PARSED), parsed)?;
        }
        let mut memory = memory.lock();
        // What was set meanwhile may have made it another one.
        if memory.state == generation {
            memory.remember(&written, to, MOST_QUERIES);
        }
        drop(memory);
        Ok(known)
    }

    /// Does Python make more of a key than its text?
    pub(super) const fn makes_parts(&self) -> bool {
        matches!(self.this.rule, Some(KeyRule::Call(_) | KeyRule::Scoped(..)))
    }

    /// Python makes the key.
    #[cold]
    pub(super) fn make_key(&self, to: &mut Buffer) -> PyResult<Known<'py>> {
        let made = self.python(intern!(self.py(), "_make"), ())?;
        let key = match parts_of(&made)? {
            Some(parts) => parts.get_item(0)?,
            None => made.clone(),
        };
        let Ok(key) = key.cast_exact::<PyString>() else {
            return Ok(Known::Odd(made));
        };
        let Ok(text) = key.to_str() else {
            return Ok(Known::Odd(made));
        };
        to.push(text.as_bytes());
        Ok(Known::Made(made))
    }
}

/// What Python made of a key, if that is more than the key: see `MadeKey`.
pub(super) fn parts_of<'a, 'py>(
    made: &'a Bound<'py, PyAny>,
) -> PyResult<Option<&'a Bound<'py, PyTuple>>> {
    let is_made = MADE_KEY.is(&made.get_type())?;
    Ok(made.cast::<PyTuple>().ok().filter(|_| is_made))
}

/// Where a request's arguments are kept as Flask-Caching's key was made of them.
const PARSED: &str = "_flask_rustcache_args";

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
