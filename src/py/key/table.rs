//! Keys that are no str: a Python dict from key to number, and one back.
//!
//! The dict runs `__hash__` and `__eq__`, which may raise, call the cache, or let another thread in. So a
//! number is *pinned* while an operation uses it, and retired only when no operation does and the
//! core holds no entry for it; what finds a number retired under its hands looks again.

use std::collections::HashMap;

use ahash::RandomState;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::core::sync::Mutex;

/// No key ever has this number: what is not in the table is asked of the core under it, and not found.
pub(in crate::py) const NOBODY: u64 = 0;

/// How often a look-up waits for another thread to finish retiring a number before it takes a new one.
const PATIENCE: usize = 64;

/// The table. Both dicts are fixed for the store's life, so the collector can follow them without a lock.
pub(in crate::py) struct KeyTable {
    numbers: Py<PyDict>,
    keys: Py<PyDict>,
    pins: Mutex<Pins>,
}

#[derive(Default)]
struct Pins {
    last: u64,
    alive: HashMap<u64, Pin, RandomState>,
}

/// How many operations use a number now, and how many have.
#[derive(Default, Clone, Copy)]
struct Pin {
    users: u32,
    uses: u32,
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

impl Pins {
    fn pin(&mut self, number: u64) -> bool {
        let Some(pin) = self.alive.get_mut(&number) else {
            return false;
        };
        pin.users += 1;
        pin.uses = pin.uses.wrapping_add(1);
        true
    }

    fn pin_new(&mut self) -> u64 {
        self.last += 1;
        self.alive.insert(self.last, Pin { users: 1, uses: 1 });
        self.last
    }

    fn retire(&mut self, idle: Idle) -> bool {
        let same = |pin: &Pin| pin.users == 0 && pin.uses == idle.uses;
        let retired = self.alive.get(&idle.number).is_some_and(same);
        if retired {
            self.alive.remove(&idle.number);
        }
        retired
    }
}

impl KeyTable {
    pub(in crate::py) fn new(py: Python<'_>) -> Self {
        let dict = || PyDict::new(py).unbind();
        Self {
            numbers: dict(),
            keys: dict(),
            pins: Mutex::default(),
        }
    }

    pub(in crate::py) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.numbers)?;
        visit.call(&self.keys)
    }

    /// The key's number, pinned, or [`NOBODY`].
    ///
    /// Raises `TypeError` for an unhashable key, and whatever its `__hash__` or `__eq__` raise.
    pub(in crate::py) fn find(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        for _ in 0..PATIENCE {
            let Some(number) = self.numbers.bind(key.py()).get_item(key)? else {
                return Ok(NOBODY);
            };
            let number = number.extract()?;
            if self.pins.lock().pin(number) {
                return Ok(number);
            }
            key.py().detach(std::thread::yield_now);
        }
        Ok(NOBODY)
    }

    /// The key's number, pinned; a new one if it has none. Raises as [`Self::find`] does.
    pub(in crate::py) fn find_or_make(&self, key: &Bound<'_, PyAny>) -> PyResult<u64> {
        let py = key.py();
        for attempt in 0.. {
            let found = self.find(key)?;
            if found != NOBODY {
                return Ok(found);
            }
            let made = self.pins.lock().pin_new();
            let winner = if attempt < PATIENCE {
                self.set_default(key, made)?
            } else {
                // Whoever retired the old number could not take its key out (`__hash__` raised there).
                self.numbers.bind(py).set_item(key, made)?;
                made
            };
            if winner == made {
                self.keys.bind(py).set_item(made, key)?;
                return Ok(made);
            }
            self.pins.lock().alive.remove(&made);
        }
        Ok(NOBODY)
    }

    fn set_default(&self, key: &Bound<'_, PyAny>, number: u64) -> PyResult<u64> {
        let py = key.py();
        let numbers = self.numbers.bind(py);
        let winner = numbers.call_method1(intern!(py, "setdefault"), (key, number));
        let winner = winner.and_then(|winner| winner.extract());
        if winner.is_err() {
            self.pins.lock().alive.remove(&number);
        }
        winner
    }

    /// Ends an operation's use of a number; Some if nobody else uses it now.
    pub(in crate::py) fn unpin(&self, number: u64) -> Option<Idle> {
        let mut pins = self.pins.lock();
        let pin = pins.alive.get_mut(&number)?;
        pin.users -= 1;
        (pin.users == 0).then_some(Idle {
            number,
            uses: pin.uses,
        })
    }

    /// Some if no operation uses the number now.
    pub(in crate::py) fn idle(&self, number: u64) -> Option<Idle> {
        let pin = *self.pins.lock().alive.get(&number)?;
        (pin.users == 0).then_some(Idle {
            number,
            uses: pin.uses,
        })
    }

    /// Forgets a key whose number the core was seen not to hold while it was idle.
    pub(in crate::py) fn retire(&self, py: Python<'_>, idle: Idle) {
        if !self.pins.lock().retire(idle) {
            return;
        }
        if let Err(error) = self.forget(py, idle.number) {
            // The key's own code raised. The caller asked for something else, so it is only reported.
            error.write_unraisable(py, None);
        }
    }

    fn forget(&self, py: Python<'_>, number: u64) -> PyResult<()> {
        let keys = self.keys.bind(py);
        if let Some(key) = keys.get_item(number)? {
            keys.del_item(number)?;
            self.numbers.bind(py).del_item(key)?;
        }
        Ok(())
    }

    /// The key that has this number, if it still has one.
    pub(in crate::py) fn key_of<'py>(
        &self,
        py: Python<'py>,
        number: u64,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.keys.bind(py).get_item(number)
    }
}
