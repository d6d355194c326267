//! How the key of a call is made: from the request's path here, from its query in `query.rs`, from the arguments in
//! `calls.rs`, and from both in `scope.rs`.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::calls::Calls;
use super::scope::Scopes;
use super::{Call, Plan};
use crate::core::sync::{Arc, Mutex, Ordering};
use crate::py::imports::MADE_KEY;
use crate::py::key::buffer::Buffer;
use crate::py::once::intern;
use crate::py::remembered::Memory;
use crate::py::store::Store;

/// See the module.
pub(super) enum KeyRule {
    /// It is always this one.
    Fixed(String),
    /// This stands before and after `request.path`.
    Path(String, String),
    /// By `query_string=True`: Flask-Caching makes it, once for each query.
    Query(Mutex<Memory<u32>>),
    /// Python makes it, once for each way to write a call.
    Call(Arc<Calls>),
    /// The same, once for each request where it is a view that is called; Python says what that comes to.
    Scoped(Box<Calls>, Scopes),
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
    pub(super) fn new(plan: &Plan, calls: impl FnOnce() -> Arc<Calls>) -> Option<Self> {
        Some(match plan.kind.as_deref()? {
            "view" => Self::by_prefix(&plan.prefix),
            "query" => Self::Query(Mutex::default()),
            "call" => Self::Call(calls()),
            "scoped" => Self::Scoped(Box::default(), Scopes::new(false)),
            "scoped by query" => Self::Scoped(Box::default(), Scopes::new(true)),
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
            KeyRule::Scoped(calls, scopes) => {
                return self.write_scoped(to, (calls, scopes), store);
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

    /// Does Python make more of a key than its text?
    pub(super) const fn makes_parts(&self) -> bool {
        matches!(self.this.rule, Some(KeyRule::Call(_) | KeyRule::Scoped(..)))
    }

    /// Was the key made for an earlier call by its arguments? What the function stored under it has a tag of its
    /// own. Without, it may be what somebody put there by hand, when the key was out of date already.
    pub(super) const fn is_remembered(&self, known: &Known<'py>) -> bool {
        matches!(
            (known, &self.this.rule),
            (Known::Key, Some(KeyRule::Call(_) | KeyRule::Scoped(..)))
        )
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
