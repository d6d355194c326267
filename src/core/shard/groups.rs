//! What is removed together, and what is done to an entry without its value.

use super::Shard;
use crate::core::clock::Instant;
use crate::core::entry::{Key, Lifetime};
use crate::core::evicted::{Evicted, RemovalCause};
use crate::core::incoming::Hashed;
use crate::core::order::SLOTS;

/// Entries of a range that are removed at one visit to the shard: some 50 microseconds.
pub(in crate::core) const REMOVED_PER_VISIT: usize = 64;
/// Visits that empty a full block.
pub(in crate::core) const VISITS_PER_BLOCK: usize = SLOTS as usize / REMOVED_PER_VISIT;

impl<V> Shard<V> {
    /// Removes all that carry a tag, and lets no fill that has begun store another.
    pub(in crate::core) fn remove_tag(
        &mut self,
        tag: Hashed<'_>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) {
        self.tags.end_tickets(tag);
        for token in self.tags.members(tag.bytes) {
            self.remove_at(token, now, evicted);
        }
    }

    /// Does any entry carry it?
    pub(in crate::core) fn has_tag(&self, tag: &[u8]) -> bool {
        self.tags.contains(tag)
    }

    /// A range is about to be removed, block by block: no fill that has begun for one of its keys is to be stored.
    pub(in crate::core) fn begin_removal(&mut self, from: &[u8], to: &[u8]) {
        self.generations.bump_between(from, to);
        self.leaving.push((from.into(), to.into()));
    }

    /// It was removed.
    pub(in crate::core) fn end_removal(&mut self, from: &[u8], to: &[u8]) {
        let own = |range: &(Key, Key)| (&*range.0, &*range.1) == (from, to);
        if let Some(index) = self.leaving.iter().position(own) {
            self.leaving.swap_remove(index);
        }
    }

    /// Is a key in a range that is being removed? What is taken out may come back into a block that was visited before.
    pub(in crate::core) fn is_leaving(&self, key: &[u8]) -> bool {
        let has = |(from, to): &(Key, Key)| **from <= *key && *key < **to;
        self.leaving.iter().any(has)
    }

    /// Removes some entries of a block of slots with keys from `from` on and before `to`. How many; None if
    /// there is no such block.
    pub(in crate::core) fn remove_between(
        &mut self,
        block: usize,
        range: (&[u8], &[u8]),
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<usize> {
        let most = REMOVED_PER_VISIT;
        let tokens = self.order.between(&self.slab, block, range, most)?;
        for token in &tokens {
            self.remove_at(*token, now, evicted);
        }
        Some(tokens.len())
    }

    /// Removes an entry, which may have expired without any call having come across it.
    fn remove_at(&mut self, token: u32, now: Instant, evicted: &mut Evicted<V>) {
        let cause = if self.slab.entry(token).lifetime.is_expired(now) {
            RemovalCause::Expired
        } else {
            RemovalCause::Explicit
        };
        self.remove(token, cause, evicted);
    }

    /// How long a live entry may be served.
    pub(in crate::core) fn lifetime(
        &mut self,
        key: Hashed<'_>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<Lifetime> {
        let token = self.find_live(key, now, evicted)?;
        Some(self.slab.entry(token).lifetime)
    }

    /// Gives a live entry another lifetime; false if there is none. Counts nothing, ends no ticket and is no
    /// access to the policy.
    pub(in crate::core) fn touch(
        &mut self,
        key: Hashed<'_>,
        lifetime: Lifetime,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> bool {
        let Some(token) = self.find_live(key, now, evicted) else {
            return false;
        };
        if lifetime.is_expired(now) {
            self.end_tickets(key);
            self.remove(token, RemovalCause::Explicit, evicted);
        } else {
            self.set_lifetime(token, lifetime);
        }
        true
    }
}
