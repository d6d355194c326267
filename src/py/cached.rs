//! `CachedFunction`: what `Cache.cached` makes of a function.
//!
//! How a call travels: if the function was decorated with nothing that needs Python (see `_decorators.py`), the
//! key is written from its prefix and `request.path`, and the store is asked. A value that is found is
//! decoded for the caller, and that is all. In every other case, a miss above all, Flask-Caching's own
//! decorated function runs with the same arguments: so the semantics can only ever be its.

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::front::{CacheFront, current_request};
use super::imports::METHOD_TYPE;
use super::store::Store;
use crate::core::sync::{AtomicBool, Ordering};

/// A key that needs no Python code to be made.
enum Prefix {
    /// The whole key.
    Fixed(String),
    /// What stands before and after `request.path`.
    Path(String, String),
}

/// See the module.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct CachedFunction {
    cache: Py<CacheFront>,
    /// Flask-Caching's own decorated function.
    inner: Py<PyAny>,
    prefix: Option<Prefix>,
    native: AtomicBool,
}

#[pymethods]
impl CachedFunction {
    /// `key_prefix` is None where hits are not to be answered natively.
    #[new]
    fn new(
        cache: &Bound<'_, CacheFront>,
        inner: &Bound<'_, PyAny>,
        key_prefix: Option<&str>,
    ) -> Self {
        let prefix = key_prefix.and_then(Prefix::parse);
        Self {
            cache: cache.clone().unbind(),
            inner: inner.clone().unbind(),
            native: AtomicBool::new(prefix.is_some()),
            prefix,
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cache)?;
        visit.call(&self.inner)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (this, py) = (slf.get(), slf.py());
        match this.hit(py) {
            Ok(Some(value)) => Ok(value),
            // What went wrong goes wrong again in Flask-Caching's code, which knows what to do about it.
            Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
            _ => this.inner.bind(py).call(args, kwargs),
        }
    }

    /// Binds as a function does.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: Option<&Bound<'py, PyAny>>,
        _owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match instance {
            None => Ok(slf.as_any().clone()),
            Some(instance) => METHOD_TYPE.get(slf.py())?.call1((slf, instance)),
        }
    }

    /// Flask-Caching's own decorated function.
    #[getter]
    fn _inner<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        slf.get().inner.bind(slf.py()).clone()
    }

    /// From now on no call is answered natively.
    fn _give_up(&self) {
        self.native.store(false, Ordering::Relaxed);
    }
}

impl CachedFunction {
    /// The cached value, the caller's own; None wherever Flask-Caching's code has to be asked.
    fn hit<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(prefix) = &self.prefix else {
            return Ok(None);
        };
        let cache = self.cache.bind(py);
        if !self.native.load(Ordering::Relaxed) || !CacheFront::is_plain(cache)? || debugs(cache)? {
            return Ok(None);
        }
        let backend = CacheFront::cache(cache)?;
        let Ok(store) = backend.cast::<Store>() else {
            return Ok(None);
        };
        match prefix {
            Prefix::Fixed(key) => Store::hit(store, key.as_bytes()),
            Prefix::Path(before, after) => match current_request(py)? {
                None => Ok(None),
                Some(request) => {
                    let path = request.getattr(intern!(py, "path"))?;
                    let Ok(path) = path.cast_exact::<PyString>() else {
                        return Ok(None);
                    };
                    let key = [before, path.to_str()?, after].concat();
                    Store::hit(store, key.as_bytes())
                }
            },
        }
    }
}

impl Prefix {
    /// None for a prefix with other conversions than one `%s`: what `%` makes of them is Python's to say.
    fn parse(prefix: &str) -> Option<Self> {
        let Some((before, after)) = prefix.split_once("%s") else {
            return Some(Self::Fixed(prefix.to_owned()));
        };
        let one = !before.contains('%') && !after.contains('%');
        one.then(|| Self::Path(before.to_owned(), after.to_owned()))
    }
}

/// Is the application in debug mode? Then each hit is logged, and errors are raised.
fn debugs(cache: &Bound<'_, CacheFront>) -> PyResult<bool> {
    let py = cache.py();
    let config = cache
        .getattr(intern!(py, "app"))?
        .getattr(intern!(py, "config"))?;
    match config.cast::<PyDict>()?.get_item(intern!(py, "DEBUG"))? {
        Some(debug) => debug.is_truthy(),
        None => Ok(true),
    }
}
