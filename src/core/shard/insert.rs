//! The way of a value into a shard.

use super::Shard;
use crate::core::clock::Instant;
use crate::core::entry::{Entry, Key, Lifetime, Version};
use crate::core::evicted::{Evicted, RemovalCause};
use crate::core::incoming::{Hashed, Incoming, Outcome, When};
use crate::core::policy::Policy;

impl<V> Shard<V> {
    /// Stores a value, or says why not.
    #[inline]
    pub(in crate::core) fn insert(
        &mut self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        let is_dead = incoming.lifetime.is_expired(now);
        match incoming.when {
            When::IfTicket(ticket) if !self.is_good(ticket, incoming.key, incoming.tags) => {
                return self.decline(incoming, evicted);
            }
            When::IfTicket(ticket) => self.generations.note_stored(incoming.key.hash, ticket.key),
            _ => self.end_tickets(incoming.key),
        }
        let held = self.find_live(incoming.key, now, evicted);
        if held.is_none() && !is_dead {
            return self.insert_new(incoming, now, evicted);
        }
        if incoming.reserved {
            self.account.release(1);
        }
        let Some(value) = incoming.value.take() else {
            return Outcome::Declined;
        };
        match held {
            Some(token) if incoming.when.overwrites() && !is_dead => {
                self.set_lifetime(token, incoming.lifetime);
                self.retag(token, incoming.tags, evicted);
                self.overwrite(token, value, evicted);
                return Outcome::Stored;
            }
            Some(token) if incoming.when.overwrites() => {
                self.remove(token, RemovalCause::Explicit, evicted);
            }
            _ => {}
        }
        evicted.leave_unused(value);
        Outcome::Declined
    }

    /// Leaves a value that is not wanted any more to the caller.
    fn decline(&mut self, incoming: &mut Incoming<'_, V>, evicted: &mut Evicted<V>) -> Outcome {
        if incoming.reserved {
            self.account.release(1);
        }
        if let Some(value) = incoming.value.take() {
            evicted.leave_unused(value);
        }
        Outcome::Declined
    }

    fn insert_new(
        &mut self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        if !incoming.reserved && !self.make_room(now, evicted) {
            return Outcome::NoRoom;
        }
        let Some(value) = incoming.value.take() else {
            return Outcome::Declined;
        };
        let Incoming { key, lifetime, .. } = *incoming;
        let version = self.next_version();
        let bytes = Key::from(key.bytes);
        let make = || Entry::new(bytes, key.hash, value, lifetime, version);
        let token = self.slab.insert(make);
        let slab = &self.slab;
        self.table
            .insert_unique(key.hash, token, |&other| slab.entry(other).hash);
        self.policy.insert(&mut self.slab, token);
        self.expiry.insert(&mut self.slab, token);
        self.order.insert(&self.slab, token);
        self.retag(token, incoming.tags, evicted);
        Outcome::Stored
    }

    /// Gives a live entry another value. Its place in the policy stays: it counts as an access.
    pub(in crate::core) fn overwrite(&mut self, token: u32, value: V, evicted: &mut Evicted<V>) {
        let version = self.next_version();
        let entry = self.slab.entry_mut(token);
        Policy::access(entry);
        entry.version = version;
        let value = std::mem::replace(&mut entry.value, value);
        self.leave(Key::default(), value, RemovalCause::Replaced, evicted);
    }

    /// Gives an entry more tags.
    pub(in crate::core) fn add_tags(
        &mut self,
        token: u32,
        tags: &[Hashed<'_>],
        evicted: &mut Evicted<V>,
    ) {
        let old = self.slab.entry(token).tags().to_vec();
        // Their hashes are of no use here.
        let mut all: Vec<_> = old.iter().map(|bytes| Hashed { hash: 0, bytes }).collect();
        all.extend(
            tags.iter()
                .filter(|tag| !old.iter().any(|old| **old == *tag.bytes)),
        );
        self.retag(token, &all, evicted);
    }

    /// Gives an entry other tags.
    fn retag(&mut self, token: u32, tags: &[Hashed<'_>], evicted: &mut Evicted<V>) {
        let entry = self.slab.entry_mut(token);
        if tags.is_empty() && entry.tags.is_none() {
            return;
        }
        let old = entry.tags.take();
        // First the new ones: what stays is never empty in between.
        let new = (!tags.is_empty()).then(|| self.tags.add(token, tags));
        let gone = old
            .iter()
            .flatten()
            .filter(|tag| !new.iter().flatten().any(|new| new == *tag));
        let gone: Vec<_> = gone.cloned().collect();
        self.tags
            .remove(token, &gone, |tag| evicted.push_emptied(tag));
        self.slab.entry_mut(token).tags = new;
    }

    pub(super) fn set_lifetime(&mut self, token: u32, lifetime: Lifetime) {
        let old = self.slab.entry(token).lifetime;
        // Within one tick of the clock the deadline is the same, and so is its place.
        if old.stale_until == lifetime.stale_until {
            self.slab.entry_mut(token).lifetime = lifetime;
            return;
        }
        self.expiry.remove(&mut self.slab, token);
        self.slab.entry_mut(token).lifetime = lifetime;
        self.expiry.insert(&mut self.slab, token);
    }

    fn next_version(&mut self) -> Version {
        self.stats.insertions += 1;
        self.versions += 1;
        Version::from_count(self.versions)
    }

    /// An entry in the account for a new key: a free one, or that of an entry which has to go.
    fn make_room(&mut self, now: Instant, evicted: &mut Evicted<V>) -> bool {
        self.account.try_reserve() || self.hand_over(now, evicted)
    }
}
