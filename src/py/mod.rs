//! The boundary: Python objects to stored values and back, key bytes, and the native classes.

mod cached;
mod clock;
mod codec;
mod current;
mod daemon;
mod errors;
mod ffi;
mod flight;
mod front;
mod imports;
mod jitter;
mod key;
mod prototypes;
mod remembered;
mod settings;
mod store;
mod timeout;
mod value;
mod vault;

use pyo3::prelude::*;

/// What Python sees as `flask_rustcache._native`. It needs no global interpreter lock.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::cached::CachedFunction;
    #[pymodule_export]
    use super::flight::{_fill_returned, _forget_fills};
    #[pymodule_export]
    use super::front::CacheFront;
    #[pymodule_export]
    use super::store::{_frozen_tags, Store};
}
