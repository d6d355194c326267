//! The one account of entries that all shards share: what makes the bound exact.

use super::sync::{AtomicUsize, Ordering};

/// The most entries that tokens can name, whatever the bound. (`u32::MAX` itself means "no token".)
const MOST_ENTRIES: usize = u32::MAX as usize - 1;

/// How many entries all shards hold together, and how many they may.
///
/// An entry is reserved here before it is put into a shard, and released after it was taken out, so
/// that the entries in the shards are never more than `held`, and `held` never more than the bound.
/// The two numbers need no order between each other or to other memory: reservations are made under
/// a shard's lock, and [`Store::set_max_entries`](super::Store::set_max_entries) goes through every
/// lock after it has lowered the bound, so that nobody is left who knows the old one.
#[derive(Debug)]
pub(super) struct Account {
    held: AtomicUsize,
    max_entries: AtomicUsize,
}

impl Account {
    pub(super) const fn new(max_entries: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            max_entries: AtomicUsize::new(max_entries),
        }
    }

    /// Reserves one entry if the bound allows it.
    #[inline]
    pub(super) fn try_reserve(&self) -> bool {
        let limit = self.max_entries().min(MOST_ENTRIES);
        let add_one = |held| if held < limit { Some(held + 1) } else { None };
        self.held
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add_one)
            .is_ok()
    }

    /// Gives back `count` entries that were taken out.
    #[inline]
    pub(super) fn release(&self, count: usize) {
        let before = self.held.fetch_sub(count, Ordering::Relaxed);
        debug_assert!(before >= count, "released {count} of {before} entries");
    }

    /// Entries held or reserved.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The bound.
    #[inline]
    pub(super) fn max_entries(&self) -> usize {
        self.max_entries.load(Ordering::Relaxed)
    }

    /// Changes the bound. Lowering it makes no room: that is up to the shards.
    pub(super) fn set_max_entries(&self, max_entries: usize) {
        self.max_entries.store(max_entries, Ordering::Relaxed);
    }

    /// Whether more is held than allowed, as happens after the bound was lowered.
    pub(super) fn is_over(&self) -> bool {
        self.held() > self.max_entries()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_reserved_than_the_bound_allows() {
        let account = Account::new(2);
        assert!(account.try_reserve() && account.try_reserve());
        assert!(!account.try_reserve());
        account.release(1);
        assert!(account.try_reserve());
        assert_eq!(account.held(), 2);
    }

    #[test]
    fn lowering_the_bound_stops_reservations_at_once() {
        let account = Account::new(3);
        assert!(account.try_reserve() && account.try_reserve());
        account.set_max_entries(1);
        assert!(account.is_over() && !account.try_reserve());
        account.release(2);
        assert!(!account.is_over() && account.try_reserve());
    }
}
