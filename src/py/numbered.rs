//! Python objects by number, in a Python dict, which the collector can follow without a lock: it is never another one.
//!
//! Without a global lock a dict has one of its own, which CPython may hand to a thread that waited for it just
//! before a fork; nobody in the child would ever get it. Here nobody waits for it: a lock of ours comes before it.
//! To look up, put in or take out a number (an int: its hash and equality are CPython's) runs nobody's code and gives
//! the interpreter to nobody, so that the lock is free whenever a thread forks.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::core::sync::Mutex;

/// See the module.
pub(super) struct Numbered {
    objects: Py<PyDict>,
    lock: Mutex<()>,
}

impl Numbered {
    pub(super) fn new(py: Python<'_>) -> Self {
        Self {
            objects: PyDict::new(py).unbind(),
            lock: Mutex::new(()),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)
    }

    /// Keeps an object under a number that is nobody's. Raises `MemoryError`.
    pub(super) fn put(&self, number: u64, object: &Bound<'_, PyAny>) -> PyResult<()> {
        let objects = self.objects.bind(object.py());
        let number = number.into_pyobject(object.py())?;
        let _held = self.lock.lock();
        objects.set_item(number, object)
    }

    /// The object, if there is one under that number.
    pub(super) fn get<'py>(
        &self,
        py: Python<'py>,
        number: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let number = number.into_pyobject(py)?;
        let _held = self.lock.lock();
        self.objects.bind(py).get_item(number)
    }

    /// Takes an object out, and hands it over to be dropped where that does no harm.
    pub(super) fn take<'py>(&self, py: Python<'py>, number: u64) -> Option<Bound<'py, PyAny>> {
        let objects = self.objects.bind(py);
        let number = number.into_pyobject(py).ok()?;
        let _held = self.lock.lock();
        let object = objects.get_item(&number).ok()??;
        // Not freed in here: `object` is a reference to it.
        objects.del_item(&number).ok()?;
        Some(object)
    }
}
