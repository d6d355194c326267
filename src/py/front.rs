//! `CacheFront`: the native half of `flask_rustcache.Cache`. It finds the present application's store
//! without Flask's proxies, and knows whether a hit may be answered without Flask-Caching's own code.

use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::ffi;
use super::imports::{CURRENT_APP, CURRENT_REQUEST, UPSTREAM_METHODS};
use crate::core::sync::{AtomicBool, AtomicU32};

/// What `flask_rustcache.Cache` is built on; use that.
#[pyclass(frozen, subclass, module = "flask_rustcache._native")]
pub(super) struct CacheFront {
    /// The class version under which `plain` was found out; 0 = out of date.
    version: AtomicU32,
    /// May a hit be answered without Flask-Caching's code?
    plain: AtomicBool,
    /// Counts how often that was found out: what follows from attributes holds for one such state.
    generation: AtomicU32,
}

#[pymethods]
impl CacheFront {
    /// Takes anything, so that a subclass may have a signature of its own.
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            version: AtomicU32::new(0),
            plain: AtomicBool::new(false),
            generation: AtomicU32::new(0),
        }
    }

    fn __setattr__(
        slf: &Bound<'_, Self>,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        ffi::set_attribute(slf.as_any(), name, Some(value))?;
        slf.get().version.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn __delattr__(slf: &Bound<'_, Self>, name: &Bound<'_, PyString>) -> PyResult<()> {
        ffi::set_attribute(slf.as_any(), name, None)?;
        slf.get().version.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// The backend of the present application, or of the one that was set up last.
    ///
    /// Raises `AttributeError` or `KeyError` where the cache was never set up for it.
    #[getter]
    pub(super) fn cache<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let app = match context_part(CURRENT_APP.get(py)?, intern!(py, "app"))? {
            Some(app) => app,
            None => slf.getattr(intern!(py, "app"))?,
        };
        let extensions = app.getattr(intern!(py, "extensions"))?;
        extensions.get_item(intern!(py, "cache"))?.get_item(slf)
    }
}

impl CacheFront {
    /// May a hit be answered without Flask-Caching's code? Not where `get` or `cache` is overridden in a
    /// subclass or patched, or where signals are to be sent.
    #[inline]
    pub(super) fn is_plain(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let this = slf.get();
        let version = this.version.load(Ordering::Relaxed);
        if version == 0 || version != ffi::type_version(slf.as_any()) {
            this.refresh(slf)?;
        }
        Ok(this.plain.load(Ordering::Relaxed))
    }

    /// The present state of the attributes; ask after [`Self::is_plain`].
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    #[cold]
    fn refresh(&self, front: &Bound<'_, Self>) -> PyResult<()> {
        let plain = is_untouched(front)?
            && !front
                .getattr(intern!(front.py(), "enable_signals"))?
                .is_truthy()?
            && !front
                .getattr(intern!(front.py(), "source_check"))?
                .is_truthy()?;
        self.plain.store(plain, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.version
            .store(ffi::type_version(front.as_any()), Ordering::Relaxed);
        Ok(())
    }
}

/// Are the methods that a hit goes through Flask-Caching's own, and the look-up of the backend ours?
fn is_untouched(front: &Bound<'_, CacheFront>) -> PyResult<bool> {
    let py = front.py();
    let (class, own) = (front.get_type(), front.getattr(intern!(py, "__dict__"))?);
    for (name, theirs) in UPSTREAM_METHODS.get(py)?.cast::<PyDict>()? {
        let name = name.cast::<PyString>()?;
        if !class.getattr(name)?.is(&theirs) || own.contains(name)? {
            return Ok(false);
        }
    }
    let cache = intern!(py, "cache");
    let native = py.get_type::<CacheFront>().getattr(cache)?;
    Ok(class.getattr(cache)?.is(&native))
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
