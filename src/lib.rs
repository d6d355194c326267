//! The native cache a Flask application switches to without changing its structure.
//!
//! Three storeys, and dependencies point down only:
//!
//! * `python/flask_rustcache` (Python): options, Flask objects; takes no native lock.
//! * `py` (with the feature `python`): Python objects to stored values and back, key bytes, the `Store` class. Owns no cache policy.
//! * [`core`]: store, shards, eviction, expiry, counters. Compiles and is tested with no Python present.
//!
//! The rules that keep the storeys honest:
//!
//! * No Python code runs under a core lock: inside, only a reference count may be bumped. What leaves
//!   the store comes back as [`core::Evicted`] and is dropped by the caller, after the unlock, attached.
//! * Core locks are leaves, taken while attached to the interpreter and never held across a detach. So a fork
//!   always finds every core lock free, in the parent and in the child: under the GIL nobody else is attached, and
//!   without it CPython first stops all other threads, which none does under a lock. The same goes for its collector.
//! * Every operation is given `now`, read before any lock.
//! * All `unsafe` is in `src/py/ffi.rs`.

#[cfg(all(feature = "model", feature = "python"))]
compile_error!("the feature `model` is for tests of the core: it is not to be shipped");

pub mod core;
#[cfg(feature = "python")]
mod py;
