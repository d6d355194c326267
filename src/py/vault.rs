//! Objects that a custom serializer returned in place of bytes. They may refer to anything, the cache
//! included, so they are kept where the collector can follow them, and never in an entry.

use std::sync::atomic::Ordering;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::numbered::Numbered;
use crate::core::sync::AtomicU64;

/// The objects, and the last number that was given to one.
pub(super) struct Vault {
    objects: Numbered,
    last: AtomicU64,
}

/// An object in the vault for which there may never be an entry: the insertion may fail in many ways.
pub(super) struct Unclaimed<'a, 'py> {
    vault: &'a Vault,
    py: Python<'py>,
    number: Option<u64>,
}

impl Unclaimed<'_, '_> {
    /// The store has it, or not.
    #[inline]
    pub(super) fn settle(mut self, stored: bool) {
        if stored {
            self.number = None;
        }
    }
}

impl Drop for Unclaimed<'_, '_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            drop(self.vault.take(self.py, number));
        }
    }
}

impl Vault {
    pub(super) fn new(py: Python<'_>) -> Self {
        Self {
            objects: Numbered::new(py),
            last: AtomicU64::new(0),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.objects.traverse(visit)
    }

    /// Keeps an object; the number it is found by.
    pub(super) fn put(&self, object: &Bound<'_, PyAny>) -> PyResult<u64> {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        self.objects.put(number, object)?;
        Ok(number)
    }

    /// The object; None if it was taken out meanwhile.
    pub(super) fn get<'py>(
        &self,
        py: Python<'py>,
        number: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.objects.get(py, number)
    }

    /// Holds on to a number that is not yet in the store: unless it is claimed, it is taken out again.
    pub(super) const fn hold<'a, 'py>(
        &'a self,
        py: Python<'py>,
        number: Option<u64>,
    ) -> Unclaimed<'a, 'py> {
        Unclaimed {
            vault: self,
            py,
            number,
        }
    }

    /// Takes an object out, and hands it over to be dropped where that does no harm.
    pub(super) fn take<'py>(&self, py: Python<'py>, number: u64) -> Option<Bound<'py, PyAny>> {
        self.objects.take(py, number)
    }
}
