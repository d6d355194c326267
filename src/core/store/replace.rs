//! A value changed in its place, if it is still the one that was read.

use super::{Inserted, Store};
use crate::core::clock::Instant;
use crate::core::entry::Version;
use crate::core::evicted::Evicted;
use crate::core::generations::Ticket;
use crate::core::incoming::{Offer, Outcome, When};
use crate::core::shard::Displaced;

impl<V> Store<V> {
    /// Stores a value, and its weight in bytes, over a live entry that still has the version that was read, and
    /// keeps that entry's lifetime and tags. Otherwise stores nothing. A value that is too heavy is refused as by
    /// [`Store::put`]; for one that is heavier than the old others are evicted. If the policy's choice is the entry
    /// itself, it goes and comes anew, unless somebody was quicker.
    pub fn replace(
        &self,
        key: &[u8],
        version: Version,
        value: (V, usize),
        now: Instant,
    ) -> Inserted<V> {
        let (result, evicted) = self.call(key, now, |shard, key, evicted| {
            let Some(token) = shard.find_version(key, version, now, evicted) else {
                evicted.leave_unused(value.0);
                return Ok(Outcome::Declined);
            };
            shard
                .replace(token, value, now, evicted)
                .map_err(|displaced| {
                    // What takes the key or a tag back from now on keeps the value out.
                    let names: Vec<&[u8]> = displaced.tags.iter().map(AsRef::as_ref).collect();
                    let ticket = shard.ticket(key, &self.all_hashed(&names));
                    let is_leaving = shard.is_leaving(key.bytes);
                    (displaced, if is_leaving { ticket.void() } else { ticket })
                })
        });
        match result {
            Ok(outcome) => Inserted::new(outcome, evicted),
            Err(displaced) => self.put_back(key, displaced, now, evicted),
        }
    }

    /// Stores a value anew whose entry had to go for it.
    #[cold]
    fn put_back(
        &self,
        key: &[u8],
        (displaced, ticket): (Displaced<V>, Ticket),
        now: Instant,
        mut evicted: Evicted<V>,
    ) -> Inserted<V> {
        let tags: Vec<&[u8]> = displaced.tags.iter().map(AsRef::as_ref).collect();
        let (value, weight) = displaced.value;
        let offer = Offer {
            value,
            weight,
            lifetime: displaced.lifetime,
            when: When::IfTicket(ticket),
            tags: &tags,
        };
        let inserted = self.put(key, offer, now);
        self.end_ticket(key, &tags);
        evicted.append(inserted.evicted);
        Inserted {
            evicted,
            ..inserted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config::StoreConfig;
    use crate::core::entry::Lifetime;

    const NOW: Instant = Instant::from_nanos(1);

    fn put(store: &Store<u8>, key: &[u8], weight: usize) {
        let offer = Offer {
            value: 0,
            weight,
            lifetime: Lifetime::NEVER,
            when: When::Always,
            tags: &[],
        };
        assert!(store.put(key, offer, NOW).stored);
    }

    /// Of two entries the heavy one is to go first; it grows, and comes anew, or does not.
    fn grow(store: &Store<u8>) -> bool {
        put(store, b"light", 100_000);
        put(store, b"heavy", 600_000);
        for _ in 0..3 {
            drop(store.read(b"light", NOW, |_| ()));
        }
        let (read, _) = store.read_versioned(b"heavy", NOW, |_| ());
        let (version, before) = (read.expect("it is there").1, store.stats());
        let inserted = store.replace(b"heavy", version, (1, 850_000), NOW);
        let others = u64::from(inserted.stored);
        assert_eq!(store.stats().evictions, before.evictions + 1 + others);
        inserted.stored
    }

    #[test]
    fn what_comes_anew_stays_away_while_it_is_removed_with_others() {
        let store = Store::new(StoreConfig {
            max_entries: 10,
            max_weight: 900_000,
            shards: 1,
        });
        let store = store.expect("a sound configuration");
        assert!(grow(&store));
        // As if a visit to the next block were still to come.
        store.shards[0].0.lock().begin_removal(b"h", b"i");
        assert!(!grow(&store));
        store.shards[0].0.lock().end_removal(b"h", b"i");
        assert!(grow(&store));
        store.validate().expect("a sound store");
    }
}
