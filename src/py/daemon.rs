//! Daemon threads at the interpreter's end.
//!
//! Before 3.14, CPython ends a daemon thread that wants to run on after the interpreter has begun to end by unwinding its
//! stack (`pthread_exit`). That must not pass through Rust, where destructors would touch Python objects without
//! the right to, and where it would be caught and abort the process. So the innermost Rust frame below Python
//! code stops it, and the thread sleeps until the process is gone, which is what CPython does from 3.14 on.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::ffi;

/// Calls what may run Python code for long: a view, a wait, a serializer, pickle.
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
