//! `CachedFunction`: what `Cache.cached` and `Cache.memoize` make of a function.
//!
//! How a call travels: the application's store is found, the key is made (`cached/keys.rs` says where), and the store is
//! asked. A value that is found is decoded for the caller, and that is all. On a miss one caller at a time
//! runs the function for a key, and the others wait (see `cached/miss.rs`). Whatever has to do with
//! Flask (conditions, signals, running the function, storing what it returned) is up to Python, in the methods
//! `_...` of the subclass in `_decorated.py`. Where the backend is another one, or a method is overridden,
//! Flask-Caching's own decorated function runs instead, and nothing is asked before.

mod calls;
mod keys;
mod methods;
mod miss;
mod query;
mod scope;
mod shared;

use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::daemon::call_python;
use super::front::{CacheFront, current_request};
use super::imports::{HTTP_EXCEPTION, METHOD_TYPE};
use super::key::buffer::Buffer;
use super::store::{Hit, Store};
use crate::core::sync::{Arc, AtomicBool, AtomicU8, Ordering};
use crate::py::once::intern;
use keys::{KeyRule, Known};
use miss::{Miss, own_entry};
pub(super) use shared::SharedCalls;

/// What the decorator was asked for; see `_decorated.py`.
#[derive(FromPyObject)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each option that a call has to look at"
)]
struct Plan {
    /// "view", "query", "call", "scoped", "scoped by query" or "asked": how the key is made; None where no hit is native.
    kind: Option<String>,
    /// For "view".
    prefix: String,
    cache_none: bool,
    has_unless: bool,
    has_forced_update: bool,
    /// Is that asked before the key is made? It is of memoized functions, and after it of views.
    forces_first: bool,
    has_is_stale: bool,
    /// Is each hit to be told to Python?
    indicates: bool,
    /// Is a stored `HTTPException` raised?
    raises: bool,
    /// The decorator's word on fills; None leaves it to the cache.
    single_flight: Option<bool>,
    /// Are there tags to be asked for at a miss?
    has_tags: bool,
    /// Do all functions with the same parts have the same keys?
    shares_keys: bool,
}

/// See the module.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct CachedFunction {
    cache: Py<CacheFront>,
    /// The function that was decorated.
    function: Py<PyAny>,
    /// Flask-Caching's own decorated function.
    inner: Py<PyAny>,
    plan: Plan,
    /// None where no hit is answered natively.
    rule: Option<KeyRule>,
    /// True once the function that makes keys was replaced.
    asks_for_key: AtomicBool,
    /// The request methods that the function has answered.
    methods: AtomicU8,
}

/// One call.
struct Call<'a, 'py> {
    decorated: &'a Bound<'py, CachedFunction>,
    this: &'a CachedFunction,
    args: &'a Bound<'py, PyTuple>,
    kwargs: Option<&'a Bound<'py, PyDict>>,
    /// The present application.
    app: Option<Bound<'py, PyAny>>,
    /// The request that it is made in; None where that does not matter.
    request: Option<Bound<'py, PyAny>>,
}

/// What a look into the cache came to.
enum Sought<'py> {
    Found(Found<'py>),
    Miss(Box<Miss<'py>>),
    /// The key is no str: Python is to answer with this one, and without a look if that is true.
    Odd(Bound<'py, PyAny>, bool),
    /// There is no key.
    Uncacheable,
}

/// What is the answer, and what there is to do about it before.
struct Found<'py> {
    value: Bound<'py, PyAny>,
    /// Made by pickle or a serializer of the application's: it may be anything.
    loaded: bool,
    /// The key, if the hit is to be told to Python.
    tell: Option<Bound<'py, PyString>>,
}

#[pymethods]
impl CachedFunction {
    /// `_options` are for the subclass.
    #[new]
    #[pyo3(signature = (cache, function, inner, plan, _options=None))]
    fn new(
        cache: &Bound<'_, CacheFront>,
        function: &Bound<'_, PyAny>,
        inner: &Bound<'_, PyAny>,
        plan: Plan,
        _options: Option<&Bound<'_, PyAny>>,
    ) -> Self {
        let calls = || {
            if plan.shares_keys {
                cache.get().calls.of(function)
            } else {
                Arc::default()
            }
        };
        Self {
            rule: KeyRule::new(&plan, calls),
            cache: cache.clone().unbind(),
            function: function.clone().unbind(),
            inner: inner.clone().unbind(),
            plan,
            asks_for_key: AtomicBool::new(false),
            methods: AtomicU8::new(0),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cache)?;
        visit.call(&self.function)?;
        visit.call(&self.inner)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Call {
            decorated: slf,
            this: slf.get(),
            args,
            kwargs,
            app: None,
            request: None,
        };
        call.answer()
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

    /// The function that was decorated.
    #[getter]
    fn _function<'py>(slf: &Bound<'py, Self>) -> Bound<'py, PyAny> {
        slf.get().function.bind(slf.py()).clone()
    }

    /// The cache that it belongs to.
    #[getter]
    fn _of<'py>(slf: &Bound<'py, Self>) -> Bound<'py, CacheFront> {
        slf.get().cache.bind(slf.py()).clone()
    }

    /// From now on `make_cache_key` is asked at each call.
    fn _ask_for_keys(&self) {
        self.asks_for_key.store(true, Ordering::Relaxed);
    }

    /// Remembers whether this answers requests for a view.
    fn _sees(&self, view: &Bound<'_, PyAny>, answers: bool) -> PyResult<()> {
        match &self.rule {
            Some(KeyRule::Scoped(_, scopes)) => scopes.views.see(view, answers),
            _ => Ok(()),
        }
    }
}

impl<'py> Call<'_, 'py> {
    fn answer(mut self) -> PyResult<Bound<'py, PyAny>> {
        let store = match self.store() {
            Ok(Some(store)) => store,
            Err(error) if !error.is_instance_of::<PyException>(self.py()) => return Err(error),
            // What went wrong goes wrong again in Flask-Caching's code, which knows what to do about it.
            _ => return self.by_upstream(),
        };
        if self.this.plan.has_unless && self.asks(intern!(self.py(), "_bypasses"))? {
            return self.python(intern!(self.py(), "_run_uncached"), ());
        }
        match self.seek(&store) {
            Ok(Sought::Found(found)) => self.deliver(found),
            Ok(Sought::Miss(miss)) => self.fill(&store, &miss),
            Ok(Sought::Odd(made, alone)) => {
                self.python(intern!(self.py(), "_answer_with"), (made, alone))
            }
            Ok(Sought::Uncacheable) => self.python(intern!(self.py(), "_run_uncached"), ()),
            Err(error) if error.is_instance_of::<PyException>(self.py()) => {
                let error = error.into_value(self.py());
                self.python(intern!(self.py(), "_run_despite"), (error,))
            }
            Err(error) => Err(error),
        }
    }

    /// The present application's store, if a hit may be answered from it without Flask-Caching's code.
    fn store(&mut self) -> PyResult<Option<Bound<'py, Store>>> {
        let Some(rule) = &self.this.rule else {
            return Ok(None);
        };
        // Flask-Caching's code has a word on an argument of this name.
        let odd = self
            .kwargs
            .map(|kwargs| kwargs.contains(intern!(self.py(), "self")));
        let cache = self.this.cache.bind(self.py());
        if odd.transpose()? == Some(true) || !CacheFront::is_plain(cache)? {
            return Ok(None);
        }
        let (app, backend) = CacheFront::find(cache)?;
        self.app = app;
        let Ok(store) = backend.cast_into::<Store>() else {
            return Ok(None);
        };
        if rule.heeds_request() {
            self.request = current_request(self.py())?;
        }
        let has_all = self.request.is_some() || !rule.needs_request();
        Ok((has_all && Store::is_plain(&store)?).then_some(store))
    }

    /// Not part of the caller's frame, which stays on the stack while the function runs.
    #[inline(never)]
    fn seek(&self, store: &Bound<'py, Store>) -> PyResult<Sought<'py>> {
        let plan = &self.this.plan;
        let mut key = Buffer::new();
        let mut alone = plan.forces_first && self.forces()?;
        let made = self.write_key(&mut key, store)?;
        if let Known::None = made {
            return Ok(Sought::Uncacheable);
        }
        alone = alone || (!plan.forces_first && self.forces()?);
        if let Known::Odd(made) = made {
            return Ok(Sought::Odd(made, alone));
        }
        let owned = self.is_remembered(&made);
        if !alone && let Some(found) = self.look(store, (key.bytes(), owned), &mut alone)? {
            if let Known::Made(made) = &made {
                own_entry(store, key.bytes(), made)?;
            }
            return Ok(Sought::Found(found));
        }
        self.miss(store, &key, made, alone)
    }

    /// The answer, if it is there. One that is stale is none, and is not to be looked for again.
    #[expect(
        clippy::inline_always,
        reason = "on the path of a hit, from three places"
    )]
    #[inline(always)]
    fn look(
        &self,
        store: &Bound<'py, Store>,
        (key, owned): (&[u8], bool),
        alone: &mut bool,
    ) -> PyResult<Option<Found<'py>>> {
        let plan = &self.this.plan;
        let (value, loaded) = match Store::hit(store, key, (plan.cache_none, owned))? {
            Hit::Absent => return Ok(None),
            Hit::Value(value) => (value, false),
            Hit::Loaded(value) => (value, true),
        };
        if plan.has_is_stale && self.finds_stale(&value)? {
            *alone = true;
            return Ok(None);
        }
        let tells = plan.indicates
            || CacheFront::tells(self.this.cache.bind(self.py()), self.app.as_ref())?;
        let tell = tells.then(|| PyString::new(self.py(), &String::from_utf8_lossy(key)));
        Ok(Some(Found {
            value,
            loaded,
            tell,
        }))
    }

    /// Gives the caller what was found, after all that Flask-Caching does about a hit.
    #[inline]
    fn deliver(&self, found: Found<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(key) = found.tell {
            self.python(intern!(self.py(), "_found"), (key,))?;
        }
        if let Some(bit) = self.unknown_method()? {
            self.this.methods.fetch_or(bit, Ordering::Relaxed);
            self.python(intern!(self.py(), "_meets_method"), ())?;
        }
        let value = found.value;
        let raises = found.loaded && self.this.plan.raises;
        if raises && value.is_instance(HTTP_EXCEPTION.get(self.py())?)? {
            return Err(PyErr::from_value(value));
        }
        Ok(value)
    }

    fn forces(&self) -> PyResult<bool> {
        Ok(self.this.plan.has_forced_update && self.asks(intern!(self.py(), "_forces"))?)
    }

    fn finds_stale(&self, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        self.python(intern!(self.py(), "_finds_stale"), (value,))?
            .is_truthy()
    }

    /// Asks one of the conditions.
    fn asks(&self, condition: &Bound<'py, PyString>) -> PyResult<bool> {
        self.python(condition, ())?.is_truthy()
    }

    /// Calls a method of the subclass with some arguments, and with those of the call as a tuple and a dict.
    fn python<A>(&self, name: &Bound<'py, PyString>, first: A) -> PyResult<Bound<'py, PyAny>>
    where
        A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
    {
        let first = first.into_pyobject(self.py()).map_err(Into::into)?;
        let (method, arguments) = self.python_call(name, &first)?;
        call_python(&method, &arguments, None)
    }

    #[inline(never)]
    fn python_call(
        &self,
        name: &Bound<'py, PyString>,
        first: &Bound<'py, PyTuple>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = self.py();
        let mut all: Vec<Bound<'py, PyAny>> = first.iter().collect();
        all.push(self.args.clone().into_any());
        all.push(match self.kwargs {
            Some(kwargs) => kwargs.clone().into_any(),
            None => PyDict::new(py).into_any(),
        });
        Ok((self.decorated.getattr(name)?, PyTuple::new(py, all)?))
    }

    /// Flask-Caching's own decorated function answers, which knows no tags.
    fn by_upstream(&self) -> PyResult<Bound<'py, PyAny>> {
        if self.this.plan.has_tags {
            return self.python(intern!(self.py(), "_answer_untagged"), ());
        }
        call_python(self.this.inner.bind(self.py()), self.args, self.kwargs)
    }

    fn py(&self) -> Python<'py> {
        self.decorated.py()
    }
}
