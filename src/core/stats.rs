//! Counters, and the rules of which event moves which counter.
//!
//! Each shard counts under its own lock; [`Stats`] is the sum. Counters only grow (`clear` resets
//! none of them).
//!
//! * `hits`, `misses`: each `read` and `read_versioned` moves exactly one of the two; `read_if` moves
//!   `hits` if its value was taken, and else nothing (`count_miss` is for whoever then asks no further). A key whose
//!   entry has expired is a miss. No other operation moves them: not `contains`, `peek`, `keys`.
//! * `insertions`: each `insert` or `replace` that says `stored`.
//! * `replacements`: each of those insertions that took the place of a live value.
//! * `evictions`: each entry that left to make room ([`RemovalCause::Size`](super::RemovalCause)).
//! * `evictions_by_weight`: each of those that left for want of bytes, and not of entries.
//! * `refusals`: each value that was not stored as its entry would be heavier than the whole store may.
//! * `expirations`: each entry that left because its lifetime was over, whoever came across it: the
//!   bounded work of any call, a purge, a read, an insert, a removal.
//! * `removals`: each live entry removed, cleared, or overwritten by a value that was already
//!   expired, or was refused. (An expired entry that `clear` finds is counted here too: `clear` looks at no clock.)
//! * `entries` is no counter but the number held now, expired ones included that no call has come
//!   across yet.
//!
//! Every stored value is accounted for, and `validate` checks it:
//! `insertions = entries + replacements + evictions + expirations + removals`.

use super::evicted::RemovalCause;

/// What a store has done so far, and how many entries it holds now; see the module's rules.
#[repr(C)]
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Reads that found a live value.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Values stored.
    pub insertions: u64,
    /// Values stored in the place of a live one.
    pub replacements: u64,
    /// Entries that had to make room.
    pub evictions: u64,
    /// Those of them that left for want of bytes.
    pub evictions_by_weight: u64,
    /// Values that were heavier than the whole store may be, and were not stored.
    pub refusals: u64,
    /// Entries that left because their lifetime was over.
    pub expirations: u64,
    /// Entries that left because somebody asked for it.
    pub removals: u64,
    /// Entries held now, expired ones included that no call has come across yet.
    pub entries: usize,
    /// What they take, in bytes.
    pub weight: usize,
}

impl Stats {
    /// Counts `count` values that left for `cause`.
    #[inline]
    pub(super) fn count_removed(&mut self, cause: RemovalCause, count: u64) {
        *match cause {
            RemovalCause::Expired => &mut self.expirations,
            RemovalCause::Explicit => &mut self.removals,
            RemovalCause::Replaced => &mut self.replacements,
            RemovalCause::Size => &mut self.evictions,
        } += count;
    }

    /// Adds another shard's counters.
    pub(super) fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.insertions += other.insertions;
        self.replacements += other.replacements;
        self.evictions += other.evictions;
        self.evictions_by_weight += other.evictions_by_weight;
        self.refusals += other.refusals;
        self.expirations += other.expirations;
        self.removals += other.removals;
        self.entries += other.entries;
        // Shards are asked one after the other: the sum may be more than there ever was.
        self.weight = self.weight.saturating_add(other.weight);
    }

    /// The number of entries that must be held if every event was counted once.
    pub(super) const fn expected_entries(&self) -> u64 {
        self.insertions - self.replacements - self.evictions - self.expirations - self.removals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_moves_its_own_counter() {
        let mut stats = Stats {
            insertions: 10,
            ..Stats::default()
        };
        stats.count_removed(RemovalCause::Expired, 1);
        stats.count_removed(RemovalCause::Explicit, 2);
        stats.count_removed(RemovalCause::Replaced, 3);
        stats.count_removed(RemovalCause::Size, 4);
        let counted = (
            stats.expirations,
            stats.removals,
            stats.replacements,
            stats.evictions,
        );
        assert_eq!(counted, (1, 2, 3, 4));
        assert_eq!(stats.expected_entries(), 0);
    }

    #[test]
    fn sums_are_per_counter() {
        let one = Stats {
            hits: 1,
            misses: 2,
            entries: 3,
            refusals: 4,
            ..Stats::default()
        };
        let mut sum = one;
        sum.add(&one);
        assert_eq!((sum.hits, sum.misses, sum.entries), (2, 4, 6));
        assert_eq!(sum.refusals, 8);
    }
}
