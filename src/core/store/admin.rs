//! The store as a whole: emptied, bounded, listed, counted, checked.

use super::{SLOTS_PER_LOCK, Store};
use crate::core::clock::Instant;
use crate::core::config::{ConfigError, check_max_entries, check_max_weight};
use crate::core::entry::{Entry, Key};
use crate::core::evicted::{Evicted, RemovalCause, Removed};
use crate::core::shard::Shard;
use crate::core::slab::Slab;
use crate::core::stats::Stats;
use crate::core::sync::{MutexGuard, Padded, yield_now};

impl<V> Store<V> {
    /// Removes everything, at one moment. Takes time in proportion to the entries, after the unlock.
    pub fn clear(&self) -> Evicted<V> {
        let mut guards = self.lock_all();
        let slabs: Vec<_> = guards.iter_mut().map(|shard| shard.empty()).collect();
        drop(guards);
        let mut evicted = Evicted::nothing();
        for Entry { key, value, .. } in slabs.into_iter().flat_map(Slab::into_entries) {
            evicted.push(Removed {
                key,
                value,
                cause: RemovalCause::Explicit,
            });
        }
        evicted
    }

    /// Removes every expired entry. Takes time in proportion to their number.
    pub fn purge_expired(&self, now: Instant) -> Evicted<V> {
        let mut evicted = Evicted::nothing();
        for Padded(shard) in &self.shards {
            while shard.lock().reclaim(now, &mut evicted) {}
            shard.lock().shrink_if_empty();
        }
        evicted
    }

    /// The number of live entries. Exact, as it removes every expired one first.
    pub fn len(&self, now: Instant) -> (usize, Evicted<V>) {
        let evicted = self.purge_expired(now);
        (self.account.held(), evicted)
    }

    /// The live keys, in no order. Counts nothing and removes nothing. What other threads do in the
    /// meantime may or may not be seen: the locks are released every few hundred keys.
    #[must_use]
    pub fn keys(&self, now: Instant) -> Vec<Key> {
        let mut keys = Vec::new();
        for Padded(shard) in &self.shards {
            let mut from = 0;
            while shard
                .lock()
                .add_keys(from..from.saturating_add(SLOTS_PER_LOCK), now, &mut keys)
            {
                from = from.saturating_add(SLOTS_PER_LOCK);
            }
        }
        keys
    }

    /// Changes the bound, and evicts down to it at once. The number of shards stays.
    ///
    /// # Errors
    /// If `max_entries` is 0.
    pub fn set_max_entries(&self, max_entries: usize) -> Result<Evicted<V>, ConfigError> {
        check_max_entries(max_entries)?;
        self.account.set_max_entries(max_entries);
        Ok(self.shrink())
    }

    /// The same for the bound in bytes.
    ///
    /// # Errors
    /// If `max_weight` is 0.
    pub fn set_max_weight(&self, max_weight: usize) -> Result<Evicted<V>, ConfigError> {
        check_max_weight(max_weight)?;
        self.account.set_max_weight(max_weight);
        Ok(self.shrink())
    }

    /// Evicts down to the bounds.
    fn shrink(&self) -> Evicted<V> {
        let max_entries = self.account.max_entries();
        let capacity = max_entries.div_ceil(self.shards.len());
        // Takes every lock once: after this nobody is about to insert under the old bound.
        self.shards
            .iter()
            .for_each(|Padded(shard)| shard.lock().set_capacity(capacity));
        let mut evicted = Evicted::nothing();
        while self.account.is_over() {
            // Others may hold reservations for entries that are not there yet.
            if !self.evict_round(&mut evicted) {
                yield_now();
            }
        }
        evicted
    }

    /// The bound in bytes; `usize::MAX` is none.
    #[must_use]
    pub fn max_weight(&self) -> usize {
        self.account.max_weight()
    }

    /// The bound on entries.
    #[must_use]
    pub fn max_entries(&self) -> usize {
        self.account.max_entries()
    }

    /// What the store has done so far. `entries` and `weight` are never above their bounds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        self.shards
            .iter()
            .for_each(|Padded(shard)| sum.add(&shard.lock().stats()));
        // Not the sum: an entry counted in one shard may have made room for one counted in the next.
        Stats {
            entries: self.account.held(),
            weight: self.account.weight(),
            ..sum
        }
    }

    /// Recomputes every invariant from scratch. To be called while no other thread inserts, or
    /// changes a bound; takes time in proportion to the entries.
    ///
    /// # Errors
    /// Says which invariant is broken.
    pub fn validate(&self) -> Result<(), String> {
        let guards = self.lock_all();
        guards.iter().try_for_each(|shard| shard.validate())?;
        let mut sum = Stats::default();
        for shard in &guards {
            sum.add(&shard.stats());
        }
        let (held, bound) = (self.account.held(), self.max_entries());
        if sum.entries != held || held > bound {
            let entries = sum.entries;
            return Err(format!(
                "{entries} entries in shards, {held} in the account, bound {bound}"
            ));
        }
        let (held, bound) = (self.account.weight(), self.max_weight());
        if sum.weight != held || held > bound {
            let weight = sum.weight;
            return Err(format!(
                "{weight} bytes in shards, {held} in the account, bound {bound}"
            ));
        }
        Ok(())
    }

    fn lock_all(&self) -> Vec<MutexGuard<'_, Shard<V>>> {
        self.shards
            .iter()
            .map(|Padded(shard)| shard.lock())
            .collect()
    }

    /// Evicts one entry of each shard while too many are held. False if all are empty.
    fn evict_round(&self, evicted: &mut Evicted<V>) -> bool {
        self.shards.iter().fold(false, |any, Padded(shard)| {
            let by_weight = self.account.held() <= self.max_entries();
            any | (self.account.is_over() && shard.lock().evict(by_weight, evicted))
        })
    }
}
