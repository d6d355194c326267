//! What is removed together: by a tag, by a range of keys. And lifetimes changed without the values.

use super::Store;
use crate::core::clock::Instant;
use crate::core::entry::Lifetime;
use crate::core::evicted::Evicted;
use crate::core::shard::{REMOVED_PER_VISIT, VISITS_PER_BLOCK};
use crate::core::sync::Padded;

impl<V> Store<V> {
    /// Removes all entries that carry a tag, and lets no fill that has begun store another. Takes time in
    /// proportion to their number.
    ///
    /// What had expired by `now` leaves as that.
    pub fn remove_tag(&self, tag: &[u8], now: Instant) -> Evicted<V> {
        let tag = self.hashed(tag);
        let mut evicted = Evicted::nothing();
        for Padded(shard) in &self.shards {
            shard.lock().remove_tag(tag, now, &mut evicted);
        }
        evicted
    }

    /// Whether any entry carries a tag, expired ones included that no call has come across yet.
    #[must_use]
    pub fn has_tag(&self, tag: &[u8]) -> bool {
        self.shards
            .iter()
            .any(|Padded(shard)| shard.lock().has_tag(tag))
    }

    /// Removes all entries with keys from `from` on and before `to`, byte by byte, and lets no fill that has
    /// begun for such a key be stored. What comes in meanwhile may stay or go.
    ///
    /// The first call has each shard put its entries in order and keep them so: see `order.rs`. From then on
    /// this takes time in proportion to what it removes (and to the fills under way), with a search for each
    /// 4,096 entries, and storing and removing an entry take a search, too. Each lock is held for a block only.
    pub fn remove_between(&self, from: &[u8], to: &[u8], now: Instant) -> Evicted<V> {
        let mut evicted = Evicted::nothing();
        for Padded(shard) in &self.shards {
            shard.lock().begin_removal(from, to);
            let mut visit = |block| {
                let mut shard = shard.lock();
                shard.remove_between(block, (from, to), now, &mut evicted)
            };
            let (mut block, mut visits) = (0, 0);
            while let Some(removed) = visit(block) {
                visits += 1;
                // There are no more, unless others store them as fast as they are removed.
                if removed < REMOVED_PER_VISIT || visits == VISITS_PER_BLOCK {
                    (block, visits) = (block + 1, 0);
                }
            }
            shard.lock().end_removal(from, to);
        }
        evicted
    }

    /// How long a live entry may be served. Counts nothing and is no access to the policy.
    pub fn lifetime(&self, key: &[u8], now: Instant) -> (Option<Lifetime>, Evicted<V>) {
        self.call(key, now, |shard, key, evicted| {
            shard.lifetime(key, now, evicted)
        })
    }

    /// Gives a live entry another lifetime, which begins to count at `now`; false if there is none. One that is
    /// over already removes the entry.
    pub fn touch(&self, key: &[u8], lifetime: Lifetime, now: Instant) -> (bool, Evicted<V>) {
        self.call(key, now, |shard, key, evicted| {
            shard.touch(key, lifetime, now, evicted)
        })
    }
}
