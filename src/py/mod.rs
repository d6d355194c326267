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
mod interpreter;
mod jitter;
mod key;
mod numbered;
mod once;
mod prototypes;
mod remembered;
mod settings;
mod store;
mod timeout;
mod value;
mod vault;
mod weight;

use pyo3::prelude::*;

/// What Python sees as `flask_rustcache._native`. It needs no global interpreter lock.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::claim(module.py())?;
    // What is made at a first use, another thread may fork in the middle of.
    module.py().get_type::<flight::Fill>();
    module.add_class::<cached::CachedFunction>()?;
    module.add_class::<front::CacheFront>()?;
    module.add_class::<store::Store>()?;
    module.add_function(wrap_pyfunction!(flight::_fill_returned, module)?)?;
    module.add_function(wrap_pyfunction!(flight::_forget_fills, module)?)?;
    module.add_function(wrap_pyfunction!(store::_frozen_tags, module)?)
}
