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
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::front::{CacheFront, current_request};
use super::imports::{FLASK_REQUEST, METHOD_TYPE};
use super::query_keys::{QueryKeys, request_bytes};
use super::store::Store;
use crate::core::sync::{AtomicBool, Ordering};

/// How a key is made without Python code.
enum KeyRule {
    /// It is always this one.
    Fixed(String),
    /// This stands before and after `request.path`.
    Path(String, String),
    /// By `query_string=True`: Flask-Caching makes it, once for each query.
    Query(QueryKeys),
}

/// See the module.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct CachedFunction {
    cache: Py<CacheFront>,
    /// Flask-Caching's own decorated function.
    inner: Py<PyAny>,
    /// None where no hit is answered natively.
    rule: Option<KeyRule>,
    /// False once the function that makes keys was replaced.
    native: AtomicBool,
}

/// What a call was given.
struct Call<'a, 'py> {
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
}

#[pymethods]
impl CachedFunction {
    /// `key_prefix` is None where hits are not to be answered natively.
    #[new]
    #[pyo3(signature = (cache, inner, key_prefix, query_string=false))]
    fn new(
        cache: &Bound<'_, CacheFront>,
        inner: &Bound<'_, PyAny>,
        key_prefix: Option<&str>,
        query_string: bool,
    ) -> Self {
        Self {
            cache: cache.clone().unbind(),
            inner: inner.clone().unbind(),
            rule: key_prefix.and_then(|prefix| KeyRule::new(prefix, query_string)),
            native: AtomicBool::new(true),
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
        let call = Call { args, kwargs };
        match this.hit(py, &call) {
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
    fn hit<'py>(
        &self,
        py: Python<'py>,
        call: &Call<'_, 'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(rule) = &self.rule else {
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
        let request = match rule {
            KeyRule::Fixed(key) => return Store::hit(store, key.as_bytes()),
            _ => current_request(py)?,
        };
        let Some(request) = request else {
            return Ok(None);
        };
        let path = request.getattr(intern!(py, "path"))?;
        let Ok(path) = path.cast_exact::<PyString>() else {
            return Ok(None);
        };
        match rule {
            KeyRule::Query(keys) => self.query_hit(store, &request, path.to_str()?, (keys, call)),
            KeyRule::Path(before, after) => {
                Store::hit(store, [before, path.to_str()?, after].concat().as_bytes())
            }
            KeyRule::Fixed(_) => Ok(None),
        }
    }

    /// A hit under the key of the request's query.
    fn query_hit<'py>(
        &self,
        store: &Bound<'py, Store>,
        request: &Bound<'py, PyAny>,
        path: &str,
        (keys, call): (&QueryKeys, &Call<'_, 'py>),
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = store.py();
        let query = request.getattr(intern!(py, "query_string"))?;
        // Another class may read its arguments in another way.
        if !FLASK_REQUEST.is(&request.get_type())? || !query.is_exact_instance_of::<PyBytes>() {
            return Ok(None);
        }
        let generation = self.cache.get().generation();
        let request = request_bytes(path, query.cast_exact::<PyBytes>()?.as_bytes());
        if let Some(key) = keys.find(&request, generation) {
            return Store::hit(store, key.as_bytes());
        }
        let key = self.make_key(py, call)?;
        keys.remember(request, &key, generation);
        Store::hit(store, key.as_bytes())
    }

    /// The key, by Flask-Caching.
    fn make_key(&self, py: Python<'_>, call: &Call<'_, '_>) -> PyResult<String> {
        let kwargs = match call.kwargs {
            Some(kwargs) => kwargs.copy()?.unbind(),
            None => PyDict::new(py).unbind(),
        };
        let kwargs = kwargs.bind(py);
        kwargs.set_item(intern!(py, "use_request"), true)?;
        let make = self.inner.bind(py).getattr(intern!(py, "make_cache_key"))?;
        make.call(call.args, Some(kwargs))?.extract()
    }
}

impl KeyRule {
    /// None for a prefix with other conversions than one `%s`: what `%` makes of them is Python's to say.
    fn new(prefix: &str, query_string: bool) -> Option<Self> {
        if query_string {
            return Some(Self::Query(QueryKeys::default()));
        }
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
