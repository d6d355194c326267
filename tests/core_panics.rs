//! Trap A6: a panic in the middle of an operation. The lock is open afterwards, nothing is lost or counted twice.
//!
//! What can panic is the `view` of an operation, under the lock, and the drop of a value, which is out of it.
//! Nothing else of the caller's runs in here, and running out of memory ends the process.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may, and the panics are on purpose"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use flask_rustcache::core::{Inserted, Instant, Lifetime, Offer, Stats, Store, StoreConfig, When};

const NOW: Instant = Instant::from_nanos(1_000);
const LATER: Instant = Instant::from_nanos(2_000);

fn store<V>(max_entries: usize, shards: usize) -> Store<V> {
    let config = StoreConfig {
        max_entries,
        max_weight: 1_000_000,
        shards,
    };
    Store::with_exact_shards(config).unwrap()
}

/// Runs something that must panic.
fn panics<R>(act: impl FnOnce() -> R) {
    assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
}

/// All locks are open, and the counters are right. An operation on a thread of its own: a lock that is held
/// must not hang the test.
fn is_sound<V: Send + 'static>(store: &Arc<Store<V>>) -> Stats {
    let (done, finished) = channel();
    let other = Arc::clone(store);
    thread::spawn(move || done.send(other.validate().map(|()| other.stats())));
    let checked = finished.recv_timeout(Duration::from_secs(20));
    checked.expect("a lock is held").unwrap()
}

/// An operation with a `view` that panics, and what it counts: hits and misses.
type Viewing = (fn(&Store<Arc<u8>>), (u64, u64));

/// Each operation that shows a value to its caller.
const VIEWING: [Viewing; 4] = [
    (
        |store| drop(store.read(b"live", LATER, |_| panic!())),
        (1, 0),
    ),
    (
        |store| drop(store.read_versioned(b"live", LATER, |_| panic!())),
        (1, 0),
    ),
    (
        |store| drop(store.read_if(b"live", LATER, |_, _| -> Option<()> { panic!() })),
        (0, 0),
    ),
    (
        |store| {
            store.peek(b"live", LATER, |_, _| -> () { panic!() });
        },
        (0, 0),
    ),
];

#[test]
fn a_view_that_panics_leaves_an_open_lock_and_exact_counters() {
    for (operation, counted) in VIEWING {
        for shards in [1, 2, 16] {
            let (store, value) = (Arc::new(store(8, shards)), Arc::new(0));
            let put = |key: &[u8], until, now| {
                let value = Arc::clone(&value);
                drop(store.insert(key, value, Lifetime::until(until), now, When::Always));
            };
            put(b"live", Instant::NEVER, NOW);
            for key in 0..4 {
                put(&[key], LATER, NOW);
            }
            panics(|| operation(&store));
            let stats = is_sound(&store);
            assert_eq!((stats.hits, stats.misses), counted);
            // What had expired and was come across is dropped, once, and out of the lock.
            assert_eq!(Arc::strong_count(&value), stats.entries + 1);
            assert_eq!(stats.expirations, 5 - stats.entries as u64);
            panics(|| operation(&store));
            put(b"live", Instant::NEVER, LATER);
            assert!(store.remove(b"live", LATER).0);
            assert_eq!(is_sound(&store).removals, 1);
        }
    }
}

/// A value whose drop panics, once it is armed; each drop is noted.
struct Bomb {
    armed: Arc<Mutex<bool>>,
    dropped: Arc<Mutex<usize>>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() += 1;
        let armed = *self.armed.lock().unwrap();
        // A second panic while the first is under way would end the process.
        assert!(!armed || thread::panicking(), "on purpose");
    }
}

/// A full store of bombs.
struct Field {
    store: Arc<Store<Bomb>>,
    armed: Arc<Mutex<bool>>,
    dropped: Arc<Mutex<usize>>,
    made: Mutex<usize>,
}

impl Field {
    fn new(shards: usize) -> Self {
        let field = Self {
            store: Arc::new(store(4, shards)),
            armed: Arc::default(),
            dropped: Arc::default(),
            made: Mutex::default(),
        };
        drop(field.put(b"a", LATER, NOW));
        drop(field.put(b"b", Instant::NEVER, NOW));
        drop(field.put(b"c", Instant::NEVER, NOW));
        drop(field.put(b"d", Instant::NEVER, NOW));
        *field.armed.lock().unwrap() = true;
        field
    }

    fn bomb(&self) -> Bomb {
        *self.made.lock().unwrap() += 1;
        Bomb {
            armed: Arc::clone(&self.armed),
            dropped: Arc::clone(&self.dropped),
        }
    }

    fn put(&self, key: &[u8], until: Instant, now: Instant) -> Inserted<Bomb> {
        let offer = Offer {
            value: self.bomb(),
            weight: 10,
            lifetime: Lifetime::until(until),
            when: When::Always,
            tags: &[b"tag"],
        };
        self.store.put(key, offer, now)
    }

    /// Nothing of what was made is lost: it is in the store, or was dropped once.
    fn is_cleared_up(&self) {
        let stats = is_sound(&self.store);
        let (made, dropped) = (*self.made.lock().unwrap(), *self.dropped.lock().unwrap());
        assert_eq!(made, dropped + stats.entries);
        *self.armed.lock().unwrap() = false;
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        *self.armed.lock().unwrap() = false;
    }
}

/// Each operation by which a value leaves, or is not stored.
const DROPPING: [fn(&Field); 15] = [
    |field| drop(field.put(b"e", Instant::NEVER, NOW)),
    |field| drop(field.put(b"b", Instant::NEVER, NOW)),
    |field| drop(field.put(b"b", NOW, NOW)),
    |field| drop(field.put(b"e", NOW, NOW)),
    |field| drop(field.store.read(b"a", LATER, |_| ())),
    |field| drop(field.store.contains(b"a", LATER)),
    |field| drop(field.store.remove(b"b", NOW)),
    |field| drop(field.store.remove_tag(b"tag", NOW)),
    |field| drop(field.store.remove_between(b"a", b"z", NOW)),
    |field| drop(field.store.touch(b"b", Lifetime::until(NOW), NOW)),
    |field| drop(field.store.clear()),
    |field| drop(field.store.purge_expired(LATER)),
    |field| drop(field.store.set_max_entries(1)),
    |field| drop(field.store.set_max_weight(1)),
    |field| {
        let (seen, _) = field.store.read_versioned(b"b", NOW, |_| ());
        let ((), version) = seen.unwrap();
        drop(field.store.replace(b"b", version, (field.bomb(), 10), NOW));
    },
];

#[test]
fn a_value_whose_drop_panics_leaves_a_sound_store() {
    for operation in DROPPING {
        for shards in [1, 2, 16] {
            let field = Field::new(shards);
            panics(|| operation(&field));
            field.is_cleared_up();
            drop(field.store.clear());
            drop(field.store.set_max_weight(1_000_000));
            drop(field.put(b"a", Instant::NEVER, NOW));
            assert_eq!(is_sound(&field.store).entries, 1);
        }
    }
}

/// A store that is dropped has its values dropped with it, each of them, though one panics.
#[test]
fn a_store_that_is_dropped_drops_all_values_though_one_panics() {
    let field = Field::new(2);
    let (store, armed) = (Arc::clone(&field.store), Arc::clone(&field.armed));
    let (made, dropped) = (*field.made.lock().unwrap(), Arc::clone(&field.dropped));
    drop(field);
    *armed.lock().unwrap() = true;
    panics(|| drop(store));
    assert_eq!(*dropped.lock().unwrap(), made);
}
