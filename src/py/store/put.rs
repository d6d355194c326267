//! The way of a value into the core.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::Store;
use super::engine::Find;
use super::tags::TagName;
use super::weight::Placed;
use crate::core::{self, Inserted, Instant, Lifetime, Offer, When};
use crate::py::daemon::call_function;
use crate::py::flight::{Fill, fill_to_store_for};
use crate::py::key::plain_text;
use crate::py::once::intern;
use crate::py::value::{self, Stored};

/// On what terms a value is stored.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a, 'py> {
    pub(super) timeout: Option<&'a Bound<'py, PyAny>>,
    /// What a user wants it to be let go by.
    pub(super) tags: &'a [TagName],
    pub(super) when: When,
}

impl Terms<'_, '_> {
    /// A value for the default time, with no tags.
    pub(super) const fn plain(when: When) -> Self {
        Self {
            timeout: None,
            tags: &[],
            when,
        }
    }
}

impl Store {
    /// What is stored for a value, by the store's serializer.
    #[inline]
    pub(super) fn encode(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Stored> {
        let this = slf.get();
        if !this.settings.custom_serializer(slf)? {
            return value::encode(value);
        }
        let py = slf.py();
        let serializer = slf.getattr(intern!(py, "serializer"))?;
        let dumps = serializer.getattr(intern!(py, "dumps"))?;
        let dumped = call_function(&dumps, (value,))?;
        if dumped.is_exact_instance_of::<PyBytes>() || dumped.is_exact_instance_of::<PyString>() {
            return Ok(Stored::Serialized(dumped.unbind()));
        }
        this.vault.put(&dumped).map(Stored::Foreign)
    }

    /// Stores a value, or says why not.
    #[inline]
    pub(super) fn put(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        terms: Terms<'_, '_>,
    ) -> PyResult<Placed> {
        let (this, py, when) = (slf.get(), slf.py(), terms.when);
        let fill = this.fill_of(key, when)?;
        let timeout = this.settings.timeout(slf, terms.timeout)?;
        let stored = Self::encode(slf, value).inspect_err(|error| mark_unstorable(py, error))?;
        let unclaimed = this.vault.hold(py, stored.foreign());
        let now = this.settings.clock.now(slf.as_any())?;
        let lifetime = match (timeout.lifetime(now), &fill) {
            (Some(lifetime), _) => lifetime,
            // Over at once: it takes away what it would have replaced, and nothing that is newer than the fill.
            (None, Some(_)) => Lifetime::until(now),
            (None, None) => return Self::put_dead(slf, key, now, when).map(Placed::known),
        };
        let has_records = this.records.get().is_some();
        if has_records && let Some(stored) = Self::put_version(slf, key, value, (lifetime, when))? {
            return Ok(Placed::known(stored));
        }
        // A record lives no shorter than what was asked for: its entries go with it.
        let jittered = this.jitter.shorten(timeout).lifetime(now);
        let offer = Offer {
            weight: Self::weight_of(slf, key, &stored)?,
            value: stored,
            lifetime: jittered.unwrap_or(lifetime),
            when,
            tags: &[],
        };
        let (weight, is_of_fill) = (offer.weight, fill.is_some());
        let placed = this.deposit(key, offer, (terms.tags, fill), now)?;
        unclaimed.settle(placed.stored);
        if placed.refused {
            Self::tell_refused(slf, key, weight)?;
        }
        let refused = placed.refused || (is_of_fill && !placed.stored);
        Ok(Placed { refused, ..placed })
    }

    /// The fill whose value this is: it may not be wanted any more. Asked first, as what runs while the value is
    /// encoded may store another one.
    #[inline]
    fn fill_of<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        when: When,
    ) -> PyResult<Option<Bound<'py, Fill>>> {
        // A condition of its own comes first.
        if when != When::Always {
            return Ok(None);
        }
        let takes = |fill: &Bound<'_, Fill>| {
            plain_text(key).is_some_and(|key| fill.get().takes(self.number, key))
        };
        Ok(fill_to_store_for(key.py())?.filter(takes))
    }

    #[inline]
    fn deposit(
        &self,
        key: &Bound<'_, PyAny>,
        offer: Offer<'_, Stored>,
        (tags, fill): (&[TagName], Option<Bound<'_, Fill>>),
        now: Instant,
    ) -> PyResult<Placed> {
        let py = key.py();
        self.with_key(key, Find::Make, |core, key| {
            let is_plain = fill.is_none() && tags.is_empty() && !self.records.may_have(key);
            let inserted = if is_plain {
                core.put(key, offer, now)
            } else {
                self.put_tagged((core, key), offer, (tags, fill.as_ref()), now)
            };
            self.settle(py, inserted)
        })
    }

    /// Stores it with those tags and the ones of the key's records, and by the claim of the fill that it was made in.
    #[inline(never)]
    fn put_tagged(
        &self,
        (core, key): (&core::Store<Stored>, &[u8]),
        offer: Offer<'_, Stored>,
        (named, fill): (&[TagName], Option<&Bound<'_, Fill>>),
        now: Instant,
    ) -> Inserted<Stored> {
        let claim = fill.map(|fill| fill.get().claim());
        let is_known = || self.records.know_version_of(key);
        let was_known = claim.is_none() && is_known();
        let records = match claim {
            None => self.records.of_entry(key),
            Some(_) => Vec::new(),
        };
        let tags: Vec<&[u8]> = records.iter().chain(named).map(AsRef::as_ref).collect();
        let offer = Offer {
            tags: &tags,
            ..offer
        };
        let mut inserted = match claim {
            None => core.put(key, offer, now),
            Some(claim) => claim.insert(core, key, offer, now),
        };
        if was_known && !is_known() {
            // The function was forgotten meanwhile, and perhaps before there was an entry to go with it.
            inserted.evicted.append(core.remove(key, now).1);
        }
        inserted
    }

    /// A negative timeout: nothing to store, and an unconditional one takes the old value away.
    #[cold]
    fn put_dead(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        now: Instant,
        when: When,
    ) -> PyResult<bool> {
        match when {
            When::Always | When::IfTicket(_) => Self::remove(slf, key, now).map(|_| true),
            When::IfAbsent => Self::has(slf, key).map(|found| !found),
        }
    }
}

/// Tells the decorators that the value is to blame, and not the backend. What cannot be told is not.
fn mark_unstorable(py: Python<'_>, error: &PyErr) {
    drop(error.value(py).setattr(intern!(py, UNSTORABLE), true));
}

/// See [`mark_unstorable`]; read in `_decorated.py`.
const UNSTORABLE: &str = "_flask_rustcache_unstorable";
