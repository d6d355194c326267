//! The locked front: shards behind a lock each, and one account for all of them.

mod admin;
mod groups;
mod replace;
#[cfg(test)]
mod steps_tests;

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

use super::account::Account;
use super::clock::Instant;
use super::config::{ConfigError, StoreConfig};
use super::entry::{Entry, Lifetime, Version};
use super::evicted::{Evicted, RemovalCause};
use super::generations::Ticket;
use super::incoming::{Hashed, Incoming, Offer, Outcome, When};
use super::shard::Shard;
use super::sync::{Arc, Mutex, Padded, new_hasher, yield_now};

/// Slots looked at per lock when keys are listed: some 10 microseconds.
const SLOTS_PER_LOCK: u32 = 256;
/// Of this many calls on a shard, one looks after another shard too: seldom, as it takes a cache line from the
/// threads that are busy there.
const CALLS_PER_VISIT: usize = 64;
/// How often that shard clears away a few expired entries per visit: enough to keep up with one new entry per call.
const TURNS_PER_VISIT: usize = 8;

/// What came of an insertion.
#[must_use = "it holds what the caller has to drop"]
#[derive(Debug)]
pub struct Inserted<V> {
    /// Whether the value is in the store now.
    pub stored: bool,
    /// Whether it was not, as it would take more bytes than the whole store may.
    pub refused: bool,
    /// What the caller has to drop: whatever left, and the value if it was not stored.
    pub evicted: Evicted<V>,
}

impl<V> Inserted<V> {
    fn new(outcome: Outcome, evicted: Evicted<V>) -> Self {
        Self {
            stored: outcome == Outcome::Stored,
            refused: outcome == Outcome::Refused,
            evicted,
        }
    }
}

/// A bounded map from bytes to values with a lifetime each.
///
/// All methods may be called from any thread, and none runs anybody's code under a lock but the
/// `view` it was given, which must be short and must not call the store. If `view` panics the store
/// is none the worse. Each call takes one lock at a time and does a bounded amount of clearing away
/// of expired entries; what leaves the store comes out as [`Evicted`], to be dropped by the caller.
#[derive(Debug)]
pub struct Store<V> {
    shards: Box<[Padded<Mutex<Shard<V>>>]>,
    hasher: RandomState,
    account: Arc<Account>,
}

impl<V> Store<V> {
    /// An empty store, with a hash seed of its own. With a bound below 1,024 entries, or 4 MiB, it has one
    /// shard, whatever was asked for.
    ///
    /// # Errors
    /// If the configuration makes no sense; the error says which part.
    pub fn new(config: StoreConfig) -> Result<Self, ConfigError> {
        Self::with_exact_shards(config.with_sensible_shards())
    }

    /// The same, with as many shards as were asked for however few the entries: for tests.
    ///
    /// # Errors
    /// As for [`Store::new`].
    pub fn with_exact_shards(config: StoreConfig) -> Result<Self, ConfigError> {
        let StoreConfig {
            max_entries,
            max_weight,
            shards,
        } = config.check()?;
        let account = Arc::new(Account::new(max_entries, max_weight));
        let capacity = max_entries.div_ceil(shards);
        let new_shard = || {
            let shard = Shard::new(Arc::clone(&account), capacity, shards == 1);
            Padded(Mutex::new(shard))
        };
        let shards = std::iter::repeat_with(new_shard).take(shards).collect();
        Ok(Self {
            shards,
            hasher: new_hasher(),
            account,
        })
    }

    /// Shows a live value to `view`, under the lock. Counts a hit or a miss, and is an access to the
    /// eviction policy.
    #[inline]
    pub fn read<R>(
        &self,
        key: &[u8],
        now: Instant,
        view: impl FnOnce(&V) -> R,
    ) -> (Option<R>, Evicted<V>) {
        self.read_entry(key, now, |entry| view(&entry.value))
    }

    /// The same, with the version to give to [`Store::replace`].
    pub fn read_versioned<R>(
        &self,
        key: &[u8],
        now: Instant,
        view: impl FnOnce(&V) -> R,
    ) -> (Option<(R, Version)>, Evicted<V>) {
        self.read_entry(key, now, |entry| (view(&entry.value), entry.version))
    }

    #[inline]
    fn read_entry<R>(
        &self,
        key: &[u8],
        now: Instant,
        view: impl FnOnce(&Entry<V>) -> R,
    ) -> (Option<R>, Evicted<V>) {
        self.call(key, now, |shard, key, evicted| {
            shard.read(key, now, evicted).map(view)
        })
    }

    /// Whether a live entry is there. Counts no hit or miss, and is no access to the policy.
    pub fn contains(&self, key: &[u8], now: Instant) -> (bool, Evicted<V>) {
        self.call(key, now, |shard, key, evicted| {
            shard.find_live(key, now, evicted).is_some()
        })
    }

    /// Stores a value of weight 0; see [`Store::put`].
    #[expect(
        clippy::too_many_arguments,
        reason = "five and self, each of which every caller has at hand"
    )]
    pub fn insert(
        &self,
        key: &[u8],
        value: V,
        lifetime: Lifetime,
        now: Instant,
        when: When,
    ) -> Inserted<V> {
        let offer = Offer {
            value,
            weight: 0,
            lifetime,
            when,
            tags: &[],
        };
        self.put(key, offer, now)
    }

    /// Stores a value. While the store is full, in entries or in bytes, an entry is evicted: an expired one of
    /// the key's shard if there is one, else the policy's choice.
    ///
    /// A value whose lifetime is over at `now` is never stored and takes no room; nor is one whose entry would
    /// be heavier than the whole store may be, which is counted as refused. In both cases a live entry that it
    /// was to replace is removed ([`RemovalCause::Explicit`]): what it holds is not wanted any more.
    #[inline]
    pub fn put(&self, key: &[u8], offer: Offer<'_, V>, now: Instant) -> Inserted<V> {
        if offer.tags.is_empty() {
            return self.insert_incoming(Incoming::new(self.hashed(key), offer, &[]), now);
        }
        self.put_tagged(key, offer, now)
    }

    #[inline(never)]
    fn put_tagged(&self, key: &[u8], offer: Offer<'_, V>, now: Instant) -> Inserted<V> {
        let tags = self.all_hashed(offer.tags);
        self.insert_incoming(Incoming::new(self.hashed(key), offer, &tags), now)
    }

    #[inline]
    fn insert_incoming(&self, mut incoming: Incoming<'_, V>, now: Instant) -> Inserted<V> {
        let mut evicted = Evicted::nothing();
        let key = incoming.key;
        loop {
            let mut shard = self.shard(key.hash).lock();
            let calls = shard.begin_call(now, &mut evicted);
            let outcome = shard.insert(&mut incoming, now, &mut evicted);
            drop(shard);
            if outcome != Outcome::NoRoom {
                self.visit_another(calls, now, &mut evicted);
                return Inserted::new(outcome, evicted);
            }
            if !self.collect_room(&mut incoming, now, &mut evicted) {
                // All other shards are empty, all room is reserved: others are about to insert, or wait as we do.
                self.account.give_back(&mut incoming.room);
                yield_now();
            }
        }
    }

    /// What to store a value with that is now beginning to be made; see [`When::IfTicket`]. To be given back
    /// by [`Store::end_ticket`].
    #[must_use]
    pub fn ticket(&self, key: &[u8], tags: &[&[u8]]) -> Ticket {
        let (key, tags) = (self.hashed(key), self.all_hashed(tags));
        self.shard(key.hash).lock().ticket(key, &tags)
    }

    /// Has nothing been taken back since this ticket was handed out? (A value for a later one may be there.)
    #[must_use]
    pub fn is_valid(&self, ticket: Ticket, key: &[u8], tags: &[&[u8]]) -> bool {
        let (key, tags) = (self.hashed(key), self.all_hashed(tags));
        self.shard(key.hash).lock().is_valid(ticket, key, &tags)
    }

    /// Are tickets out for the key, and is none of them good any more?
    #[must_use]
    pub fn is_spoiled(&self, key: &[u8], tags: &[&[u8]]) -> bool {
        let (key, tags) = (self.hashed(key), self.all_hashed(tags));
        self.shard(key.hash).lock().is_spoiled(key, &tags)
    }

    /// Gives a live entry more tags. Its value, and how long it lives, stay.
    pub fn add_tags(&self, key: &[u8], tags: &[&[u8]], now: Instant) -> Evicted<V> {
        let tags = self.all_hashed(tags);
        let ((), evicted) = self.call(key, now, |shard, key, evicted| {
            if let Some(token) = shard.find_live(key, now, evicted) {
                shard.add_tags(token, &tags, now, evicted);
            }
        });
        evicted
    }

    /// Takes a ticket for that key and those tags back: nothing is stored with it any more.
    pub fn end_ticket(&self, key: &[u8], tags: &[&[u8]]) {
        let (key, tags) = (self.hashed(key), self.all_hashed(tags));
        self.shard(key.hash).lock().end_ticket(key, &tags);
    }

    /// Removes an entry; true if a live one was there. Ends the key's tickets in either case.
    pub fn remove(&self, key: &[u8], now: Instant) -> (bool, Evicted<V>) {
        self.call(key, now, |shard, key, evicted| {
            shard.end_tickets(key);
            let token = shard.find_live(key, now, evicted);
            token
                .map(|token| shard.remove(token, RemovalCause::Explicit, evicted))
                .is_some()
        })
    }

    /// Shows a live value and its lifetime to `view`, under the lock. Counts nothing, removes
    /// nothing and is no access to the policy.
    pub fn peek<R>(
        &self,
        key: &[u8],
        now: Instant,
        view: impl FnOnce(&V, Lifetime) -> R,
    ) -> Option<R> {
        let key = self.hashed(key);
        let shard = self.shard(key.hash).lock();
        shard
            .peek(key, now)
            .map(|entry| view(&entry.value, entry.lifetime))
    }

    /// Offers a live value to `view`, with whether a tag (no user's) says what it belongs to, under the lock. Only if
    /// it takes it is this a hit and an access, else nothing is counted: the caller asks again by [`Store::read`], or says [`Store::count_miss`].
    #[inline]
    pub fn read_if<R>(
        &self,
        key: &[u8],
        now: Instant,
        view: impl FnOnce(&V, bool) -> Option<R>,
    ) -> (Option<R>, Evicted<V>) {
        self.call(key, now, |shard, key, _| shard.read_if(key, now, view))
    }

    /// The earliest deadline of any entry; [`Instant::NEVER`] if none has one.
    #[must_use]
    pub fn next_due(&self) -> Instant {
        let due = self
            .shards
            .iter()
            .map(|Padded(shard)| shard.lock().next_due());
        due.min().unwrap_or(Instant::NEVER)
    }

    /// Counts a miss for a caller that found nothing by [`Store::read_if`] and asks no further.
    pub fn count_miss(&self) {
        self.shards[0].0.lock().count_miss();
    }

    /// What most operations are: one shard, locked once, with something to drop afterwards.
    #[inline]
    fn call<'k, R>(
        &self,
        key: &'k [u8],
        now: Instant,
        act: impl FnOnce(&mut Shard<V>, Hashed<'k>, &mut Evicted<V>) -> R,
    ) -> (R, Evicted<V>) {
        let key = self.hashed(key);
        // Made before the guard: should `act` panic, it is dropped after the unlock.
        let mut evicted = Evicted::nothing();
        let mut shard = self.shard(key.hash).lock();
        let calls = shard.begin_call(now, &mut evicted);
        let result = act(&mut shard, key, &mut evicted);
        drop(shard);
        self.visit_another(calls, now, &mut evicted);
        (result, evicted)
    }

    fn all_hashed<'k>(&self, all: &[&'k [u8]]) -> Vec<Hashed<'k>> {
        all.iter().map(|bytes| self.hashed(bytes)).collect()
    }

    #[inline]
    fn hashed<'k>(&self, bytes: &'k [u8]) -> Hashed<'k> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        Hashed {
            hash: hasher.finish(),
            bytes,
        }
    }

    /// By bits that a shard's table makes no use of (it takes the lowest and the highest).
    #[inline]
    fn shard(&self, hash: u64) -> &Mutex<Shard<V>> {
        &self.shards[self.shard_index(hash)].0
    }

    #[inline]
    fn shard_index(&self, hash: u64) -> usize {
        usize::try_from(hash >> 32).unwrap_or(0) & (self.shards.len() - 1)
    }

    /// Now and then lets a call look after another shard, if nobody is in it: entries that expire
    /// are reclaimed whichever keys the later calls are about.
    #[inline]
    fn visit_another(&self, calls: usize, now: Instant, evicted: &mut Evicted<V>) {
        if self.shards.len() > 1 && calls.is_multiple_of(CALLS_PER_VISIT) {
            self.visit(calls / CALLS_PER_VISIT, now, evicted);
        }
    }

    #[cold]
    fn visit(&self, turn: usize, now: Instant, evicted: &mut Evicted<V>) {
        let index = turn & (self.shards.len() - 1);
        let Some(mut shard) = self.shards[index].0.try_lock() else {
            return;
        };
        // Until nothing is left that is due.
        (0..TURNS_PER_VISIT).all(|_| shard.reclaim(now, evicted));
    }

    /// Evicts an entry of each other shard, until what they leave is room enough. False if all of them are empty.
    fn collect_room(
        &self,
        incoming: &mut Incoming<'_, V>,
        now: Instant,
        evicted: &mut Evicted<V>,
    ) -> bool {
        let own = self.shard_index(incoming.key.hash);
        let mut any = false;
        for after in 1..=self.shards.len() {
            let Padded(shard) = &self.shards[(own + after) & (self.shards.len() - 1)];
            let mut shard = shard.lock();
            any |= shard.hand_over(&mut incoming.room, now, evicted).is_some();
            if self.account.fill(&mut incoming.room) {
                return true;
            }
        }
        any
    }
}
