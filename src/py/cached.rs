//! `CachedFunction`: what `Cache.cached` makes of a function.
//!
//! How a call travels: if the function was decorated with nothing that needs Python (see `_decorators.py`), the
//! key is written from its prefix and `request.path`, and the store is asked. A value that is found is
//! decoded for the caller, and that is all. In every other case Flask-Caching's own decorated function runs
//! with the same arguments, so the semantics can only ever be its; on a miss, one caller at a time runs
//! it for a key, and the others wait (see `flight.rs`).

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::daemon::call_python;
use super::flight::{Caller, Place, Role};
use super::front::{CacheFront, current_request};
use super::imports::{FLASK_REQUEST, METHOD_TYPE};
use super::query_keys::{QueryKeys, request_bytes};
use super::store::{Hit, Store};
use crate::core::sync::{Arc, AtomicBool, Ordering};

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
    /// The decorator's word on fills; None leaves it to the cache.
    single_flight: Option<bool>,
}

/// What a look into the cache came to.
enum Look<'py> {
    Hit(Bound<'py, PyAny>),
    /// Not there, in this store under this key.
    Miss(Bound<'py, Store>, Vec<u8>),
    /// Flask-Caching's code is to be asked, and nothing more.
    Unusual,
}

impl<'py> Look<'py> {
    fn into(store: Bound<'py, Store>, key: &[u8]) -> PyResult<Self> {
        Ok(match Store::hit(&store, key)? {
            Hit::Value(value) => Self::Hit(value),
            Hit::Unusual => Self::Unusual,
            Hit::Absent => Self::Miss(store, key.to_vec()),
        })
    }
}

/// A caller, what it is to do, and how long it waits, in seconds.
type Asked<'py> = (Caller<'py>, Role<'py>, f64);

/// What a call was given.
struct Call<'a, 'py> {
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
}

#[pymethods]
impl CachedFunction {
    /// `key_prefix` is None where hits are not to be answered natively.
    #[new]
    #[pyo3(signature = (cache, inner, key_prefix, query_string=false, single_flight=None))]
    fn new(
        cache: &Bound<'_, CacheFront>,
        inner: &Bound<'_, PyAny>,
        key_prefix: Option<&str>,
        query_string: bool,
        single_flight: Option<bool>,
    ) -> Self {
        Self {
            cache: cache.clone().unbind(),
            inner: inner.clone().unbind(),
            rule: key_prefix.and_then(|prefix| KeyRule::new(prefix, query_string)),
            native: AtomicBool::new(true),
            single_flight,
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
        match this.look(py, &call) {
            Ok(Look::Hit(value)) => Ok(value),
            Ok(Look::Miss(store, key)) => this.fill(&store, key, &call),
            // What went wrong goes wrong again in Flask-Caching's code, which knows what to do about it.
            Err(error) if !error.is_instance_of::<PyException>(py) => Err(error),
            _ => this.compute(py, &call),
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
    fn look<'py>(&self, py: Python<'py>, call: &Call<'_, 'py>) -> PyResult<Look<'py>> {
        let Some(rule) = &self.rule else {
            return Ok(Look::Unusual);
        };
        let cache = self.cache.bind(py);
        if !self.native.load(Ordering::Relaxed) || !CacheFront::is_plain(cache)? || debugs(cache)? {
            return Ok(Look::Unusual);
        }
        let backend = CacheFront::cache(cache)?;
        let Ok(store) = backend.cast_into::<Store>() else {
            return Ok(Look::Unusual);
        };
        if let KeyRule::Fixed(key) = rule {
            return Look::into(store, key.as_bytes());
        }
        let Some(request) = current_request(py)? else {
            return Ok(Look::Unusual);
        };
        let path = request.getattr(intern!(py, "path"))?;
        let Ok(path) = path.cast_exact::<PyString>() else {
            return Ok(Look::Unusual);
        };
        match rule {
            KeyRule::Query(keys) => match self.query_key(&request, path.to_str()?, keys, call)? {
                Some(key) => Look::into(store, key.as_bytes()),
                None => Ok(Look::Unusual),
            },
            KeyRule::Path(before, after) => {
                Look::into(store, [before, path.to_str()?, after].concat().as_bytes())
            }
            KeyRule::Fixed(_) => Ok(Look::Unusual),
        }
    }

    /// The key of the request's query; None if the request is an unusual one.
    fn query_key(
        &self,
        request: &Bound<'_, PyAny>,
        path: &str,
        keys: &QueryKeys,
        call: &Call<'_, '_>,
    ) -> PyResult<Option<Arc<str>>> {
        let py = request.py();
        let query = request.getattr(intern!(py, "query_string"))?;
        // Another class may read its arguments in another way.
        if !FLASK_REQUEST.is(&request.get_type())? || !query.is_exact_instance_of::<PyBytes>() {
            return Ok(None);
        }
        let attributes = request.getattr(intern!(py, "__dict__"))?;
        let attributes = attributes.cast::<PyDict>()?;
        if !has_own_arguments(attributes)? {
            return Ok(None);
        }
        let generation = self.cache.get().generation();
        let request = request_bytes(path, query.cast_exact::<PyBytes>()?.as_bytes());
        if let Some(key) = keys.find(&request, generation) {
            return Ok(Some(key));
        }
        let parsed_here = !attributes.contains(intern!(py, "args"))?;
        let key = self.make_key(py, call)?;
        if parsed_here && let Some(parsed) = attributes.get_item(intern!(py, "args"))? {
            attributes.set_item(intern!(py, PARSED), parsed)?;
        }
        keys.remember(request, &key, generation);
        Ok(Some(Arc::from(key)))
    }

    /// Runs the function, or waits for somebody who is running it and looks again, once.
    fn fill<'py>(
        &self,
        store: &Bound<'py, Store>,
        key: Vec<u8>,
        call: &Call<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = store.py();
        let place = Store::place(store, key);
        let Some((caller, role, patience)) = fail_open(py, self.role(py, &place))? else {
            return self.compute(py, call);
        };
        let flight = match role {
            Role::Lead(number) => Some(number),
            Role::Alone => None,
            Role::Follow(follower) => {
                fail_open(py, follower.wait(patience))?;
                drop(follower);
                match Store::hit(store, &place.key)? {
                    Hit::Value(value) => {
                        Store::count_coalesced(store);
                        return Ok(value);
                    }
                    // Stored, and for Flask-Caching's code to return or raise.
                    Hit::Unusual => return self.compute(py, call),
                    Hit::Absent => None,
                }
            }
        };
        let ticket = Store::ticket(store, &place.key)?;
        let filling = fail_open(
            py,
            caller.begin(py, (place.clone(), ticket), flight).map(Some),
        )?;
        let result = self.compute(py, call);
        let stored = Store::holds(store, &place.key).unwrap_or(false);
        if let Some(filling) = filling {
            filling.finish(stored);
        }
        result
    }

    /// Who calls, what it is to do, and how long it waits, in seconds.
    fn role<'py>(&self, py: Python<'py>, place: &Place) -> PyResult<Option<Asked<'py>>> {
        let caller = Caller::present(py)?;
        let Some(patience) = self.patience(py)? else {
            return Ok(Some((caller, Role::Alone, 0.0)));
        };
        let role = caller.join(py, place, patience)?;
        Ok(Some((caller, role, patience)))
    }

    /// Flask-Caching's own decorated function.
    fn compute<'py>(&self, py: Python<'py>, call: &Call<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        call_python(self.inner.bind(py), call.args, call.kwargs)
    }

    /// How long a caller waits for another, in seconds; None if nobody is to wait.
    fn patience(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        let cache = self.cache.bind(py);
        let wanted = match self.single_flight {
            Some(wanted) => wanted,
            None => cache.getattr(intern!(py, "_single_flight"))?.is_truthy()?,
        };
        let seconds: f64 = cache.getattr(intern!(py, "_fill_timeout"))?.extract()?;
        Ok(wanted.then_some(seconds))
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

/// The function runs even if the way to it fails; but what interrupts the caller does so.
fn fail_open<T: Default>(py: Python<'_>, result: PyResult<T>) -> PyResult<T> {
    match result {
        Err(error) if error.is_instance_of::<PyException>(py) => {
            error.write_unraisable(py, None);
            Ok(T::default())
        }
        other => other,
    }
}
