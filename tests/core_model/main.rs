//! Random operations against a naive model, every invariant recomputed at each step.
//!
//! Which entry goes for want of room, and when an expired one is come across, is the store's
//! business: the model follows what comes out and checks that it was allowed to. All else it
//! predicts.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may"
)]

mod ops;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use flask_rustcache::core::{
    Inserted, Instant, Lifetime, Offer, Stats, Store, StoreConfig, Version, When,
};
use ops::{KEYS, Op, Ttl, max_weight, op};
use proptest::prelude::*;
use settle::May;

/// The values that exist at the moment, by number.
type Alive = Arc<Mutex<BTreeSet<u64>>>;

/// A value that tells of its end.
struct Tracked {
    id: u64,
    alive: Alive,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let was_alive = self.alive.lock().unwrap().remove(&self.id);
        assert!(was_alive, "value {} dropped twice", self.id);
    }
}

#[derive(Copy, Clone)]
struct Held {
    id: u64,
    /// Of the whole entry.
    weight: usize,
    lifetime: Lifetime,
}

struct Model {
    store: Store<Tracked>,
    shards: usize,
    bound: usize,
    max_weight: usize,
    /// What an entry weighs beside its value.
    own_weight: usize,
    now: u64,
    next_id: u64,
    alive: Alive,
    held: BTreeMap<u8, Held>,
    /// The version and value last seen of a key.
    seen: BTreeMap<u8, (Version, u64)>,
    stats: Stats,
}

impl Model {
    fn new(shards: usize, (bound, max_weight): (usize, usize)) -> Self {
        let config = StoreConfig {
            max_entries: bound,
            max_weight,
            shards,
        };
        Self {
            store: Store::with_exact_shards(config).unwrap(),
            shards,
            bound,
            max_weight,
            own_weight: own_weight(),
            now: 100,
            next_id: 0,
            alive: Alive::default(),
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
            stats: Stats::default(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    fn live(&self, key: u8) -> Option<Held> {
        let now = self.now();
        self.held
            .get(&key)
            .copied()
            .filter(|held| held.lifetime.stale_until > now)
    }

    fn tracked(&mut self) -> Tracked {
        self.next_id += 1;
        self.alive.lock().unwrap().insert(self.next_id);
        Tracked {
            id: self.next_id,
            alive: Arc::clone(&self.alive),
        }
    }

    fn insert(&mut self, key: u8, weight: usize, ttl: Option<Ttl>, when: When) {
        let lifetime = ttl.map_or(Lifetime::NEVER, |(fresh, stale)| Lifetime {
            fresh_until: self.now().saturating_add(fresh),
            stale_until: self.now().saturating_add(fresh + stale),
        });
        let dead = lifetime.stale_until <= self.now();
        let taken = self.live(key).is_some();
        let declined = taken && when == When::IfAbsent;
        let entry_weight = self.own_weight + weight;
        let too_heavy = !declined && !dead && entry_weight > self.max_weight;
        let may = match taken {
            _ if declined => May::Nothing,
            true if dead || too_heavy => May::Remove(key),
            true => May::Overwrite(key, entry_weight),
            false if dead || too_heavy => May::Nothing,
            false => May::MakeRoom(entry_weight),
        };
        let value = self.tracked();
        let id = value.id;
        let offer = Offer {
            value,
            weight,
            lifetime,
            when,
            tags: &[],
        };
        let Inserted {
            stored,
            refused,
            evicted,
        } = self.store.put(&[key], offer, self.now());
        assert_eq!(stored, !(dead || declined || too_heavy));
        assert_eq!(refused, too_heavy);
        self.stats.refusals += u64::from(refused);
        self.settle(evicted, may);
        assert!(!((dead || refused) && when == When::Always && self.live(key).is_some()));
        if stored {
            let weight = entry_weight;
            self.hold(
                key,
                Held {
                    id,
                    weight,
                    lifetime,
                },
            );
        }
    }

    fn hold(&mut self, key: u8, held: Held) {
        assert!(self.held.insert(key, held).is_none());
        self.stats.insertions += 1;
    }

    fn read(&mut self, key: u8) {
        let expected = self.live(key);
        // By turns, as both must do the same.
        let (seen, evicted) = if self.now.is_multiple_of(2) {
            let (seen, evicted) = self
                .store
                .read_versioned(&[key], self.now(), |value| value.id);
            if let Some((id, version)) = seen {
                self.seen.insert(key, (version, id));
            }
            (seen.map(|(id, _)| id), evicted)
        } else {
            self.store.read(&[key], self.now(), |value| value.id)
        };
        assert_eq!(seen, expected.map(|held| held.id));
        *if seen.is_some() {
            &mut self.stats.hits
        } else {
            &mut self.stats.misses
        } += 1;
        self.settle(evicted, May::Nothing);
    }

    fn replace(&mut self, key: u8, weight: usize) {
        let Some(&(version, seen)) = self.seen.get(&key) else {
            return;
        };
        let expected = self.live(key).filter(|held| held.id == seen);
        let value = self.tracked();
        let id = value.id;
        let new = self.own_weight + weight;
        let too_heavy = expected.is_some() && new > self.max_weight;
        let value = (value, weight);
        let Inserted {
            stored,
            refused,
            evicted,
        } = self.store.replace(&[key], version, value, self.now());
        assert_eq!(refused, too_heavy);
        self.stats.refusals += u64::from(refused);
        let may = match expected {
            None => May::Nothing,
            Some(_) if refused => May::Remove(key),
            Some(_) => May::Overwrite(key, new),
        };
        self.settle(evicted, may);
        assert_eq!(stored, may == May::Overwrite(key, new));
        if let (true, Some(Held { lifetime, .. })) = (stored, expected) {
            let weight = new;
            self.hold(
                key,
                Held {
                    id,
                    weight,
                    lifetime,
                },
            );
        }
    }

    fn contains(&mut self, key: u8) {
        let (found, evicted) = self.store.contains(&[key], self.now());
        assert_eq!(found, self.live(key).is_some());
        self.settle(evicted, May::Nothing);
    }

    fn peek(&self, key: u8) {
        let seen = self
            .store
            .peek(&[key], self.now(), |value, lifetime| (value.id, lifetime));
        assert_eq!(seen, self.live(key).map(|held| (held.id, held.lifetime)));
    }

    fn remove(&mut self, key: u8) {
        let expected = self.live(key).is_some();
        let (found, evicted) = self.store.remove(&[key], self.now());
        assert_eq!(found, expected);
        self.settle(evicted, May::Remove(key));
        assert!(!self.held.contains_key(&key));
    }

    fn keys(&self) {
        let keys = self.store.keys(self.now());
        let unique: BTreeSet<u8> = keys.iter().map(|key| key[0]).collect();
        assert_eq!(keys.len(), unique.len());
        assert!((0..KEYS).all(|key| unique.contains(&key) == self.live(key).is_some()));
    }

    fn len(&mut self) {
        let (len, evicted) = self.store.len(self.now());
        self.settle(evicted, May::Nothing);
        assert_eq!((len, self.expired()), (self.held.len(), 0));
    }

    fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        let evicted = self.store.set_max_entries(bound).unwrap();
        self.settle(evicted, May::Shrink);
    }

    fn set_max_weight(&mut self, max_weight: usize) {
        self.max_weight = max_weight;
        let evicted = self.store.set_max_weight(max_weight).unwrap();
        self.settle(evicted, May::Shrink);
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Insert(key, weight, ttl, when) => self.insert(key, weight, ttl, when),
            Op::Read(key) => self.read(key),
            Op::Replace(key, weight) => self.replace(key, weight),
            Op::Contains(key) => self.contains(key),
            Op::Peek(key) => self.peek(key),
            Op::Remove(key) => self.remove(key),
            Op::Clear => {
                let evicted = self.store.clear();
                self.settle(evicted, May::Clear);
                assert!(self.held.is_empty());
            }
            Op::Purge => {
                let evicted = self.store.purge_expired(self.now());
                self.settle(evicted, May::Nothing);
                assert_eq!(self.expired(), 0);
            }
            Op::Len => self.len(),
            Op::Keys => self.keys(),
            Op::Bound(bound) => self.set_bound(bound),
            Op::Weight(max_weight) => self.set_max_weight(max_weight),
            Op::Forward(by) => self.now += by,
            Op::Back(by) => self.now = self.now.saturating_sub(by),
        }
    }

    /// What holds after every operation, whatever it was.
    fn check(&self) {
        self.store.validate().unwrap();
        let held: BTreeSet<u64> = self.held.values().map(|held| held.id).collect();
        assert_eq!(
            *self.alive.lock().unwrap(),
            held,
            "every other value has been handed out"
        );
        assert!(held.len() <= self.bound && self.weight() <= self.max_weight);
        assert_eq!(
            self.store.stats(),
            Stats {
                entries: held.len(),
                weight: self.weight(),
                ..self.stats
            }
        );
    }
}

/// What an entry with a key of one byte weighs beside its value.
fn own_weight() -> usize {
    let config = StoreConfig {
        max_entries: 1,
        max_weight: usize::MAX,
        shards: 1,
    };
    let store = Store::new(config).unwrap();
    let now = Instant::from_nanos(0);
    let tracked = Tracked {
        id: 0,
        alive: Arc::new(Mutex::new(BTreeSet::from([0]))),
    };
    drop(store.insert(b"k", tracked, Lifetime::NEVER, now, When::Always));
    store.stats().weight
}

fn run(shards: usize, bounds: (usize, usize), ops: &[Op]) {
    let mut model = Model::new(shards, bounds);
    for op in ops {
        model.apply(op);
        model.check();
    }
    let alive = Arc::clone(&model.alive);
    drop(model);
    assert!(
        alive.lock().unwrap().is_empty(),
        "a store drops what it holds"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_shard_does_as_the_model_does(bounds in (1..48_usize, max_weight()), ops in prop::collection::vec(op(), 1..250)) {
        run(1, bounds, &ops);
    }

    #[test]
    fn two_shards_do_as_the_model_does(bounds in (1..48_usize, max_weight()), ops in prop::collection::vec(op(), 1..250)) {
        run(2, bounds, &ops);
    }

    #[test]
    fn sixteen_shards_do_as_the_model_does(bounds in (1..48_usize, max_weight()), ops in prop::collection::vec(op(), 1..250)) {
        run(16, bounds, &ops);
    }
}
