//! Whether what was read of an object's attributes is still so.
//!
//! Reading them on each call would cost more than the call, so their owner keeps a summary, in atomics. It is
//! current as long as the class's version tag (CPython changes it with the class) is the one it was made
//! under and no attribute of the object was set since. Reading attributes runs Python code, so it is done under
//! no lock; what has changed by the time the summary is put in place is noticed then.

use pyo3::prelude::*;

use super::ffi;
use crate::core::sync::{AtomicU32, Mutex, Ordering};
use crate::py::once::intern;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Current {
    /// The class version under which the summary was made; 0 = out of date.
    version: AtomicU32,
    /// Counts the changes of the object's own attributes. Locked while a summary is put in place.
    changes: Mutex<u32>,
}

/// The state of things before the attributes were read.
#[derive(Debug)]
pub(super) struct Reading {
    version: u32,
    changes: u32,
}

impl Current {
    /// Does the summary tell the truth?
    #[inline]
    pub(super) fn is_so(&self, object: &Bound<'_, PyAny>) -> bool {
        let version = self.version.load(Ordering::Acquire);
        version != 0 && version == ffi::type_version(object)
    }

    /// An attribute of the object was set or deleted.
    pub(super) fn touch(&self) {
        let mut changes = self.changes.lock();
        *changes = changes.wrapping_add(1);
        self.version.store(0, Ordering::Relaxed);
    }

    /// The attributes are about to be read. Raises what the look-up in the class raises.
    pub(super) fn begin(&self, object: &Bound<'_, PyAny>) -> PyResult<Reading> {
        let changes = *self.changes.lock();
        // The look-up makes CPython give the class a version, if it has none.
        drop(object.get_type().getattr(intern!(object.py(), "__doc__"))?);
        Ok(Reading {
            version: ffi::type_version(object),
            changes,
        })
    }

    /// The attributes were read: `write` puts their summary in place, and runs no Python code. It tells the truth
    /// from now on if nothing has changed since the reading began, and `lasts` says that changes are noticed.
    pub(super) fn end(
        &self,
        object: &Bound<'_, PyAny>,
        reading: &Reading,
        lasts: bool,
        write: impl FnOnce(),
    ) {
        let changes = self.changes.lock();
        let holds = *changes == reading.changes && ffi::type_version(object) == reading.version;
        // Another thread's may be newer than one that does not hold any more.
        if holds || !self.is_so(object) {
            write();
        }
        if holds && lasts {
            self.version.store(reading.version, Ordering::Release);
        }
    }
}
