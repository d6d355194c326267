//! Keys that are no str: a number for each, found by hash and `==` as in a dict.
//!
//! `__hash__` and `__eq__` are anybody's code: they may raise, call the cache, or let another thread in. So they run
//! only while a key is looked up, never under the lock, and never when a key is forgotten. A number is
//! *pinned* while an operation uses it, and retired only when no operation does and the core holds no
//! entry for it; a look-up that finds its ground changed looks again.

use std::collections::HashMap;

use ahash::RandomState;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::core::sync::Mutex;
use crate::py::numbered::Numbered;

/// No key ever has this number: what is not in the table is asked of the core under it, and not found.
pub(in crate::py) const NOBODY: u64 = 0;

/// The table.
pub(in crate::py) struct KeyTable {
    keys: Numbered,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    last: u64,
    numbers: HashMap<u64, Use, RandomState>,
    by_hash: HashMap<isize, Vec<u64>, RandomState>,
}

/// How many operations use a number now, how many have, and its key's hash.
struct Use {
    now: u32,
    ever: u32,
    hash: isize,
}

/// An idle number as it was seen: it is retired only if it is still as idle.
#[derive(Clone, Copy)]
pub(in crate::py) struct Idle {
    number: u64,
    uses: u32,
}

impl Idle {
    pub(in crate::py) const fn number(self) -> u64 {
        self.number
    }
}

impl Index {
    fn candidates(&self, hash: isize) -> Vec<u64> {
        self.by_hash.get(&hash).cloned().unwrap_or_default()
    }

    fn pin(&mut self, number: u64) -> bool {
        let Some(uses) = self.numbers.get_mut(&number) else {
            return false;
        };
        uses.now += 1;
        uses.ever = uses.ever.wrapping_add(1);
        true
    }

    fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Enters a new number, pinned, unless other numbers than those looked at have this hash by now.
    fn enter(&mut self, number: u64, hash: isize, seen: &[u64]) -> bool {
        let same_hash = self.by_hash.entry(hash).or_default();
        if same_hash != seen {
            return false;
        }
        same_hash.push(number);
        self.numbers.insert(
            number,
            Use {
                now: 1,
                ever: 1,
                hash,
            },
        );
        true
    }

    fn idle(&self, number: u64) -> Option<Idle> {
        let uses = self.numbers.get(&number)?;
        (uses.now == 0).then_some(Idle {
            number,
            uses: uses.ever,
        })
    }

    fn retire(&mut self, idle: Idle) -> bool {
        let same = self
            .idle(idle.number)
            .is_some_and(|now| now.uses == idle.uses);
        if same && let Some(uses) = self.numbers.remove(&idle.number) {
            self.drop_hash(idle.number, uses.hash);
        }
        same
    }

    fn drop_hash(&mut self, number: u64, hash: isize) {
        if let Some(same_hash) = self.by_hash.get_mut(&hash) {
            same_hash.retain(|other| *other != number);
            if same_hash.is_empty() {
                self.by_hash.remove(&hash);
            }
        }
    }
}

impl KeyTable {
    pub(in crate::py) fn new(py: Python<'_>) -> Self {
        Self {
            keys: Numbered::new(py),
            index: Mutex::default(),
        }
    }

    pub(in crate::py) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.keys.traverse(visit)
    }

    /// The key's number, pinned, or [`NOBODY`].
    ///
    /// Raises `TypeError` for an unhashable key, and whatever its `__hash__` or `__eq__` raise.
    pub(in crate::py) fn find(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        let hash = key.hash()?;
        loop {
            let seen = self.index.lock().candidates(hash);
            match self.equal_among(key, &seen)? {
                None => return Ok(NOBODY),
                Some(number) if self.index.lock().pin(number) => return Ok(number),
                Some(_) => key.py().check_signals()?,
            }
        }
    }

    /// The key's number, pinned; a new one if it has none. Raises as [`Self::find`] does.
    pub(in crate::py) fn find_or_make(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        let hash = key.hash()?;
        loop {
            let seen = self.index.lock().candidates(hash);
            let number = match self.equal_among(key, &seen)? {
                Some(number) => self.index.lock().pin(number).then_some(number),
                None => self.make(key, hash, &seen)?,
            };
            if let Some(number) = number {
                return Ok(number);
            }
            key.py().check_signals()?;
        }
    }

    /// The first of these numbers whose key is this one, or equals it.
    fn equal_among(&self, key: &Bound<'_, PyAny>, numbers: &[u64]) -> PyResult<Option<u64>> {
        for &number in numbers {
            if let Some(known) = self.key_of(key.py(), number)?
                && (known.is(key) || known.eq(key)?)
            {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// A new number; None if another thread, or the key's own code, entered one of the same hash meanwhile.
    fn make(&self, key: &Bound<'_, PyAny>, hash: isize, seen: &[u64]) -> PyResult<Option<u64>> {
        let number = self.index.lock().next_number();
        // First the key, then the number: whoever finds the number finds its key.
        self.keys.put(number, key)?;
        if self.index.lock().enter(number, hash, seen) {
            return Ok(Some(number));
        }
        drop(self.keys.take(key.py(), number));
        Ok(None)
    }

    /// Ends an operation's use of a number; Some if nobody else uses it now.
    pub(in crate::py) fn unpin(&self, number: u64) -> Option<Idle> {
        let mut index = self.index.lock();
        index.numbers.get_mut(&number)?.now -= 1;
        index.idle(number)
    }

    /// Some if no operation uses the number now.
    pub(in crate::py) fn idle(&self, number: u64) -> Option<Idle> {
        self.index.lock().idle(number)
    }

    /// Forgets a key whose number the core was seen not to hold while it was idle.
    pub(in crate::py) fn retire(&self, py: Python<'_>, idle: Idle) {
        if self.index.lock().retire(idle) {
            // It is there: the number was entered after it, and is nobody's business any more.
            drop(self.keys.take(py, idle.number));
        }
    }

    /// The key that has this number, if it still has one.
    pub(in crate::py) fn key_of<'py>(
        &self,
        py: Python<'py>,
        number: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.keys.get(py, number)
    }
}
