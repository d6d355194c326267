//! `CacheFront`: the native half of `flask_rustcache.Cache`. It finds the present application's store
//! without Flask's proxies, and knows whether a hit may be answered without Flask-Caching's own code.

use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::cached::SharedCalls;
use super::current::Current;
use super::daemon::{call_function, call_method};
use super::ffi;
use super::imports::{ASKS_FOR_KEYS, CURRENT_APP, CURRENT_REQUEST, IS_PLAIN};
use crate::core::sync::{AtomicBool, AtomicU32, AtomicUsize};
use crate::py::once::intern;

/// How often any store was emptied: what was remembered of keys is then of no use.
static CLEARS: AtomicU32 = AtomicU32::new(0);

/// A store was emptied.
pub(super) fn forget_keys() {
    CLEARS.fetch_add(1, Ordering::Relaxed);
}

/// What `flask_rustcache.Cache` is built on; use that.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct CacheFront {
    /// Is the summary of attributes that follows (`plain`, `signals`, `asks`, `app`) still so?
    current: Current,
    /// May a call be answered without Flask-Caching's code?
    plain: AtomicBool,
    /// Are signals to be sent?
    signals: AtomicBool,
    /// Is each key to be asked for?
    asks: AtomicBool,
    /// Where the application is that was set up last; the cache object's `__dict__` holds it. 0 = there is none.
    app: AtomicUsize,
    /// Is this for the only cache of whichever application is present?
    serves_any: AtomicBool,
    /// Counts how often the summary was made anew: what was made of keys holds for one such state.
    generation: AtomicU32,
    /// Of its memoized functions.
    pub(super) calls: SharedCalls,
}

#[pymethods]
impl CacheFront {
    /// Takes anything, so that a subclass may have a signature of its own.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            current: Current::default(),
            plain: AtomicBool::new(false),
            signals: AtomicBool::new(false),
            asks: AtomicBool::new(false),
            app: AtomicUsize::new(0),
            serves_any: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            calls: SharedCalls::default(),
        }
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        slf.get().forget_app();
        ffi::set_attribute(slf.as_any(), name, Some(value))?;
        slf.get().current.touch();
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        slf.get().forget_app();
        ffi::set_attribute(slf.as_any(), name, None)?;
        slf.get().current.touch();
        Ok(())
    }

    /// From now on this stands for the only cache of whichever application is present.
    fn _serve_any(&self) {
        self.serves_any.store(true, Ordering::Relaxed);
    }

    fn _is_plain(slf: &Bound<'_, Self>) -> PyResult<bool> {
        Self::is_plain(slf)
    }

    /// The backend of the present application, or of the one that was set up last.
    ///
    /// Raises `AttributeError` or `KeyError` where the cache was never set up for it.
    #[getter]
    fn cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::find(slf).map(|(_, backend)| backend)
    }
}

impl CacheFront {
    /// The present application, if there is one, and the backend there.
    #[inline]
    pub(super) fn find<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Option<Bound<'py, PyAny>>, Bound<'py, PyAny>)> {
        let py = slf.py();
        let current = context_part(CURRENT_APP.get(py)?, intern!(py, "app"))?;
        if slf.get().serves_any.load(Ordering::Relaxed) {
            let backend = only_backend(slf, current.as_ref())?;
            return Ok((current, backend));
        }
        let extensions = match &current {
            Some(app) => app.getattr(intern!(py, "extensions"))?,
            None => slf
                .getattr(intern!(py, "app"))?
                .getattr(intern!(py, "extensions"))?,
        };
        let backend = extensions.get_item(intern!(py, "cache"))?.get_item(slf)?;
        Ok((current, backend))
    }

    /// Another one may be about to be set up, and this one to go.
    fn forget_app(&self) {
        self.app.store(0, Ordering::Relaxed);
    }

    /// May a call be answered without Flask-Caching's code? Not where a method that a decorated function
    /// goes through is overridden in a subclass, or patched.
    #[inline]
    pub(super) fn is_plain(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        if !this.current.is_so(slf) {
            this.refresh(slf)?;
        }
        Ok(this.plain.load(Ordering::Relaxed))
    }

    /// The present state of the attributes, and of what any cache was emptied of; ask after [`Self::is_plain`].
    pub(super) fn generation(&self) -> u32 {
        let clears = CLEARS.load(Ordering::Relaxed);
        self.generation.load(Ordering::Relaxed).wrapping_add(clears)
    }

    /// Is a hit to be told to Python? Ask after [`Self::is_plain`].
    #[inline]
    pub(super) fn tells<'py>(
        slf: &Bound<'py, Self>,
        present: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<bool> {
        if slf.get().serves_any.load(Ordering::Relaxed) {
            return match present {
                Some(app) => Ok(sends_signals(app)? || debugs(app)?),
                None => Ok(false),
            };
        }
        let address = slf.get().app.load(Ordering::Relaxed);
        let app = match present.filter(|app| app.as_ptr().addr() == address) {
            Some(app) => app,
            None => &slf.getattr(intern!(slf.py(), "app"))?,
        };
        Ok(slf.get().signals.load(Ordering::Relaxed) || debugs(app)?)
    }

    /// Is each key to be asked for? Ask after [`Self::is_plain`].
    pub(super) fn asks_for_keys(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    #[cold]
    fn refresh(&self, front: &Bound<'_, Self>) -> PyResult<()> {
        // Flask-Caching 2.4 knows no signals.
        let is_set = |name: &str| match front.getattr_opt(name)? {
            Some(value) => value.is_truthy(),
            None => Ok(false),
        };
        let reading = self.current.begin(front)?;
        let signals = is_set("enable_signals")?;
        let plain = call_function(IS_PLAIN.get(front.py())?, (front,))?.is_truthy()?;
        let asks = call_function(ASKS_FOR_KEYS.get(front.py())?, (front,))?;
        let asks = asks.is_truthy()?;
        let app = held_app(front)?;
        self.current.end(front, &reading, true, || {
            self.plain.store(plain, Ordering::Relaxed);
            self.signals.store(signals, Ordering::Relaxed);
            self.asks.store(asks, Ordering::Relaxed);
            self.app.store(app, Ordering::Relaxed);
            self.generation.fetch_add(1, Ordering::Relaxed);
        });
        Ok(())
    }
}

/// Where the application is that was set up last. As long as the cache object holds it, nothing else can be there.
fn held_app(front: &Bound<'_, CacheFront>) -> PyResult<usize> {
    let app = own_attribute(front, intern!(front.py(), "app"))?;
    Ok(app.map_or(0, |app| app.as_ptr().addr()))
}

/// An attribute that the cache object itself has, whatever its class computes.
fn own_attribute<'py>(
    front: &Bound<'py, CacheFront>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let attributes = front.getattr(intern!(front.py(), "__dict__"))?;
    attributes.cast::<PyDict>()?.get_item(name)
}

/// The backend of an application's only cache.
///
/// Raises `RuntimeError` where there is none, or more than one. Without an application it is a process-wide one.
fn only_backend<'py>(
    front: &Bound<'py, CacheFront>,
    app: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = front.py();
    let known = match app {
        Some(app) => only_cache(app)?.map(|(_, backend)| backend),
        None => own_attribute(front, intern!(py, "_process_wide"))?,
    };
    match known {
        Some(backend) => Ok(backend),
        None => call_method(front, intern!(py, "_find_backend"), ()),
    }
}

/// An application's cache and its backend, if it has just one.
fn only_cache<'py>(
    app: &Bound<'py, PyAny>,
) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
    let py = app.py();
    let extensions = app.getattr(intern!(py, "extensions"))?;
    let Ok(caches) = extensions.get_item(intern!(py, "cache")) else {
        return Ok(None);
    };
    // Another thread may be setting one up.
    let mut only = None;
    let count = ffi::dict_each(caches.cast::<PyDict>()?, |cache, backend| {
        only = Some((cache, backend));
        Ok::<_, PyErr>(())
    })?;
    Ok(only.filter(|_| count == 1))
}

/// Does an application's only cache send signals?
fn sends_signals(app: &Bound<'_, PyAny>) -> PyResult<bool> {
    let Some((cache, _)) = only_cache(app)? else {
        return Ok(false);
    };
    cache
        .getattr(intern!(app.py(), "enable_signals"))?
        .is_truthy()
}

/// Is the application in debug mode? Then each hit is logged.
fn debugs(app: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = app.py();
    let config = app.getattr(intern!(py, "config"))?;
    match config.cast::<PyDict>()?.get_item(intern!(py, "DEBUG"))? {
        Some(debug) => debug.is_truthy(),
        None => Ok(true),
    }
}

/// The request of the present context, if there is one.
#[inline]
pub(super) fn current_request(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    context_part(CURRENT_REQUEST.get(py)?, intern!(py, "request"))
}

#[inline]
fn context_part<'py>(
    variable: &Bound<'py, PyAny>,
    part: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match ffi::context_value(variable)? {
        Some(context) => context.getattr(part).map(Some),
        None => Ok(None),
    }
}
