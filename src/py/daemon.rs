//! Daemon threads at the interpreter's end.
//!
//! Before 3.14, CPython ends a daemon thread that wants to run on after the interpreter has begun to end by unwinding its
//! stack (`pthread_exit`). That must not pass through Rust, where destructors would touch Python objects without
//! the right to, and where it would be caught and abort the process. So the innermost Rust frame below Python
//! code stops it, and the thread sleeps until the process is gone, which is what CPython does from 3.14 on.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::ffi;

/// Calls what may run Python code: a view, a wait, a serializer, pickle, a method of our own in Python.
///
/// Raises what the callable raises.
pub(super) fn call_python<'py>(
    callable: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    // The compiler takes C functions for functions that never unwind, and would leave the guard out: so it is
    // not shown what it is that is called.
    let call: ffi::Call = std::hint::black_box(ffi::call_object);
    let sleep = SleepForEver;
    let result = call(callable, args, kwargs);
    std::mem::forget(sleep);
    result.into_result(callable.py())
}

/// The same of a function without keywords.
pub(super) fn call_function<'py, A: Arguments<'py>>(
    callable: &Bound<'py, PyAny>,
    args: A,
) -> PyResult<Bound<'py, PyAny>> {
    let args = args.into_pyobject(callable.py()).map_err(Into::into)?;
    call_python(callable, &args, None)
}

/// The same of a method.
pub(super) fn call_method<'py, A: Arguments<'py>>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: A,
) -> PyResult<Bound<'py, PyAny>> {
    call_function(&object.getattr(name)?, args)
}

/// A tuple of what is passed.
pub(super) trait Arguments<'py>:
    IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>
{
}

impl<'py, T> Arguments<'py> for T where
    T: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>
{
}

/// Dropped only if the stack is being unwound.
struct SleepForEver;

impl Drop for SleepForEver {
    fn drop(&mut self) {
        // A panic of our own goes on to become an exception.
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}
