//! The way of a value into a shard.

use super::Shard;
use crate::core::account::Room;
use crate::core::clock::Instant;
use crate::core::entry::{Entry, Key, Lifetime, Version};
use crate::core::evicted::{Evicted, RemovalCause};
use crate::core::incoming::{Hashed, Incoming, Outcome, When, entry_weight, tags_weight};
use crate::core::policy::Policy;
use crate::core::tags::{Tag, any_tells_owner};

/// A value whose entry had to go to make room for it, and what it had besides.
pub(in crate::core) struct Displaced<V> {
    pub(in crate::core) value: (V, usize),
    pub(in crate::core) lifetime: Lifetime,
    pub(in crate::core) tags: Vec<Tag>,
}

impl<V> Shard<V> {
    /// Stores a value, or says why not.
    #[inline]
    pub(in crate::core) fn insert(
        &mut self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        let outcome = self.insert_if(incoming, now, evicted);
        if outcome == Outcome::NoRoom {
            return outcome;
        }
        self.account.give_back(&mut incoming.room);
        if let Some(value) = incoming.value.take() {
            evicted.leave_unused(value);
        }
        outcome
    }

    /// The same; what was set aside and not used stays so, and a value that is not stored stays where it is.
    #[inline]
    fn insert_if(
        &mut self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        match incoming.when {
            When::IfTicket(ticket) if !self.is_good(ticket, incoming.key, incoming.tags) => {
                return Outcome::Declined;
            }
            When::IfTicket(ticket) => self.generations.note_stored(incoming.key.hash, ticket.key),
            _ => self.end_tickets(incoming.key),
        }
        let held = self.find_live(incoming.key, now, evicted);
        if held.is_some() && !incoming.when.overwrites() {
            return Outcome::Declined;
        }
        if let Some(outcome) = self.turn_away(incoming.lifetime, incoming.weight, now) {
            if let Some(token) = held {
                self.remove(token, RemovalCause::Explicit, evicted);
            }
            return outcome;
        }
        match held {
            Some(token) => self.insert_over(token, incoming, now, evicted),
            None => self.insert_new(incoming, now, evicted),
        }
    }

    /// What comes of a value that is never stored, whatever else there is; None for all others.
    #[inline]
    fn turn_away(&mut self, lifetime: Lifetime, weight: usize, now: Instant) -> Option<Outcome> {
        if lifetime.is_expired(now) {
            return Some(Outcome::Declined);
        }
        if weight <= self.account.max_weight() {
            return None;
        }
        self.stats.refusals += 1;
        Some(Outcome::Refused)
    }

    fn insert_new(
        &mut self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        if !self.make_room(&mut incoming.room, now, evicted) {
            return Outcome::NoRoom;
        }
        let Some(value) = incoming.value.take() else {
            return Outcome::Declined;
        };
        self.account.settle(&mut incoming.room);
        self.weight += incoming.weight;
        let Incoming {
            key,
            lifetime,
            weight,
            ..
        } = *incoming;
        let version = self.next_version();
        let bytes = Key::from(key.bytes);
        let make = || Entry::new(bytes, key.hash, (value, weight), lifetime, version);
        let token = self.slab.insert(make);
        let slab = &self.slab;
        self.table
            .insert_unique(key.hash, token, |&other| slab.hash(other));
        self.policy.insert(&mut self.slab, token);
        self.expiry.insert(&mut self.slab, token);
        self.order.insert(&self.slab, token);
        self.retag(token, incoming.tags, evicted);
        Outcome::Stored
    }

    /// Stores a value in the place of a live one.
    #[inline]
    fn insert_over(
        &mut self,
        token: u32,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Outcome {
        let old = self.slab.entry(token).weight;
        if old != incoming.weight && !self.set_weight(token, incoming.weight, now, evicted) {
            // It had to go itself, and comes anew.
            return self.insert_new(incoming, now, evicted);
        }
        let Some(value) = incoming.value.take() else {
            return Outcome::Declined;
        };
        self.set_lifetime(token, incoming.lifetime);
        self.retag(token, incoming.tags, evicted);
        self.overwrite(token, value, evicted);
        Outcome::Stored
    }

    /// Stores a value in the place of a live one, which keeps its lifetime and tags. Its tickets end.
    ///
    /// The value comes back where the entry had to make room for it itself.
    pub(in crate::core) fn replace(
        &mut self,
        token: u32,
        (value, more): (V, usize),
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Result<Outcome, Displaced<V>> {
        let entry = self.slab.entry(token);
        let (hash, lifetime) = (entry.hash, entry.lifetime);
        let weight = entry_weight::<V>(&entry.key, more).saturating_add(tags_weight(entry.tags()));
        self.generations.bump(hash);
        if let Some(outcome) = self.turn_away(lifetime, weight, now) {
            self.remove(token, RemovalCause::Explicit, evicted);
            evicted.leave_unused(value);
            return Ok(outcome);
        }
        let entry = self.slab.entry(token);
        let tags = (weight > entry.weight).then(|| entry.tags().to_vec());
        if self.set_weight(token, weight, now, evicted) {
            self.overwrite(token, value, evicted);
            return Ok(Outcome::Stored);
        }
        Err(Displaced {
            value: (value, more),
            lifetime,
            tags: tags.unwrap_or_default(),
        })
    }

    /// Changes what an entry weighs; others make room for what is more. False if it had to go itself.
    fn set_weight(
        &mut self,
        token: u32,
        weight: usize,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> bool {
        let old = self.slab.entry(token).weight;
        if old == weight {
            return true;
        }
        if weight > old && !self.make_room_for(token, weight - old, now, evicted) {
            return false;
        }
        self.slab.entry_mut(token).weight = weight;
        self.policy.reweigh(&mut self.slab, token, old);
        self.weight = self.weight - old + weight;
        self.account.release(0, old.saturating_sub(weight));
        true
    }

    /// Sets so much weight aside for an entry that is there; false if it had to go itself.
    #[cold]
    fn make_room_for(
        &mut self,
        token: u32,
        more: usize,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> bool {
        let mut room = Room::for_weight(more);
        while !self.account.fill(&mut room) {
            if self.hand_over(&mut room, now, evicted) == Some(token) {
                self.account.give_back(&mut room);
                return false;
            }
        }
        self.account.settle(&mut room);
        true
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
        now: Instant,
        evicted: &mut Evicted<V>,
    ) {
        let old = self.slab.entry(token).tags().to_vec();
        // Their hashes are of no use here.
        let mut all: Vec<_> = old.iter().map(|bytes| Hashed { hash: 0, bytes }).collect();
        all.extend(
            tags.iter()
                .filter(|tag| !old.iter().any(|old| **old == *tag.bytes)),
        );
        let entry = self.slab.entry(token);
        let weight = entry.weight - tags_weight(entry.tags()) + tags_weight(&all);
        if self.set_weight(token, weight, now, evicted) {
            self.retag(token, &all, evicted);
        }
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
        let entry = self.slab.entry_mut(token);
        entry.is_owned = new.as_deref().is_some_and(any_tells_owner);
        entry.tags = new;
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

    /// Sets room aside, and evicts while there is none. False if this shard has given up its part: all that it
    /// holds, or one entry if there are others to take their turns.
    #[inline]
    fn make_room(&mut self, room: &mut Room, now: Instant, evicted: &mut Evicted<V>) -> bool {
        while !self.account.fill(room) {
            if self.hand_over(room, now, evicted).is_none() {
                return false;
            }
            if !self.is_alone {
                return self.account.fill(room);
            }
        }
        true
    }
}
