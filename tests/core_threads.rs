//! Many threads, values whose drop calls the store, and a `view` that panics.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may"
)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use flask_rustcache::core::{
    Evicted, Instant, Lifetime, Offer, RemovalCause, Stats, Store, StoreConfig, When,
};

fn store<V>(max_entries: usize, shards: usize) -> Store<V> {
    bounded((max_entries, usize::MAX), shards)
}

fn bounded<V>((max_entries, max_weight): (usize, usize), shards: usize) -> Store<V> {
    Store::with_exact_shards(StoreConfig {
        max_entries,
        max_weight,
        shards,
    })
    .unwrap()
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Ends the whole process if `body` hangs: a thread in a deadlock cannot be ended.
fn within_a_minute(body: impl FnOnce() + Send + 'static) {
    let (done, finished) = channel();
    let worker = thread::spawn(move || {
        body();
        done.send(()).unwrap();
    });
    // Disconnected is a panic, which the join passes on.
    if finished.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
        std::process::abort();
    }
    worker.join().unwrap();
}

/// What one thread did, as the store should have counted it.
fn note(stats: &mut Stats, evicted: Evicted<u64>) {
    for removed in evicted {
        *match removed.cause {
            RemovalCause::Expired => &mut stats.expirations,
            RemovalCause::Explicit => &mut stats.removals,
            RemovalCause::Replaced => &mut stats.replacements,
            RemovalCause::Size => &mut stats.evictions,
        } += 1;
    }
}

fn hammer(store: &Store<u64>, first: u64, rounds: u64) -> Stats {
    let mut stats = Stats::default();
    let mut random = first;
    for round in 0..rounds {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let key = [u8::try_from((random >> 33) % 40).unwrap()];
        let now = at(round);
        let lifetime = Lifetime::until(now.saturating_add(random >> 58));
        match (random >> 48) % 8 {
            0..=3 => {
                let offer = Offer {
                    value: round,
                    weight: usize::try_from(random >> 54).unwrap(),
                    lifetime,
                    when: When::Always,
                    tags: &[],
                };
                let inserted = store.put(&key, offer, now);
                stats.insertions += u64::from(inserted.stored);
                stats.refusals += u64::from(inserted.refused);
                note(&mut stats, inserted.evicted);
            }
            4..=5 => {
                let (value, evicted) = store.read(&key, now, |value| *value);
                *if value.is_some() {
                    &mut stats.hits
                } else {
                    &mut stats.misses
                } += 1;
                note(&mut stats, evicted);
            }
            6 => note(&mut stats, store.remove(&key, now).1),
            _ if random >> 60 == 0 => note(&mut stats, store.clear()),
            _ => note(&mut stats, store.len(now).1),
        }
    }
    stats
}

fn sum(all: impl Iterator<Item = Stats>) -> Stats {
    all.fold(Stats::default(), |a, b| Stats {
        hits: a.hits + b.hits,
        misses: a.misses + b.misses,
        insertions: a.insertions + b.insertions,
        replacements: a.replacements + b.replacements,
        evictions: a.evictions + b.evictions,
        evictions_by_weight: a.evictions_by_weight + b.evictions_by_weight,
        refusals: a.refusals + b.refusals,
        weight: a.weight + b.weight,
        expirations: a.expirations + b.expirations,
        removals: a.removals + b.removals,
        entries: 0,
    })
}

/// Traps H1, H3, F2: no observer ever sees more than the bound, and nothing is counted twice or not.
fn threads_agree((max_entries, max_weight): (usize, usize), shards: usize) {
    let store = bounded((max_entries, max_weight), shards);
    let finished = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !finished.load(Ordering::Relaxed) {
                for _ in 0..50 {
                    let Stats {
                        entries, weight, ..
                    } = store.stats();
                    assert!(entries <= max_entries && weight <= max_weight);
                }
                let (len, evicted) = store.len(at(0));
                assert!(len <= max_entries && evicted.len() <= 64);
                assert!(shards > 1 || store.keys(at(0)).len() <= max_entries);
                thread::yield_now();
            }
        });
        let store = &store;
        let workers: Vec<_> = (1..=4)
            .map(|seed| scope.spawn(move || hammer(store, seed, 20_000)))
            .collect();
        let done = sum(workers.into_iter().map(|worker| worker.join().unwrap()));
        finished.store(true, Ordering::Relaxed);
        done
    });
    store.validate().unwrap();
    let counted = store.stats();
    assert_eq!(
        counted,
        Stats {
            entries: counted.entries,
            weight: counted.weight,
            evictions_by_weight: counted.evictions_by_weight,
            ..done
        }
    );
    let left = store.clear();
    assert_eq!(left.len(), counted.entries);
}

#[test]
fn threads_agree_with_any_number_of_shards() {
    within_a_minute(|| {
        for (max_entries, shards) in [(7, 1), (1, 1), (7, 2), (7, 16), (1, 16), (30, 16)] {
            threads_agree((max_entries, usize::MAX), shards);
        }
    });
}

/// The same with room for some entries by their bytes, for one, and for none of the heavier half.
#[test]
fn threads_agree_on_bytes() {
    within_a_minute(|| {
        for (max_weight, shards) in [(9_000, 1), (1_300, 1), (9_000, 2), (9_000, 16), (700, 16)] {
            threads_agree((30, max_weight), shards);
        }
    });
}

#[test]
fn a_lowered_bound_holds_at_once() {
    within_a_minute(|| {
        let store = store(50, 16);
        thread::scope(|scope| {
            for seed in 1..=3 {
                let store = &store;
                scope.spawn(move || hammer(store, seed, 20_000));
            }
            for _ in 0..300 {
                drop(store.set_max_entries(3).unwrap());
                assert!(store.stats().entries <= 3);
                drop(store.set_max_weight(700).unwrap());
                assert!(store.stats().weight <= 700);
                drop(store.set_max_entries(50).unwrap());
                drop(store.set_max_weight(20_000).unwrap());
            }
        });
        store.validate().unwrap();
    });
}

/// A value that calls the store when it is dropped, as a Python object may (trap A1).
struct Caller {
    store: Weak<Store<Caller>>,
    /// What its drop stores must not go on for ever.
    depth: u8,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade() else {
            return;
        };
        if self.depth == 0 {
            return;
        }
        let again = Self {
            store: Weak::clone(&self.store),
            depth: self.depth - 1,
        };
        drop(store.insert(b"again", again, Lifetime::until(at(5)), at(0), When::Always));
        drop(store.read(b"again", at(0), |_| ()));
        drop(store.remove(b"a", at(9)));
        drop(store.len(at(9)));
        drop(store.clear());
        assert!(store.keys(at(0)).len() <= store.max_entries());
    }
}

fn caller(store: &Arc<Store<Caller>>) -> Caller {
    Caller {
        store: Arc::downgrade(store),
        depth: 3,
    }
}

fn put(store: &Arc<Store<Caller>>, key: &[u8], until: u64, when: When) -> bool {
    store
        .insert(key, caller(store), Lifetime::until(at(until)), at(1), when)
        .stored
}

#[test]
fn a_value_may_call_the_store_when_it_is_dropped() {
    within_a_minute(|| {
        for shards in [1, 2, 16] {
            let store = Arc::new(store(2, shards));
            for round in 0..3 {
                for key in [b"a", b"b", b"c", b"a"] {
                    put(&store, key, 10, When::Always);
                }
                put(&store, b"a", 10, When::IfAbsent);
                assert!(!put(&store, b"a", 0, When::Always));
                put(&store, b"b", 5, When::Always);
                drop(store.read(b"b", at(6 + round), |_| ()));
                put(&store, b"c", 5, When::Always);
                drop(store.purge_expired(at(6)));
                put(&store, b"d", 10, When::Always);
                drop(store.set_max_entries(1).unwrap());
                drop(store.set_max_entries(2).unwrap());
                drop(store.clear());
            }
            store.validate().unwrap();
        }
    });
}

/// Trap A6. What left the store during the call is dropped after the unlock here too.
#[test]
fn a_panic_in_view_leaves_the_store_usable() {
    within_a_minute(|| {
        let store = Arc::new(store(4, 1));
        put(&store, b"short", 2, When::Always);
        put(&store, b"long", 100, When::Always);
        let broken = AssertUnwindSafe(|| store.read(b"long", at(3), |_| panic!("on purpose")).0);
        assert!(catch_unwind(broken).is_err());
        store.validate().unwrap();
        assert!(
            store.stats().hits > 1,
            "what expired was dropped, and called the store"
        );
        let (stored, other) = (put(&store, b"long", 100, When::Always), Arc::clone(&store));
        assert!(stored);
        let seen = thread::spawn(move || other.peek(b"absent", at(1), |_, _| ()).is_none());
        assert!(seen.join().unwrap());
        let peeked = AssertUnwindSafe(|| store.peek(b"long", at(3), |_, _| panic!("on purpose")));
        drop(catch_unwind(peeked));
        store.validate().unwrap();
    });
}

/// Values need not be shareable to be held: they are only ever looked at under the lock.
#[test]
fn a_store_of_any_sendable_value_is_shared_between_threads() {
    const fn is_shareable<T: Send + Sync>() {}
    is_shareable::<Store<Cell<u8>>>();
    is_shareable::<Store<Box<dyn FnMut() + Send>>>();
}
