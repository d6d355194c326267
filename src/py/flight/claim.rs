//! What a fill is for, and what its value is stored with.

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::core::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::core::{self, Instant, Offer, Ticket, When};

/// A store, by its number, and a key in it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::py) struct Place {
    pub(in crate::py) store: u64,
    pub(in crate::py) key: Box<[u8]>,
}

/// What a value is stored for, and with.
#[derive(Clone)]
pub(in crate::py) struct Claim {
    pub(in crate::py) place: Place,
    pub(in crate::py) ticket: Ticket,
    pub(in crate::py) tags: Vec<Box<[u8]>>,
}

/// A fill that the present context leads, and those around it.
#[pyclass(frozen, module = "flask_rustcache._native")]
pub(in crate::py) struct Fill {
    pub(super) context: u64,
    pub(super) claim: Claim,
    /// The function has returned in this thread, and what is stored next there is its value; 0 = it has not. Whatever
    /// is stored before that, or elsewhere in a copy of the context, is somebody's own word, and newer than the fill.
    pub(super) returned: AtomicUsize,
    /// It has ended.
    pub(super) over: AtomicBool,
    pub(super) around: Option<Py<Fill>>,
}

thread_local! {
    /// Fills that wait to be dropped by the drop that is under way; None while none is.
    static TO_DROP: RefCell<Option<Vec<Py<Fill>>>> = const { RefCell::new(None) };
}

/// A context may be the last to know of thousands of fills around each other: one goes after the other, not within it.
impl Drop for Fill {
    fn drop(&mut self) {
        let Some(around) = self.around.take() else {
            return;
        };
        let mut around = Some(around);
        let leads = TO_DROP.try_with(|list| match &mut *list.borrow_mut() {
            Some(list) => {
                list.extend(around.take());
                false
            }
            list => list.replace(Vec::new()).is_none(),
        });
        while let Some(next) = around.take() {
            drop(next);
            let later = |list: &RefCell<Option<Vec<_>>>| list.borrow_mut().as_mut()?.pop();
            around = TO_DROP.try_with(later).ok().flatten();
        }
        if leads == Ok(true) {
            TO_DROP.set(None);
        }
    }
}

/// Tells this thread from all others that there are now; never 0.
fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

impl Claim {
    /// Stores the value, if it is still wanted, with the tags of the claim and those that it has already.
    pub(in crate::py) fn insert<V>(
        &self,
        core: &core::Store<V>,
        key: &[u8],
        offer: Offer<'_, V>,
        now: Instant,
    ) -> core::Inserted<V> {
        let is_new = |tag: &&[u8]| !self.tags.iter().any(|known| **known == **tag);
        let others = offer.tags.iter().copied().filter(is_new);
        // Those of the ticket come first.
        let tags: Vec<&[u8]> = self.tags.iter().map(AsRef::as_ref).chain(others).collect();
        let offer = Offer {
            when: When::IfTicket(self.ticket),
            tags: &tags,
            ..offer
        };
        core.put(key, offer, now)
    }
}

impl Fill {
    /// This one, or the innermost around it that has not ended: a context may outlive its fills.
    pub(super) fn running(this: Bound<'_, Self>) -> Option<Bound<'_, Self>> {
        if !this.get().over.load(Ordering::Relaxed) {
            return Some(this);
        }
        let around = this.get().around.as_ref()?.bind(this.py()).clone();
        Self::running(around)
    }

    /// The ticket of this fill, or of the innermost around it, that is for that place.
    pub(super) fn ticket_for(&self, place: &Place) -> Option<Ticket> {
        if self.claim.place == *place {
            return Some(self.claim.ticket);
        }
        self.around.as_ref()?.get().ticket_for(place)
    }

    /// The function has returned, and its value is about to be stored by this thread; or it is not any more.
    pub(super) fn set_returned(&self, yes: bool) {
        let thread = if yes { this_thread() } else { 0 };
        self.returned.store(thread, Ordering::Relaxed);
    }

    /// Is this the key whose value the function has returned? It is so once: what is stored after that is not it.
    pub(in crate::py) fn takes(&self, store: u64, key: &[u8]) -> bool {
        let place = &self.claim.place;
        let here = place.store == store && *place.key == *key;
        let takes = here && self.returned.load(Ordering::Relaxed) == this_thread();
        if takes {
            self.set_returned(false);
        }
        takes
    }

    /// What its value is stored with.
    pub(in crate::py) const fn claim(&self) -> &Claim {
        &self.claim
    }
}
