//! Random operations against a naive model, every invariant recomputed at each step.
//!
//! Which entry goes for want of room, and when an expired one is come across, is the store's
//! business: the model follows what comes out and checks that it was allowed to. All else it
//! predicts.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use flask_rustcache::core::{
    Evicted, Inserted, Instant, Lifetime, RemovalCause, Stats, Store, StoreConfig, Version, When,
};
use proptest::prelude::*;

/// More than one call clears away, so that some expired entries stay for a while.
const KEYS: u8 = 60;

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

#[derive(Clone, Debug)]
enum Op {
    Insert(u8, Option<Ttl>, When),
    Read(u8),
    Replace(u8),
    Contains(u8),
    Peek(u8),
    Remove(u8),
    Clear,
    Purge,
    Len,
    Keys,
    Bound(usize),
    Forward(u64),
    Back(u64),
}

/// Fresh for so long, then stale for so long; both 0 is expired already.
type Ttl = (u64, u64);

fn op() -> impl Strategy<Value = Op> {
    let ttl = prop_oneof![
        1 => Just(None),
        1 => Just(Some((0, 0))),
        3 => Just(Some((10, 0))),
        3 => (0..30_u64, 0..10_u64).prop_map(Some),
    ];
    let when = prop_oneof![3 => Just(When::Always), 1 => Just(When::IfAbsent)];
    prop_oneof![
        30 => (0..KEYS, ttl, when).prop_map(|(key, ttl, when)| Op::Insert(key, ttl, when)),
        15 => (0..KEYS).prop_map(Op::Read),
        8 => (0..KEYS).prop_map(Op::Replace),
        5 => (0..KEYS).prop_map(Op::Contains),
        3 => (0..KEYS).prop_map(Op::Peek),
        6 => (0..KEYS).prop_map(Op::Remove),
        1 => Just(Op::Clear),
        2 => Just(Op::Purge),
        2 => Just(Op::Len),
        2 => Just(Op::Keys),
        1 => (1..48_usize).prop_map(Op::Bound),
        8 => (1..8_u64).prop_map(Op::Forward),
        1 => (30..50_u64).prop_map(Op::Forward),
        2 => (1..30_u64).prop_map(Op::Back),
    ]
}

#[derive(Copy, Clone)]
struct Held {
    id: u64,
    lifetime: Lifetime,
}

/// What an operation may throw out, apart from what has expired.
#[derive(Copy, Clone, PartialEq)]
enum May {
    Nothing,
    /// The entry of this key, asked for.
    Remove(u8),
    /// The entry of this key, for a new value.
    Overwrite(u8),
    /// An entry of the policy's choice, if the store is full.
    MakeRoom,
    /// Entries of the policy's choice, while too many are held.
    Shrink,
    /// Everything.
    Clear,
}

struct Model {
    store: Store<Tracked>,
    shards: usize,
    bound: usize,
    now: u64,
    next_id: u64,
    alive: Alive,
    held: BTreeMap<u8, Held>,
    /// The version and value last seen of a key.
    seen: BTreeMap<u8, (Version, u64)>,
    stats: Stats,
}

impl Model {
    fn new(shards: usize, bound: usize) -> Self {
        let config = StoreConfig {
            max_entries: bound,
            shards,
        };
        Self {
            store: Store::with_exact_shards(config).unwrap(),
            shards,
            bound,
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

    /// Takes what came out, in its order, and checks that each entry was allowed to.
    fn settle(&mut self, evicted: Evicted<Tracked>, may: May) {
        for removed in evicted {
            let cause = removed.cause;
            let key = match may {
                May::Overwrite(key) if cause == RemovalCause::Replaced => key,
                _ => removed.key[0],
            };
            let full = self.held.len() == self.bound;
            let held = self.held.remove(&key).unwrap();
            assert_eq!(held.id, removed.value.id);
            let expired = held.lifetime.stale_until <= self.now();
            match cause {
                RemovalCause::Expired => assert!(expired, "key {key} had not expired"),
                RemovalCause::Explicit => assert!(may == May::Clear || may == May::Remove(key)),
                RemovalCause::Replaced => assert!(may == May::Overwrite(key) && !expired),
                RemovalCause::Size if may == May::Shrink => assert!(self.held.len() >= self.bound),
                RemovalCause::Size => {
                    assert!(may == May::MakeRoom && full);
                    assert!(
                        self.shards > 1 || self.expired() == 0,
                        "an expired one goes first"
                    );
                }
            }
            self.count(cause);
        }
    }

    fn expired(&self) -> usize {
        let now = self.now();
        self.held
            .values()
            .filter(|held| held.lifetime.stale_until <= now)
            .count()
    }

    fn count(&mut self, cause: RemovalCause) {
        let stats = &mut self.stats;
        *match cause {
            RemovalCause::Expired => &mut stats.expirations,
            RemovalCause::Explicit => &mut stats.removals,
            RemovalCause::Replaced => &mut stats.replacements,
            RemovalCause::Size => &mut stats.evictions,
        } += 1;
    }

    fn insert(&mut self, key: u8, ttl: Option<Ttl>, when: When) {
        let lifetime = ttl.map_or(Lifetime::NEVER, |(fresh, stale)| Lifetime {
            fresh_until: self.now().saturating_add(fresh),
            stale_until: self.now().saturating_add(fresh + stale),
        });
        let dead = lifetime.stale_until <= self.now();
        let taken = self.live(key).is_some();
        let may = match (taken, when) {
            (true, When::IfAbsent) => May::Nothing,
            (true, _) if dead => May::Remove(key),
            (true, _) => May::Overwrite(key),
            (false, _) if dead => May::Nothing,
            (false, _) => May::MakeRoom,
        };
        let value = self.tracked();
        let id = value.id;
        let Inserted { stored, evicted } =
            self.store.insert(&[key], value, lifetime, self.now(), when);
        let refused = taken && when == When::IfAbsent;
        assert_eq!(stored, !(dead || refused));
        self.settle(evicted, may);
        assert!(!(dead && when == When::Always && self.live(key).is_some()));
        if stored {
            self.hold(key, Held { id, lifetime });
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

    fn replace(&mut self, key: u8) {
        let Some(&(version, seen)) = self.seen.get(&key) else {
            return;
        };
        let expected = self.live(key).filter(|held| held.id == seen);
        let value = self.tracked();
        let id = value.id;
        let Inserted { stored, evicted } = self.store.replace(&[key], version, value, self.now());
        assert_eq!(stored, expected.is_some());
        self.settle(
            evicted,
            if stored {
                May::Overwrite(key)
            } else {
                May::Nothing
            },
        );
        if let Some(Held { lifetime, .. }) = expected {
            self.hold(key, Held { id, lifetime });
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

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Insert(key, ttl, when) => self.insert(key, ttl, when),
            Op::Read(key) => self.read(key),
            Op::Replace(key) => self.replace(key),
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
        assert!(held.len() <= self.bound);
        assert_eq!(
            self.store.stats(),
            Stats {
                entries: held.len(),
                ..self.stats
            }
        );
    }
}

fn run(shards: usize, bound: usize, ops: &[Op]) {
    let mut model = Model::new(shards, bound);
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
    fn one_shard_does_as_the_model_does(bound in 1..48_usize, ops in prop::collection::vec(op(), 1..250)) {
        run(1, bound, &ops);
    }

    #[test]
    fn two_shards_do_as_the_model_does(bound in 1..48_usize, ops in prop::collection::vec(op(), 1..250)) {
        run(2, bound, &ops);
    }

    #[test]
    fn sixteen_shards_do_as_the_model_does(bound in 1..48_usize, ops in prop::collection::vec(op(), 1..250)) {
        run(16, bound, &ops);
    }
}
