//! What is made at its first use and then kept.
//!
//! `PyOnceLock`, and with it `pyo3::intern!`, gives the interpreter away just after it has begun, and whoever else asks
//! waits. A process that another thread forks at that moment would wait for ever. Here nobody is ever waited for
//! who could be elsewhere: two threads may make the same thing at once, and one of them is kept.

use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// See the module.
pub(super) struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What there is, else what `make` makes; that may run Python code. Raises what it raises, and tries again
    /// the next time.
    #[inline]
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> PyResult<T>) -> PyResult<&T> {
        match self.0.get() {
            Some(kept) => Ok(kept),
            None => self.make(make),
        }
    }

    #[cold]
    fn make(&self, make: impl FnOnce() -> PyResult<T>) -> PyResult<&T> {
        Ok(self.keep(make()?))
    }

    /// Keeps the first of all that are made. No Python runs in here, so nobody can be made to wait in the middle.
    #[cold]
    fn keep(&self, made: T) -> &T {
        self.0.get_or_init(|| made)
    }
}

impl Once<Py<PyString>> {
    /// The str of a text, always the same.
    #[inline]
    pub(super) fn interned<'py>(&self, py: Python<'py>, text: &str) -> &Bound<'py, PyString> {
        match self.0.get() {
            Some(kept) => kept.bind(py),
            None => self.keep(PyString::intern(py, text).unbind()).bind(py),
        }
    }
}

/// `intern!(py, "text")`: the str, made once for this place in the code.
macro_rules! intern {
    ($py:expr, $text:expr) => {{
        static NAME: $crate::py::once::Once<pyo3::Py<pyo3::types::PyString>> =
            $crate::py::once::Once::new();
        NAME.interned($py, $text)
    }};
}
pub(super) use intern;
