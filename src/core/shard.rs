//! One shard, unlocked: a table that finds entries by key, and the orders in which they leave.

mod check;
mod groups;
mod insert;

use std::ops::Range;

use hashbrown::HashTable;

use super::account::{Account, Room};
use super::clock::Instant;
use super::entry::{Entry, Key, Version};
use super::evicted::{Evicted, RemovalCause, Removed};
use super::expiry::Expiry;
use super::generations::{Generations, Ticket};
use super::incoming::Hashed;
use super::order::Order;
use super::policy::Policy;
use super::slab::Slab;
use super::stats::Stats;
use super::sync::Arc;
use super::tags::Tags;
pub(super) use groups::{REMOVED_PER_VISIT, VISITS_PER_BLOCK};
pub(super) use insert::Displaced;

/// Expired entries that one call clears away. More than one, so that calls catch up with a crowd
/// that expires at once; few, so that no call is slow.
const RECLAIMED_PER_CALL: usize = 8;

/// See the module. Its methods run under the shard's lock, so they drop no key and no value.
///
/// What a hit writes to comes first, with the table, on one cache line with the lock: of two threads in turn each
/// then waits for one line of the other's.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Shard<V> {
    /// Calls so far: tells the store when to look after another shard.
    calls: usize,
    table: HashTable<u32>,
    stats: Stats,
    slab: Slab<V>,
    policy: Policy,
    expiry: Expiry,
    generations: Generations,
    tags: Tags,
    order: Order,
    /// The ranges that are being removed.
    leaving: Vec<(Key, Key)>,
    account: Arc<Account>,
    /// Values stored so far: where versions come from.
    versions: u64,
    /// The entries that this shard is expected to hold.
    capacity: usize,
    /// What its entries weigh, in bytes.
    weight: usize,
    /// There is no other shard.
    is_alone: bool,
}

impl<V> Shard<V> {
    pub(super) fn new(account: Arc<Account>, capacity: usize, is_alone: bool) -> Self {
        Self {
            table: HashTable::new(),
            slab: Slab::new(),
            policy: Policy::new(capacity, account.weighs()),
            expiry: Expiry::new(),
            generations: Generations::default(),
            tags: Tags::new(),
            order: Order::new(),
            leaving: Vec::new(),
            account,
            stats: Stats::default(),
            versions: 0,
            calls: 0,
            capacity,
            weight: 0,
            is_alone,
        }
    }

    /// Does a call's share of the clearing away, and says how many calls there have been.
    #[inline]
    pub(super) fn begin_call(&mut self, now: Instant, evicted: &mut Evicted<V>) -> usize {
        if self.expiry.next_due().is_due(now) {
            self.reclaim(now, evicted);
        }
        self.calls = self.calls.wrapping_add(1);
        self.calls
    }

    /// Clears away a few of the expired entries, earliest deadline first; true if there may be more.
    #[cold]
    pub(super) fn reclaim(&mut self, now: Instant, evicted: &mut Evicted<V>) -> bool {
        for _ in 0..RECLAIMED_PER_CALL {
            let Some(token) = self.due(now) else {
                return false;
            };
            self.remove(token, RemovalCause::Expired, evicted);
        }
        true
    }

    /// A live entry, counted as a hit and told to the policy; or none, counted as a miss.
    #[expect(
        clippy::inline_always,
        reason = "on the path of a hit; handing the key on costs 3 ns"
    )]
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        key: Hashed<'_>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<&Entry<V>> {
        let Some(token) = self.find_live(key, now, evicted) else {
            self.stats.misses += 1;
            return None;
        };
        self.stats.hits += 1;
        let entry = self.slab.entry_mut(token);
        Policy::access(entry);
        Some(entry)
    }

    pub(super) fn next_due(&self) -> Instant {
        self.expiry.next_due()
    }

    pub(super) const fn count_miss(&mut self) {
        self.stats.misses += 1;
    }

    /// What `view` makes of a live value, told whether a tag says what it belongs to; a hit if it makes anything of it.
    pub(super) fn read_if<R>(
        &mut self,
        key: Hashed<'_>,
        now: Instant,
        view: impl FnOnce(&V, bool) -> Option<R>,
    ) -> Option<R> {
        let token = self.find(key)?;
        let entry = self.slab.entry_mut(token);
        if entry.lifetime.is_expired(now) {
            return None;
        }
        let seen = view(&entry.value, entry.is_owned)?;
        Policy::access(entry);
        self.stats.hits += 1;
        Some(seen)
    }

    /// A live entry's token. An expired entry of that key leaves.
    #[expect(
        clippy::inline_always,
        reason = "on the path of a hit; handing the key on costs 3 ns"
    )]
    #[inline(always)]
    pub(super) fn find_live(
        &mut self,
        key: Hashed<'_>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<u32> {
        let token = self.find(key)?;
        if self.slab.entry(token).lifetime.is_expired(now) {
            self.remove(token, RemovalCause::Expired, evicted);
            return None;
        }
        Some(token)
    }

    /// A live entry's token, if the entry has that version.
    pub(super) fn find_version(
        &mut self,
        key: Hashed<'_>,
        version: Version,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<u32> {
        let token = self.find_live(key, now, evicted)?;
        (self.slab.entry(token).version == version).then_some(token)
    }

    /// A live entry. Nothing is counted, nothing removed.
    pub(super) fn peek(&self, key: Hashed<'_>, now: Instant) -> Option<&Entry<V>> {
        let entry = self.slab.entry(self.find(key)?);
        if entry.lifetime.is_expired(now) {
            None
        } else {
            Some(entry)
        }
    }

    /// What a fill of the key that begins now is stored with.
    pub(super) fn ticket(&mut self, key: Hashed<'_>, tags: &[Hashed<'_>]) -> Ticket {
        Ticket {
            key: self.generations.watch(key),
            tags: self.tags.watch(tags),
            watched: tags.len(),
        }
    }

    /// A ticket is given back.
    pub(super) fn end_ticket(&mut self, key: Hashed<'_>, tags: &[Hashed<'_>]) {
        self.generations.unwatch(key.hash);
        self.tags.unwatch(tags);
    }

    /// Is what the ticket was handed out for still wanted?
    fn is_good(&self, ticket: Ticket, key: Hashed<'_>, tags: &[Hashed<'_>]) -> bool {
        self.generations.is_good(key.hash, ticket.key) && self.are_untouched(ticket, tags)
    }

    /// Was nothing taken back since the ticket was handed out?
    pub(super) fn is_valid(&self, ticket: Ticket, key: Hashed<'_>, tags: &[Hashed<'_>]) -> bool {
        self.generations.is_valid(key.hash, ticket.key) && self.are_untouched(ticket, tags)
    }

    /// Was none of the tags that the ticket watches let go since?
    fn are_untouched(&self, ticket: Ticket, tags: &[Hashed<'_>]) -> bool {
        let watched = tags.get(..ticket.watched);
        watched.is_some_and(|watched| self.tags.at(watched) == Some(ticket.tags))
    }

    /// Are tickets out for the key, and all of them spoiled?
    pub(super) fn is_spoiled(&self, key: Hashed<'_>, tags: &[Hashed<'_>]) -> bool {
        self.generations.is_spoiled(key.hash) || self.tags.are_spoiled(tags)
    }

    /// No fill of the key that has begun is to be stored.
    pub(super) fn end_tickets(&mut self, key: Hashed<'_>) {
        self.generations.bump(key.hash);
    }

    /// Evicts an entry (an expired one first, else the policy's choice) and sets what it held in the account
    /// aside for the caller. Which; None if the shard is empty.
    pub(super) fn hand_over(
        &mut self,
        room: &mut Room,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> Option<u32> {
        let expired = self.due(now);
        let (token, cause) = match expired {
            Some(token) => (token, RemovalCause::Expired),
            None => (self.policy.victim(&mut self.slab)?, RemovalCause::Size),
        };
        if cause == RemovalCause::Size && room.lacks_weight_only() {
            self.stats.evictions_by_weight += 1;
        }
        room.weight += self.take(token, cause, evicted);
        room.entries += 1;
        Some(token)
    }

    /// Evicts the policy's choice, for want of bytes or of entries. False if the shard is empty.
    pub(super) fn evict(&mut self, by_weight: bool, evicted: &mut Evicted<V>) -> bool {
        let Some(token) = self.policy.victim(&mut self.slab) else {
            return false;
        };
        self.stats.evictions_by_weight += u64::from(by_weight);
        self.remove(token, RemovalCause::Size, evicted);
        true
    }

    /// Removes an entry for good.
    pub(super) fn remove(&mut self, token: u32, cause: RemovalCause, evicted: &mut Evicted<V>) {
        let weight = self.take(token, cause, evicted);
        self.account.release(1, weight);
    }

    /// Removes an entry from everything but the account; its weight.
    fn take(&mut self, token: u32, cause: RemovalCause, evicted: &mut Evicted<V>) -> usize {
        let hash = self.slab.entry(token).hash;
        if let Ok(found) = self.table.find_entry(hash, |&other| other == token) {
            found.remove();
        }
        self.order.remove(&self.slab, token);
        self.policy.remove(&mut self.slab, token);
        self.expiry.remove(&mut self.slab, token);
        let Entry {
            key,
            value,
            tags,
            weight,
            ..
        } = self.slab.remove(token);
        self.weight -= weight;
        if let Some(tags) = tags {
            self.tags
                .remove(token, &tags, |tag| evicted.push_emptied(tag));
        }
        self.leave(key, value, cause, evicted);
        weight
    }

    fn leave(&mut self, key: Key, value: V, cause: RemovalCause, evicted: &mut Evicted<V>) {
        self.stats.count_removed(cause, 1);
        evicted.push(Removed { key, value, cause });
    }

    /// Hands out everything at once. Counters stay.
    pub(super) fn empty(&mut self) -> Slab<V> {
        let count = self.slab.len();
        self.stats
            .count_removed(RemovalCause::Explicit, count as u64);
        self.account
            .release(count, std::mem::take(&mut self.weight));
        self.generations.bump_all();
        self.tags.clear();
        self.order = Order::new();
        self.table = HashTable::new();
        self.policy = Policy::new(self.capacity, self.account.weighs());
        self.expiry = Expiry::new();
        std::mem::replace(&mut self.slab, Slab::new())
    }

    /// Gives the memory of an empty shard back.
    pub(super) fn shrink_if_empty(&mut self) {
        if self.slab.len() == 0 {
            self.table = HashTable::new();
            self.slab = Slab::new();
            self.expiry = Expiry::new();
            self.order = Order::new();
            self.tags.clear();
        }
    }

    /// The bounds have changed; the shard is expected to hold so many entries.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.policy.set_capacity(capacity);
        if self.policy.weighs() != self.account.weighs() {
            self.policy = Policy::new(capacity, self.account.weighs());
            let tokens: Vec<_> = self.slab.iter().map(|(token, _)| token).collect();
            for token in tokens {
                self.policy.insert(&mut self.slab, token);
            }
        }
    }

    /// Adds the live keys in a range of slots to `keys`; false if there are no slots after it.
    pub(super) fn add_keys(&self, slots: Range<u32>, now: Instant, keys: &mut Vec<Key>) -> bool {
        let more = self.slab.slots() > slots.end as usize;
        let live = slots.filter_map(|token| self.slab.get(token));
        keys.extend(
            live.filter(|e| !e.lifetime.is_expired(now))
                .map(|e| e.key.clone()),
        );
        more
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            entries: self.slab.len(),
            weight: self.weight,
            ..self.stats
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "on the path of a hit; handing the key on costs 3 ns"
    )]
    #[inline(always)]
    fn find(&self, key: Hashed<'_>) -> Option<u32> {
        let is_key = |&token: &u32| {
            let entry = self.slab.entry(token);
            entry.hash == key.hash && *entry.key == *key.bytes
        };
        self.table.find(key.hash, is_key).copied()
    }

    fn due(&self, now: Instant) -> Option<u32> {
        if self.expiry.next_due().is_due(now) {
            self.expiry.first()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
