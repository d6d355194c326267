//! Trees of exact dict, list, set and tuple: stored compact; from its second hit a tree may also keep a
//! prototype, if the budget has room for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyTuple};

use super::compact::{self, Compact};
use super::prototype::Node;
use crate::core::sync::{AtomicBool, AtomicU32, AtomicUsize, Mutex};
use crate::py::ffi;
use crate::py::flight::process_number;
use crate::py::prototypes::{Budget, Lease};
use crate::py::weight::counted;

/// Hits that a tree serves compact after its prototype found no room, or had to give way: what does not
/// fit the budget pays for trying in one hit of so many.
const BACK_OFF: u32 = 63;

/// A stored tree.
pub(in crate::py) struct Copied {
    compact: Compact,
    /// Hits to pass before a prototype is made, or tried again.
    hits_to_pass: AtomicU32,
    /// What a prototype would take, in bytes; 0 until one was made.
    size: AtomicUsize,
    /// Set by each hit on the prototype, cleared by the budget's second look.
    used: AtomicBool,
    prototype: Mutex<Option<Arc<Prototype>>>,
}

/// The hot form, and what it takes of the budget.
pub(in crate::py) struct Prototype {
    root: Node,
    /// The process that made it.
    process: u64,
    /// Gives its bytes back when the prototype goes.
    _lease: Lease,
}

impl Copied {
    /// The stored form of a container; None if the value is none, or holds what only pickle can store.
    pub(in crate::py) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let container = value.is_exact_instance_of::<PyDict>()
            || value.is_exact_instance_of::<PyList>()
            || value.is_exact_instance_of::<PyTuple>()
            || value.is_exact_instance_of::<PySet>();
        if !container {
            return Ok(None);
        }
        Ok(compact::encode(value)?.map(Self::new))
    }

    fn new(compact: Compact) -> Self {
        Self {
            compact,
            hits_to_pass: AtomicU32::new(1),
            size: AtomicUsize::new(0),
            used: AtomicBool::new(false),
            prototype: Mutex::new(None),
        }
    }

    /// What it takes, in bytes, without a prototype.
    pub(in crate::py) fn weight(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.compact.weight(py)?.saturating_add(counted::<Self>()))
    }

    /// A tree of the caller's own. Raises `MemoryError`, or what hashing a key raises.
    pub(in crate::py) fn decode<'py>(
        this: &Arc<Self>,
        py: Python<'py>,
        budget: &Arc<Budget>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(prototype) = this.hot() {
            this.used.store(true, Ordering::Relaxed);
            return prototype.root.copy(py);
        }
        if this.is_due(budget) {
            return this.warm_up(py, budget);
        }
        this.compact.decode(py)
    }

    /// Is it this hit that makes a prototype?
    fn is_due(&self, budget: &Budget) -> bool {
        let one_less = |hits: u32| hits.checked_sub(1);
        let passed = self
            .hits_to_pass
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_err();
        if !passed || !self.compact.is_plain_tree() {
            return false;
        }
        let room = budget.make_room(self.size.load(Ordering::Relaxed).max(1));
        if !room {
            self.back_off();
        }
        room
    }

    fn back_off(&self) {
        self.hits_to_pass.store(BACK_OFF, Ordering::Relaxed);
    }

    /// The prototype. Where there is no global lock, one that came along in a fork counts for nothing: to copy a
    /// container is to lock it, and a thread that is not here may have been about to.
    fn hot(&self) -> Option<Arc<Prototype>> {
        let is_own =
            |kept: &&Arc<Prototype>| !ffi::FREE_THREADED || kept.process == process_number();
        self.prototype.lock().as_ref().filter(is_own).cloned()
    }

    /// Makes a prototype, keeps it if the budget allows, and returns a copy of it.
    fn warm_up<'py>(
        self: &Arc<Self>,
        py: Python<'py>,
        budget: &Arc<Budget>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let fresh = self.compact.decode(py)?;
        let Some(root) = Node::take_apart(&fresh)? else {
            // A tuple of leaves, nested too deeply to be shared.
            self.back_off();
            return Ok(fresh);
        };
        let copy = root.copy(py)?;
        // Allocators round up: resident memory was measured to grow by a quarter more.
        let bytes = root.size(py) / 4 * 5;
        self.size.store(bytes, Ordering::Relaxed);
        if budget.make_room(bytes)
            && let Some(lease) = budget.lease(bytes)
        {
            let prototype = Arc::new(Prototype {
                root,
                process: process_number(),
                _lease: lease,
            });
            let before = self.prototype.lock().replace(prototype);
            // Out of the lock: another thread may have been as quick.
            drop(before);
            budget.remember(self);
        } else {
            self.back_off();
        }
        Ok(copy)
    }

    /// The budget's second look: was the prototype used since the last one?
    pub(in crate::py) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Gives the prototype up; the caller drops it out of every lock.
    pub(in crate::py) fn cool_down(&self) -> Option<Arc<Prototype>> {
        self.back_off();
        self.prototype.lock().take()
    }
}
