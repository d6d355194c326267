//! The one account of entries and bytes that all shards share: what makes the bounds exact.

use super::sync::{AtomicUsize, Ordering};

/// The most entries that tokens can name, whatever the bound. (`u32::MAX` itself means "no token".)
const MOST_ENTRIES: usize = u32::MAX as usize - 1;

/// How many entries all shards hold together, what they weigh (in bytes), and how much of both they may.
///
/// An entry and its weight are reserved here before it is put into a shard, and released after it was
/// taken out, so that what is in the shards is never more than what is held here, and that never more
/// than the bounds. The numbers need no order between each other or to other memory: reservations are
/// made under a shard's lock, and [`Store::set_max_entries`](super::Store::set_max_entries) goes through
/// every lock after it has lowered the bound, so that nobody is left who knows the old one.
#[derive(Debug)]
pub(super) struct Account {
    held: AtomicUsize,
    weight: AtomicUsize,
    max_entries: AtomicUsize,
    max_weight: AtomicUsize,
}

/// What an operation wants, and what it has set aside: out of the account, or from those that made room for it.
///
/// In this order no two words that change together lie side by side: a processor waits where two words that were
/// just written are read as one.
#[repr(C)]
#[derive(Default, Debug)]
pub(super) struct Room {
    pub(super) entries: usize,
    pub(super) wanted_entries: usize,
    pub(super) weight: usize,
    pub(super) wanted_weight: usize,
}

impl Room {
    /// For an entry.
    #[inline]
    pub(super) const fn for_entry(weight: usize) -> Self {
        Self {
            wanted_entries: 1,
            ..Self::for_weight(weight)
        }
    }

    /// For an entry that is there and gets heavier.
    #[inline]
    pub(super) const fn for_weight(weight: usize) -> Self {
        Self {
            wanted_entries: 0,
            wanted_weight: weight,
            entries: 0,
            weight: 0,
        }
    }

    /// Is it for want of bytes, and not of entries, that somebody has to go?
    pub(super) const fn lacks_weight_only(&self) -> bool {
        self.entries >= self.wanted_entries
    }
}

impl Account {
    pub(super) const fn new(max_entries: usize, max_weight: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
            max_entries: AtomicUsize::new(max_entries),
            max_weight: AtomicUsize::new(max_weight),
        }
    }

    /// Adds to `room` what it lacks, if the bounds allow it; is it enough then? Of what is lacking all or nothing
    /// is added: whoever held a part of it and waited for the rest might wait for another who did the same.
    #[inline]
    pub(super) fn fill(&self, room: &mut Room) -> bool {
        let limit = self.max_entries().min(MOST_ENTRIES);
        // First the entry: who makes room for that leaves weight, too, which is often enough.
        top_up(&self.held, &mut room.entries, room.wanted_entries, limit)
            && top_up(
                &self.weight,
                &mut room.weight,
                room.wanted_weight,
                self.max_weight(),
            )
    }

    /// What was wanted is in use; the rest is given back.
    #[inline]
    pub(super) fn settle(&self, room: &mut Room) {
        room.entries -= room.wanted_entries;
        room.weight -= room.wanted_weight;
        self.give_back(room);
    }

    /// Gives back what was set aside. What is wanted stays so.
    #[inline]
    pub(super) fn give_back(&self, room: &mut Room) {
        self.release(room.entries, room.weight);
        (room.entries, room.weight) = (0, 0);
    }

    /// Gives back entries that were taken out, and their weight.
    #[inline]
    pub(super) fn release(&self, entries: usize, weight: usize) {
        subtract(&self.held, entries);
        subtract(&self.weight, weight);
    }

    /// Entries held or reserved.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// What they weigh, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// The bound on entries.
    #[inline]
    pub(super) fn max_entries(&self) -> usize {
        self.max_entries.load(Ordering::Relaxed)
    }

    /// The bound on weight.
    #[inline]
    pub(super) fn max_weight(&self) -> usize {
        self.max_weight.load(Ordering::Relaxed)
    }

    /// Is there a bound on weight?
    pub(super) fn weighs(&self) -> bool {
        self.max_weight() != usize::MAX
    }

    /// Changes the bound on entries. Lowering it makes no room: that is up to the shards.
    pub(super) fn set_max_entries(&self, max_entries: usize) {
        self.max_entries.store(max_entries, Ordering::Relaxed);
    }

    /// Changes the bound on weight; the same holds.
    pub(super) fn set_max_weight(&self, max_weight: usize) {
        self.max_weight.store(max_weight, Ordering::Relaxed);
    }

    /// Whether more is held than allowed, as happens after a bound was lowered.
    pub(super) fn is_over(&self) -> bool {
        self.held() > self.max_entries() || self.weight() > self.max_weight()
    }
}

/// Adds to a number, and to a share of it, what the share lacks, unless that would pass the limit.
#[inline]
fn top_up(number: &AtomicUsize, share: &mut usize, wanted: usize, limit: usize) -> bool {
    let Some(more) = wanted.checked_sub(*share).filter(|more| *more > 0) else {
        return true;
    };
    let sum = |number: usize| number.checked_add(more).filter(|sum| *sum <= limit);
    let added = number.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum);
    if added.is_ok() {
        *share = wanted;
    }
    added.is_ok()
}

/// Subtracts from a number, which is at least as large.
#[inline]
fn subtract(number: &AtomicUsize, less: usize) {
    if less > 0 {
        let before = number.fetch_sub(less, Ordering::Relaxed);
        debug_assert!(before >= less, "released {less} of {before}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets aside one entry of that weight.
    fn reserve(account: &Account, weight: usize) -> Option<Room> {
        let mut room = Room::for_entry(weight);
        if account.fill(&mut room) {
            return Some(room);
        }
        account.give_back(&mut room);
        None
    }

    #[test]
    fn no_more_is_reserved_than_the_bounds_allow() {
        let account = Account::new(2, 100);
        assert!(reserve(&account, 10).is_some() && reserve(&account, 90).is_some());
        assert!(reserve(&account, 0).is_none());
        account.release(1, 10);
        assert!(reserve(&account, 11).is_none());
        assert!(reserve(&account, 10).is_some());
        assert_eq!((account.held(), account.weight()), (2, 100));
    }

    #[test]
    fn what_is_lacking_is_added_to_what_there_is() {
        let account = Account::new(2, 100);
        let mut room = reserve(&account, 60).unwrap_or_default();
        room.wanted_weight = 101;
        assert!(!account.fill(&mut room) && account.weight() == 60);
        room.wanted_weight = 100;
        assert!(account.fill(&mut room) && account.weight() == 100);
        account.give_back(&mut room);
        assert_eq!((account.held(), account.weight(), room.weight), (0, 0, 0));
    }

    #[test]
    fn what_was_not_wanted_is_given_back() {
        let account = Account::new(2, 100);
        let mut room = reserve(&account, 60).unwrap_or_default();
        room.wanted_weight = 45;
        account.settle(&mut room);
        assert_eq!((account.held(), account.weight()), (1, 45));
        assert_eq!((room.entries, room.weight), (0, 0));
    }

    #[test]
    fn lowering_a_bound_stops_reservations_at_once() {
        let account = Account::new(3, 100);
        assert!(reserve(&account, 40).is_some() && reserve(&account, 40).is_some());
        account.set_max_entries(1);
        assert!(account.is_over() && reserve(&account, 1).is_none());
        account.set_max_entries(3);
        account.set_max_weight(79);
        assert!(account.is_over() && reserve(&account, 1).is_none());
        account.release(1, 40);
        assert!(!account.is_over() && reserve(&account, 39).is_some());
    }
}
