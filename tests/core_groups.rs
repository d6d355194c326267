//! Ranges of keys and lifetimes against a model: what is removed, what ends, and what is left as it was.
#![expect(clippy::expect_used, reason = "a test says what it relies on")]

use std::collections::BTreeMap;

use flask_rustcache::core::{Evicted, Instant, Lifetime, RemovalCause, Store, StoreConfig, When};
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1_000);
const LATER: Instant = Instant::from_nanos(2_000);

fn store(shards: usize) -> Store<u32> {
    let config = StoreConfig {
        max_entries: 100_000,
        max_weight: usize::MAX,
        shards,
    };
    Store::with_exact_shards(config).expect("a sound configuration")
}

fn put(store: &Store<u32>, key: &[u8], until: Instant) {
    let inserted = store.insert(key, 1, Lifetime::until(until), NOW, When::Always);
    assert!(inserted.stored);
}

fn fill(store: &Store<u32>, key: &[u8], ticket: flask_rustcache::core::Ticket) -> bool {
    let when = When::IfTicket(ticket);
    let inserted = store.insert(key, 2, Lifetime::NEVER, NOW, when);
    inserted.stored
}

fn count(gone: &Evicted<u32>, cause: RemovalCause) -> usize {
    gone.iter().filter(|removed| removed.cause == cause).count()
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, bool),
    Remove(Vec<u8>),
    RemoveBetween(Vec<u8>, Vec<u8>),
    Touch(Vec<u8>, bool),
    Clear,
}

/// Of few different bytes, so that keys begin alike.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0_u8..3, 0..4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (key(), any::<bool>()).prop_map(|(key, expires)| Step::Put(key, expires)),
        2 => key().prop_map(Step::Remove),
        3 => (key(), key()).prop_map(|(from, to)| Step::RemoveBetween(from, to)),
        2 => (key(), any::<bool>()).prop_map(|(key, expires)| Step::Touch(key, expires)),
        1 => Just(Step::Clear),
    ]
}

fn deadline(expires: bool) -> Instant {
    if expires { LATER } else { Instant::NEVER }
}

proptest! {
    #[test]
    fn a_range_takes_what_is_in_it_and_nothing_else(steps in prop::collection::vec(step(), 0..80), shards in prop::sample::select(vec![1_usize, 2, 16])) {
        let store = store(shards);
        let mut model: BTreeMap<Vec<u8>, Instant> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(key, expires) => {
                    put(&store, &key, deadline(expires));
                    model.insert(key, deadline(expires));
                }
                Step::Remove(key) => {
                    prop_assert_eq!(store.remove(&key, NOW).0, model.remove(&key).is_some());
                }
                Step::RemoveBetween(from, to) => {
                    let gone = store.remove_between(&from, &to, NOW);
                    let before = model.len();
                    model.retain(|key, _| !(from <= *key && *key < to));
                    prop_assert_eq!(count(&gone, RemovalCause::Explicit), before - model.len());
                }
                Step::Touch(key, expires) => {
                    let (found, gone) = store.touch(&key, Lifetime::until(deadline(expires)), NOW);
                    prop_assert!(gone.is_empty());
                    prop_assert_eq!(found, model.contains_key(&key));
                    model.entry(key).and_modify(|until| *until = deadline(expires));
                }
                Step::Clear => {
                    drop(store.clear());
                    model.clear();
                }
            }
            let held = store.keys(NOW).into_iter().map(|key| {
                let until = store.peek(&key, NOW, |_, lifetime| lifetime.stale_until);
                (key.to_vec(), until.expect("a live entry"))
            });
            prop_assert_eq!(held.collect::<BTreeMap<_, _>>(), model.clone());
            store.validate().map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn many_are_removed_over_several_visits_and_what_had_expired_is_told_apart() {
    for shards in [1, 16] {
        let store = store(shards);
        for number in 0..20_000_u32 {
            let until = if number % 2 == 0 {
                LATER
            } else {
                Instant::NEVER
            };
            put(&store, &number.to_be_bytes(), until);
        }
        let gone = store.remove_between(&[0, 0, 0x10], &[0, 0, 0x20], LATER);
        assert_eq!(gone.len(), 4096);
        assert_eq!(count(&gone, RemovalCause::Explicit), 2048);
        assert_eq!(count(&gone, RemovalCause::Expired), 2048);
        store.validate().expect("sound");
    }
}

#[test]
fn a_tag_tells_what_had_expired_apart_too() {
    let store = store(1);
    for (key, until) in [(b"a", LATER), (b"b", Instant::NEVER)] {
        let tagged = flask_rustcache::core::Offer {
            value: 1,
            weight: 0,
            lifetime: Lifetime::until(until),
            when: When::Always,
            tags: &[b"t"],
        };
        assert!(store.put(key, tagged, NOW).stored);
    }
    let gone = store.remove_tag(b"t", LATER);
    assert_eq!(count(&gone, RemovalCause::Expired), 1);
    assert_eq!(count(&gone, RemovalCause::Explicit), 1);
}

#[test]
fn fills_of_keys_in_the_range_end_and_no_others() {
    for shards in [1, 16] {
        let store = store(shards);
        let keys: [&[u8]; 4] = [b"a", b"b", b"bz", b"c"];
        let tickets = keys.map(|key| store.ticket(key, &[]));
        drop(store.remove_between(b"b", b"c", NOW));
        let stored = [0, 1, 2, 3].map(|index| fill(&store, keys[index], tickets[index]));
        assert_eq!(stored, [true, false, false, true]);
        for key in keys {
            store.end_ticket(key, &[]);
        }
    }
}

#[test]
fn a_ticket_is_for_the_first_tags_and_the_value_may_have_more() {
    let store = store(1);
    let ticket = store.ticket(b"k", &[b"mine"]);
    let tagged = |tags| flask_rustcache::core::Offer {
        value: 1,
        weight: 0,
        lifetime: Lifetime::NEVER,
        when: When::IfTicket(ticket),
        tags,
    };
    assert!(!store.put(b"k", tagged(&[]), NOW).stored);
    assert!(store.put(b"k", tagged(&[b"mine", b"more"]), NOW).stored);
    assert!(store.has_tag(b"more"));
    drop(store.remove_tag(b"mine", NOW));
    assert!(!store.put(b"k", tagged(&[b"mine", b"more"]), NOW).stored);
}

#[test]
fn a_touch_ends_no_fill_and_one_into_the_past_removes() {
    let store = store(1);
    put(&store, b"k", LATER);
    let ticket = store.ticket(b"k", &[]);
    assert!(store.touch(b"k", Lifetime::NEVER, NOW).0);
    assert!(fill(&store, b"k", ticket));
    assert_eq!(store.stats().hits + store.stats().misses, 0);
    let ticket = store.ticket(b"k", &[]);
    let (found, gone) = store.touch(b"k", Lifetime::until(NOW), NOW);
    assert!(found && count(&gone, RemovalCause::Explicit) == 1);
    assert!(!fill(&store, b"k", ticket));
    assert!(!store.touch(b"k", Lifetime::NEVER, NOW).0);
    store.validate().expect("sound");
}
