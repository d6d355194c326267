//! A value that was long in the making is stored only if it is still wanted.
#![expect(clippy::expect_used, reason = "a test says what it relies on")]

use flask_rustcache::core::{Instant, Lifetime, Store, StoreConfig, Ticket, When};
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1_000);

fn store(shards: usize) -> Store<u32> {
    let config = StoreConfig {
        max_entries: 1_000,
        max_weight: usize::MAX,
        shards,
    };
    Store::with_exact_shards(config).expect("a sound configuration")
}

fn put(store: &Store<u32>, key: u8, value: u32, when: When) -> bool {
    let inserted = store.insert(&[key], value, Lifetime::NEVER, NOW, when);
    inserted.stored
}

fn get(store: &Store<u32>, key: u8) -> Option<u32> {
    store.read(&[key], NOW, |value| *value).0
}

/// What may happen to a key while a value for it is made.
#[derive(Clone, Copy, Debug)]
enum Event {
    Set,
    Add,
    Remove,
    SetDead,
    Replace,
    Clear,
    Read,
    Expire,
}

fn happen(store: &Store<u32>, key: u8, event: Event) {
    match event {
        Event::Set => assert!(put(store, key, 7, When::Always)),
        Event::Add => drop(put(store, key, 8, When::IfAbsent)),
        Event::Remove => drop(store.remove(&[key], NOW)),
        Event::SetDead => {
            let dead = Lifetime::until(NOW);
            drop(store.insert(&[key], 9, dead, NOW, When::Always));
        }
        Event::Replace => {
            if let (Some(((), version)), _) = store.read_versioned(&[key], NOW, |_| ()) {
                assert!(store.replace(&[key], version, (10, 0), NOW).stored);
            }
        }
        Event::Clear => drop(store.clear()),
        Event::Read => drop(get(store, key)),
        Event::Expire => drop(store.purge_expired(NOW)),
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop::sample::select(vec![
        Event::Set,
        Event::Add,
        Event::Remove,
        Event::SetDead,
        Event::Replace,
        Event::Clear,
        Event::Read,
        Event::Expire,
    ])
}

/// Does it take back, or replace, what a fill of the key was about to store?
fn invalidates(event: Event, live: bool) -> bool {
    match event {
        Event::Read | Event::Expire => false,
        Event::Replace => live,
        _ => true,
    }
}

proptest! {
    #[test]
    fn an_invalidated_fill_is_not_stored(
        shards in prop::sample::select(vec![1_usize, 2, 16]),
        held in any::<bool>(),
        events in prop::collection::vec((0..4_u8, event()), 0..6),
    ) {
        let store = store(shards);
        if held {
            put(&store, 0, 1, When::Always);
        }
        let ticket: Ticket = store.ticket(&[0], &[]);
        let mut stale = false;
        for (key, event) in events {
            let live = get(&store, key).is_some();
            let hits = invalidates(event, live);
            stale |= hits && (key == 0 || matches!(event, Event::Clear));
            happen(&store, key, event);
        }
        let before = get(&store, 0);
        let stored = put(&store, 0, 99, When::IfTicket(ticket));
        prop_assert_eq!(stored, !stale);
        store.end_ticket(&[0], &[]);
        prop_assert!(!put(&store, 0, 100, When::IfTicket(ticket)), "it was given back");
        prop_assert_eq!(get(&store, 0), if stored { Some(99) } else { before });
        store.validate().expect("a sound store");
    }
}

#[test]
fn what_a_fill_stores_ends_no_ticket() {
    let store = store(1);
    let ticket = store.ticket(&[0], &[]);
    assert!(put(&store, 0, 1, When::IfTicket(ticket)));
    assert!(put(&store, 0, 2, When::IfTicket(ticket)));
    assert_eq!(get(&store, 0), Some(2));
}

#[test]
fn eviction_ends_no_ticket() {
    let config = StoreConfig {
        max_entries: 1,
        max_weight: usize::MAX,
        shards: 1,
    };
    let store = Store::new(config).expect("a sound configuration");
    let ticket = store.ticket(&[0], &[]);
    assert!(put(&store, 0, 1, When::IfTicket(ticket)));
    // Makes key 0 leave for want of room.
    assert!(put(&store, 1, 2, When::Always));
    assert_eq!((get(&store, 0), get(&store, 1)), (None, Some(2)));
    assert!(put(&store, 0, 3, When::IfTicket(ticket)));
}

#[test]
fn a_fill_that_began_earlier_is_not_stored_over_one_that_began_later() {
    let store = store(2);
    let (old, new) = (store.ticket(&[0], &[]), store.ticket(&[0], &[]));
    assert!(put(&store, 0, 2, When::IfTicket(new)));
    assert!(!put(&store, 0, 1, When::IfTicket(old)));
    assert_eq!(get(&store, 0), Some(2));
    assert!(!store.is_spoiled(&[0], &[]));
    drop(store.remove(&[0], NOW));
    assert!(store.is_spoiled(&[0], &[]) && !store.is_valid(new, &[0], &[]));
}
