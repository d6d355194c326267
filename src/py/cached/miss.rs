//! How a miss travels: one caller at a time runs the function for a key, and stores what it returned if that is
//! still wanted then; the others wait, once, and look again.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use super::keys::{Known, parts_of};
use super::{Call, Found, Sought};
use crate::py::daemon::call_method;
use crate::py::flight::{Caller, Claim, Filling, Place, Role};
use crate::py::key::buffer::Buffer;
use crate::py::key::text_bytes;
use crate::py::once::intern;
use crate::py::store::{InUse, OutTicket, Store, TagName, names_of};

/// What was not found.
pub(super) struct Miss<'py> {
    key: Vec<u8>,
    /// The key, and for a memoized function what belongs to it, for Python.
    made: Bound<'py, PyAny>,
    /// What its entry is to be let go by: what belongs to the function, then what the user asked for.
    tags: Vec<TagName>,
    /// How many of them belong to the function.
    own: usize,
    /// The versions of those, one after the other.
    versions: Option<String>,
    /// The caller wants a value of its own.
    alone: bool,
}

/// A fill that has begun, and its ticket; None where the way to it failed.
type Fillings<'a, 'py> = Option<Box<(Option<Filling<'py>>, Option<OutTicket<'a, 'py>>)>>;

/// What is to be done about a miss.
enum Prepared<'a, 'py> {
    /// Nothing: another caller has stored it.
    Found(Box<Found<'py>>),
    /// Run the function.
    Filling(Fillings<'a, 'py>),
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
                let (mut anew, shape) = (Buffer::new(), self.known_shape());
                let defaults = self.defaults(shape.as_deref())?;
                let made = match self.make_key(&mut anew)? {
                    Known::Made(made) => made,
                    Known::Odd(made) => return Ok(Sought::Odd(made, alone)),
                    Known::Key | Known::None => return Ok(Sought::Uncacheable),
                };
                if anew.bytes() != key.bytes() {
                    self.remember_anew(&anew, store, (shape.as_ref(), &defaults))?;
                }
                let sought = (anew.bytes(), false);
                if !alone && let Some(found) = self.look(store, sought, &mut alone)? {
                    own_entry(store, anew.bytes(), &made)?;
                    return Ok(Sought::Found(found));
                }
                return self.begin_miss(store, Miss::new(anew.bytes(), made, alone)?);
            }
        };
        self.begin_miss(store, Miss::new(key.bytes(), made, alone)?)
    }

    /// Asks for the tags, if the decorator was given any: now, so that one that is let go while the function
    /// runs ends the fill.
    fn begin_miss(&self, store: &Bound<'py, Store>, mut miss: Miss<'py>) -> PyResult<Sought<'py>> {
        if self.this.plan.has_tags {
            let tags = self.python(intern!(self.py(), "_tags"), ());
            let names = tags.and_then(|tags| names_of(&tags)).inspect_err(|_| {
                // Nothing will be stored: records that were made for this go again.
                drop(InUse::begin(store, &miss.tags));
            });
            miss.tags.extend(names?);
        }
        Ok(Sought::Miss(Box::new(miss)))
    }

    /// Runs the function, or waits for somebody who is running it and looks again, once.
    ///
    /// This frame stays on the stack while the function runs, which may come back here: it is kept small.
    pub(super) fn fill(
        &self,
        store: &Bound<'py, Store>,
        miss: &Miss<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let records = InUse::begin(store, &miss.tags[..miss.own]);
        let filling = match self.prepare(store, miss)? {
            Prepared::Found(found) => return self.deliver(*found),
            Prepared::Filling(filling) => filling,
        };
        let result = self.run(store, miss);
        let result = self.finish(store, miss, filling).and(result);
        drop(records);
        result
    }

    /// All that comes before the function runs.
    #[inline(never)]
    fn prepare<'a>(
        &self,
        store: &'a Bound<'py, Store>,
        miss: &'a Miss<'py>,
    ) -> PyResult<Prepared<'a, 'py>> {
        let py = self.py();
        let place = Store::place(store, miss.key.clone());
        let asked = self.role(store, &place, miss);
        let Some((caller, role, patience)) = fail_open(py, asked)? else {
            return Ok(Prepared::Filling(None));
        };
        let flight = match role {
            Role::Lead(number) => Some(number),
            Role::Alone => None,
            Role::Follow(follower) => {
                // What a signal's handler raises is for the caller, whatever it is.
                follower.wait(patience)?;
                drop(follower);
                if let Some(found) = self.look_again(store, miss)? {
                    Store::count_coalesced(store);
                    return Ok(Prepared::Found(Box::new(found)));
                }
                None
            }
        };
        let ticket = Store::ticket(store, &miss.key, &miss.tags)?;
        let is_current = miss.is_current(store);
        let claim = Claim {
            // Where it was forgotten just now, what is computed has no place any more, and is not stored.
            ticket: match is_current {
                Ok(true) => ticket.ticket,
                _ => ticket.ticket.void(),
            },
            place,
            tags: miss.tags.clone(),
        };
        let filling = fail_open(py, caller.begin(py, claim, flight).map(Some))?;
        // Not before: others may wait for this flight, and from here on it lands.
        let ticket = is_current?.then_some(ticket);
        // Somebody may have stored it while this caller came to lead.
        if flight.is_some()
            && let Some(found) = self.look_again(store, miss)?
        {
            if let Some(filling) = filling {
                filling.finish(true);
            }
            return Ok(Prepared::Found(Box::new(found)));
        }
        Ok(Prepared::Filling(Some(Box::new((filling, ticket)))))
    }

    /// The function has returned, or raised. Raises what interrupts the caller in a clock.
    #[inline(never)]
    fn finish(
        &self,
        store: &Bound<'py, Store>,
        miss: &Miss<'py>,
        filling: Fillings<'_, 'py>,
    ) -> PyResult<()> {
        let none_counts = self.this.plan.cache_none;
        let held = Store::holds(store, &miss.key, none_counts);
        let stored = matches!(held, Ok(true));
        if let Some((Some(filling), ticket)) = filling.map(|boxed| *boxed) {
            // That it was not wanted any more says nothing of the next one.
            let is_valid = ticket.is_some_and(|ticket| ticket.is_valid());
            filling.finish(stored || !is_valid);
        }
        match held {
            Err(error) if !error.is_instance_of::<PyException>(self.py()) => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks again for what was not found; what fails fails open.
    fn look_again(
        &self,
        store: &Bound<'py, Store>,
        miss: &Miss<'py>,
    ) -> PyResult<Option<Found<'py>>> {
        let mut alone = miss.alone;
        fail_open(self.py(), self.look(store, (&miss.key, false), &mut alone))
    }

    /// Who calls, what it is to do, and how long it waits, in seconds.
    fn role(
        &self,
        store: &Bound<'py, Store>,
        place: &Place,
        miss: &Miss<'py>,
    ) -> PyResult<Option<Asked<'py>>> {
        let py = self.py();
        let caller = Caller::present(py)?;
        if miss.alone || self.this.plan.single_flight == Some(false) {
            return Ok(Some((caller, Role::Alone, 0.0)));
        }
        let patience = call_method(self.decorated.as_any(), intern!(py, "_patience"), ())?;
        let Some(patience) = patience.extract::<Option<f64>>()? else {
            return Ok(Some((caller, Role::Alone, 0.0)));
        };
        // Whoever runs the function for an answer that nobody wants any more is not waited for.
        let too_late = Store::is_spoiled(store, &miss.key, &miss.tags)?;
        let role = caller.join(py, place, (patience, too_late))?;
        Ok(Some((caller, role, patience)))
    }

    /// Runs the function and stores what it returns.
    fn run(&self, store: &Bound<'py, Store>, miss: &Miss<'py>) -> PyResult<Bound<'py, PyAny>> {
        Store::count_miss(store)?;
        self.python(intern!(self.py(), "_run"), (&miss.made,))
    }
}

impl<'py> Miss<'py> {
    /// Are the versions in the key those of the function, still? Ask with a ticket in hand.
    fn is_current(&self, store: &Bound<'py, Store>) -> PyResult<bool> {
        match &self.versions {
            Some(versions) => Store::are_current(store, &self.tags[..self.own], versions),
            None => Ok(true),
        }
    }

    fn new(key: &[u8], made: Bound<'py, PyAny>, alone: bool) -> PyResult<Self> {
        let versions = versions_of(&made)?;
        let tags = tags_of(&made)?;
        Ok(Self {
            key: key.to_vec(),
            made,
            own: tags.len(),
            tags,
            versions,
            alone,
        })
    }
}

/// What an entry is to be let go by.
fn tags_of(made: &Bound<'_, PyAny>) -> PyResult<Vec<Box<[u8]>>> {
    let mut tags = Vec::new();
    if let Some(parts) = parts_of(made)? {
        for tag in parts.get_item(1)?.cast::<PyTuple>()? {
            tags.push(text_bytes(tag.cast::<PyString>()?)?.into());
        }
    }
    Ok(tags)
}

/// Whoever stored it, an entry that a function finds is forgotten with the function; but not one that was stored under
/// the version of before, when that had been forgotten already.
#[cold]
pub(super) fn own_entry(
    store: &Bound<'_, Store>,
    key: &[u8],
    made: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let tags = tags_of(made)?;
    if tags.is_empty() {
        return Ok(());
    }
    let versions = versions_of(made)?;
    let is_known = || Store::has_version(store, &tags[0], versions.as_deref());
    if !is_known()? {
        return Ok(());
    }
    Store::add_tags(store, key, &tags)?;
    if is_known()? {
        return Ok(());
    }
    // It was forgotten meanwhile, and perhaps before the entry had its tags.
    Store::drop_entry(store, key)
}

/// The versions in the key of a memoized function.
fn versions_of(made: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    match parts_of(made)? {
        Some(parts) => parts.get_item(2)?.extract(),
        None => Ok(None),
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
