//! Daemon threads at the interpreter's end.
//!
//! Before 3.14, CPython ends a daemon thread that wants to run on after the interpreter has begun to end by unwinding its
//! stack (`pthread_exit`). That must not pass through Rust, where destructors would touch Python objects without
//! the right to, and where it would be caught and abort the process. So the innermost Rust frame below Python
//! code stops it, and the thread sleeps until the process is gone, which is what CPython does from 3.14 on.

/// Calls what may run Python code: a view, a wait, a value's or a key's own methods.
///
/// The compiler takes calls of C for calls that never unwind, and would leave the guard out: so it is not
/// shown what it is that is called.
pub(super) fn run_python<R>(call: impl FnOnce() -> R) -> R {
    let (mut call, mut result) = (Some(call), None);
    let mut run = || result = call.take().map(|call| call());
    let hidden: &mut dyn FnMut() = std::hint::black_box(&mut run);
    let sleep = SleepForEver;
    hidden();
    std::mem::forget(sleep);
    match result {
        Some(result) => result,
        None => unreachable!("it has just been called"),
    }
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
