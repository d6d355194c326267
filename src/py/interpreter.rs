//! One interpreter of the process has the module: types and caches of Python objects are static here, and an
//! interpreter may not use another's.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;

use super::ffi;
use crate::core::sync::{AtomicI64, Ordering};

const NOBODY: i64 = -1;

/// The interpreter that imported the module first. Its number is not given to another after its end.
static OWNER: AtomicI64 = AtomicI64::new(NOBODY);

/// Makes this interpreter the one that has the module.
///
/// Raises `ImportError` if another one has it.
pub(super) fn claim(py: Python<'_>) -> PyResult<()> {
    let own = ffi::interpreter_number(py)?;
    match OWNER.compare_exchange(NOBODY, own, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != own => Err(PyImportError::new_err(
            "flask_rustcache works in one interpreter of a process, and another one of this process has \
             imported it: run the application in the main interpreter (mod_wsgi: `WSGIApplicationGroup \
             %{GLOBAL}` and a daemon process group for each application; uWSGI: `single-interpreter = true`)",
        )),
        _ => Ok(()),
    }
}
