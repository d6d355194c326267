//! How a miss travels: one caller at a time runs the function for a key, and stores what it returned if that is
//! still wanted then; the others wait, once, and look again.

use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::keys::{Known, parts_of};
use super::{Call, Found, Sought};
use crate::py::flight::{Caller, Claim, Place, Role};
use crate::py::key::buffer::Buffer;
use crate::py::key::text_bytes;
use crate::py::store::{InUse, Store};

/// What was not found.
pub(super) struct Miss<'py> {
    key: Vec<u8>,
    /// The key, and for a memoized function what belongs to it, for Python.
    made: Bound<'py, PyAny>,
    /// What its entry is to be let go by.
    tags: Vec<Box<[u8]>>,
    /// The versions of those, one after the other.
    versions: Option<String>,
    /// The caller wants a value of its own.
    alone: bool,
}

/// A caller, what it is to do, and how long it waits, in seconds.
type Asked<'py> = (Caller<'py>, Role<'py>, f64);

impl<'py> Call<'_, 'py> {
    /// Nothing is there under a key. A key that was remembered may be outdated: then the new one is looked for.
    #[cold]
    pub(super) fn miss(
        &self,
        store: &Bound<'py, Store>,
        key: &Buffer,
        known: Known<'py>,
        mut alone: bool,
    ) -> PyResult<Sought<'py>> {
        let made = match known {
            Known::Made(made) => made,
            Known::Odd(made) => return Ok(Sought::Odd(made, alone)),
            Known::None => return Ok(Sought::Uncacheable),
            Known::Key if !self.makes_parts() => {
                PyString::new(self.py(), &String::from_utf8_lossy(key.bytes())).into_any()
            }
            Known::Key => {
                let mut anew = Buffer::new();
                let made = match self.make_key(&mut anew)? {
                    Known::Made(made) => made,
                    Known::Odd(made) => return Ok(Sought::Odd(made, alone)),
                    Known::Key | Known::None => return Ok(Sought::Uncacheable),
                };
                if anew.bytes() != key.bytes() {
                    self.remember_anew(&anew, store);
                    if !alone && let Some(found) = self.look(store, anew.bytes(), &mut alone)? {
                        return Ok(Sought::Found(found));
                    }
                }
                return Miss::new(anew.bytes(), made, alone).map(Sought::Miss);
            }
        };
        Miss::new(key.bytes(), made, alone).map(Sought::Miss)
    }

    /// Runs the function, or waits for somebody who is running it and looks again, once.
    pub(super) fn fill(
        &self,
        store: &Bound<'py, Store>,
        miss: &Miss<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py();
        let records = InUse::begin(store, &miss.tags);
        let place = Store::place(store, miss.key.clone());
        let asked = self.role(&place, miss.alone);
        let Some((caller, role, patience)) = fail_open(py, asked)? else {
            return self.run(store, miss);
        };
        let mut flight = None;
        let mut looks = true;
        match role {
            Role::Lead(number) => flight = Some(number),
            Role::Alone => looks = false,
            Role::Follow(follower) => {
                fail_open(py, follower.wait(patience))?;
                drop(follower);
                if let Some(found) = self.look_again(store, miss)? {
                    Store::count_coalesced(store);
                    return self.deliver(found);
                }
                looks = false;
            }
        }
        let ticket = Store::ticket(store, &miss.key, &miss.tags)?;
        let claim = Claim {
            ticket: ticket.ticket,
            place,
            tags: miss.tags.clone(),
        };
        let mut out = Some(ticket);
        let filling = fail_open(py, caller.begin(py, claim, flight).map(Some))?;
        let current = match &miss.versions {
            Some(versions) => Store::are_current(store, &miss.tags, versions)?,
            None => true,
        };
        // Somebody may have stored it while this caller came to lead.
        let found = if looks && flight.is_some() {
            self.look_again(store, miss)?
        } else {
            None
        };
        let result = match found {
            Some(found) => self.deliver(found),
            None if current => self.run(store, miss),
            None => {
                // Forgotten just now: what is computed has no place any more, and is not stored.
                drop(out.take());
                self.run(store, miss)
            }
        };
        let stored = Store::holds(store, &miss.key, self.this.plan.cache_none).unwrap_or(false);
        if let Some(filling) = filling {
            filling.finish(stored);
        }
        drop((out, records));
        result
    }

    /// Looks again for what was not found; what fails fails open.
    fn look_again(
        &self,
        store: &Bound<'py, Store>,
        miss: &Miss<'py>,
    ) -> PyResult<Option<Found<'py>>> {
        let mut alone = miss.alone;
        fail_open(self.py(), self.look(store, &miss.key, &mut alone))
    }

    /// Who calls, what it is to do, and how long it waits, in seconds.
    fn role(&self, place: &Place, alone: bool) -> PyResult<Option<Asked<'py>>> {
        let py = self.py();
        let caller = Caller::present(py)?;
        if alone || self.this.plan.single_flight == Some(false) {
            return Ok(Some((caller, Role::Alone, 0.0)));
        }
        let patience: Option<f64> = self
            .decorated
            .call_method0(intern!(py, "_patience"))?
            .extract()?;
        let Some(patience) = patience else {
            return Ok(Some((caller, Role::Alone, 0.0)));
        };
        let role = caller.join(py, place, patience)?;
        Ok(Some((caller, role, patience)))
    }

    /// Runs the function and stores what it returns.
    fn run(&self, store: &Bound<'py, Store>, miss: &Miss<'py>) -> PyResult<Bound<'py, PyAny>> {
        Store::count_miss(store)?;
        self.python(intern!(self.py(), "_run"), (&miss.made,))
    }
}

impl<'py> Miss<'py> {
    fn new(key: &[u8], made: Bound<'py, PyAny>, alone: bool) -> PyResult<Self> {
        let mut tags = Vec::new();
        let mut versions = None;
        if let Some(parts) = parts_of(&made)? {
            for tag in parts.get_item(1)?.cast::<PyTuple>()? {
                tags.push(text_bytes(tag.cast::<PyString>()?)?.into());
            }
            versions = parts.get_item(2)?.extract()?;
        }
        Ok(Self {
            key: key.to_vec(),
            made,
            tags,
            versions,
            alone,
        })
    }
}

/// The function runs even if the way to it fails; but what interrupts the caller does so.
fn fail_open<T: Default>(py: Python<'_>, result: PyResult<T>) -> PyResult<T> {
    match result {
        Err(error) if error.is_instance_of::<PyException>(py) => {
            error.write_unraisable(py, None);
            Ok(T::default())
        }
        other => other,
    }
}
