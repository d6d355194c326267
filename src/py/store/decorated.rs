//! What decorated functions ask of a store.

use pyo3::prelude::*;

use super::{Store, TagName};
use crate::core::sync::Ordering;
use crate::core::{self, Ticket};
use crate::py::flight::Place;
use crate::py::value::Stored;

/// Ways to the keys of calls that one decorated function remembers, at the least and at the most.
const FEWEST_KEYS: usize = 1024;
const MOST_KEYS: usize = 1 << 16;

/// What is there for a key.
pub(in crate::py) enum Hit<'py> {
    /// This value.
    Value(Bound<'py, PyAny>),
    /// The same, made by pickle or a serializer of the application's: it may be anything.
    Loaded(Bound<'py, PyAny>),
    /// Nothing.
    Absent,
}

/// A ticket, until it is given back.
pub(in crate::py) struct OutTicket<'a, 'py> {
    pub(in crate::py) ticket: Ticket,
    store: &'a Bound<'py, Store>,
    key: &'a [u8],
    tags: &'a [TagName],
}

impl OutTicket<'_, '_> {
    /// Has nothing been taken back since?
    pub(in crate::py) fn is_valid(&self) -> bool {
        let tags: Vec<&[u8]> = self.tags.iter().map(AsRef::as_ref).collect();
        let core = self.store.get().core();
        core.is_ok_and(|core| core.is_valid(self.ticket, self.key, &tags))
    }
}

impl Drop for OutTicket<'_, '_> {
    fn drop(&mut self) {
        let tags: Vec<&[u8]> = self.tags.iter().map(AsRef::as_ref).collect();
        if let Ok(core) = self.store.get().core() {
            core.end_ticket(self.key, &tags);
        }
    }
}

impl Store {
    /// Are the methods that a decorated function goes through the native ones?
    #[inline]
    pub(in crate::py) fn is_plain(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let settings = &slf.get().settings;
        settings.ensure(slf)?;
        Ok(settings.overrides().are_none())
    }

    /// The value of a str key, counted as a hit; where there is none nothing is counted. A None is a value
    /// only with `none_counts`; what no tag says to belong to a function is not if that is asked for.
    #[expect(
        clippy::inline_always,
        reason = "on the path of a hit, from three places; a call costs 8 ns"
    )]
    #[inline(always)]
    pub(in crate::py) fn hit<'py>(
        slf: &Bound<'py, Self>,
        key: &[u8],
        (none_counts, owned): (bool, bool),
    ) -> PyResult<Hit<'py>> {
        let (this, py) = (slf.get(), slf.py());
        let now = Self::begin(slf)?;
        if this.records.are_due(now) {
            this.purge_records(py, now);
        }
        let (found, evicted) = this
            .core()?
            .read_if(key, now, |stored, is_owned| match stored {
                _ if owned && !is_owned => None,
                Stored::Shared(object) if object.is_none(py) && !none_counts => None,
                stored => Some(stored.share(py)),
            });
        this.bury(py, evicted);
        match found {
            None => Ok(Hit::Absent),
            Some(Stored::Shared(object)) => Ok(Hit::Value(object.into_bound(py))),
            Some(stored) => Self::hit_unshared(slf, stored, key, (none_counts, owned)),
        }
    }

    fn hit_unshared<'py>(
        slf: &Bound<'py, Self>,
        stored: Stored,
        key: &[u8],
        (none_counts, owned): (bool, bool),
    ) -> PyResult<Hit<'py>> {
        let loaded = matches!(
            stored,
            Stored::Pickled(_) | Stored::Serialized(_) | Stored::Foreign(_)
        );
        match Self::decode(slf, stored)? {
            // A custom serializer's object, replaced before it could be fetched: look again.
            None => Self::hit(slf, key, (none_counts, owned)),
            Some(value) if loaded && value.is_none() && !none_counts => Ok(Hit::Absent),
            Some(value) if loaded => Ok(Hit::Loaded(value)),
            Some(value) => Ok(Hit::Value(value)),
        }
    }

    /// Has an entry let go by these tags, too.
    pub(in crate::py) fn add_tags(
        slf: &Bound<'_, Self>,
        key: &[u8],
        tags: &[Box<[u8]>],
    ) -> PyResult<()> {
        let now = Self::begin(slf)?;
        let tags: Vec<&[u8]> = tags.iter().map(AsRef::as_ref).collect();
        let evicted = slf.get().core()?.add_tags(key, &tags, now);
        slf.get().bury(slf.py(), evicted);
        Ok(())
    }

    /// Removes an entry.
    pub(in crate::py) fn drop_entry(slf: &Bound<'_, Self>, key: &[u8]) -> PyResult<()> {
        let now = Self::begin(slf)?;
        let (_, evicted) = slf.get().core()?.remove(key, now);
        slf.get().bury(slf.py(), evicted);
        Ok(())
    }

    /// Does whoever runs a function for that key do so for an answer that nobody wants any more?
    pub(in crate::py) fn is_spoiled(
        slf: &Bound<'_, Self>,
        key: &[u8],
        tags: &[Box<[u8]>],
    ) -> PyResult<bool> {
        let tags: Vec<&[u8]> = tags.iter().map(AsRef::as_ref).collect();
        Ok(slf.get().core()?.is_spoiled(key, &tags))
    }

    /// A decorated function found nothing, and runs.
    pub(in crate::py) fn count_miss(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.get().core()?.count_miss();
        Ok(())
    }

    /// Where fills of a key wait for each other.
    pub(in crate::py) fn place(slf: &Bound<'_, Self>, key: Vec<u8>) -> Place {
        Place {
            store: slf.get().number,
            key: key.into_boxed_slice(),
        }
    }

    /// What a value is stored with that is now beginning to be made.
    pub(in crate::py) fn ticket<'a, 'py>(
        slf: &'a Bound<'py, Self>,
        key: &'a [u8],
        tags: &'a [TagName],
    ) -> PyResult<OutTicket<'a, 'py>> {
        let core = slf.get().core()?;
        let names: Vec<&[u8]> = tags.iter().map(AsRef::as_ref).collect();
        Ok(OutTicket {
            ticket: core.ticket(key, &names),
            store: slf,
            key,
            tags,
        })
    }

    /// Is there a value that [`Self::hit`] would find? Counts nothing.
    pub(in crate::py) fn holds(
        slf: &Bound<'_, Self>,
        key: &[u8],
        none_counts: bool,
    ) -> PyResult<bool> {
        let (now, py) = (Self::begin(slf)?, slf.py());
        let held = slf.get().core()?.peek(
            key,
            now,
            |stored, _| !matches!(stored, Stored::Shared(object) if object.is_none(py)),
        );
        Ok(held.is_some_and(|is_some| is_some || none_counts))
    }

    /// A follower found what its leader stored.
    pub(in crate::py) fn count_coalesced(slf: &Bound<'_, Self>) {
        slf.get().coalesced.fetch_add(1, Ordering::Relaxed);
    }

    /// No two stores of a process have the same.
    pub(in crate::py) fn number(slf: &Bound<'_, Self>) -> u64 {
        slf.get().number
    }

    /// How many keys are worth remembering.
    pub(in crate::py) fn bound(slf: &Bound<'_, Self>) -> usize {
        let entries = slf.get().core().map_or(0, core::Store::max_entries);
        entries.clamp(FEWEST_KEYS, MOST_KEYS)
    }
}
