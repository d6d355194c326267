//! Tags against a model: what is let go together, what is left, and which late values are stored.
#![expect(clippy::expect_used, reason = "a test says what it relies on")]

use std::collections::{BTreeMap, BTreeSet};

use flask_rustcache::core::{Instant, Lifetime, Offer, Store, StoreConfig, When};
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1_000);

fn store(max_entries: usize, shards: usize) -> Store<u32> {
    let config = StoreConfig {
        max_entries,
        max_weight: usize::MAX,
        shards,
    };
    Store::with_exact_shards(config).expect("a sound configuration")
}

/// Stores a value with tags; was it stored, and which tags were left without an entry in their shard?
fn put(store: &Store<u32>, key: u8, tags: &[u8], when: When) -> (bool, Vec<u8>) {
    let names: Vec<[u8; 1]> = tags.iter().map(|tag| [*tag]).collect();
    let names: Vec<&[u8]> = names.iter().map(<[u8; 1]>::as_slice).collect();
    let tagged = Offer {
        value: u32::from(key),
        weight: 0,
        lifetime: Lifetime::NEVER,
        when,
        tags: &names,
    };
    let inserted = store.put(&[key], tagged, NOW);
    let emptied = inserted
        .evicted
        .emptied()
        .iter()
        .map(|tag| tag[0])
        .collect();
    (inserted.stored, emptied)
}

fn keys(store: &Store<u32>) -> BTreeSet<u8> {
    store.keys(NOW).iter().map(|key| key[0]).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, BTreeSet<u8>),
    PutPlain(u8),
    Remove(u8),
    RemoveTag(u8),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let tags = prop::collection::btree_set(0_u8..4, 0..4);
    prop_oneof![
        4 => (0_u8..12, tags).prop_map(|(key, tags)| Step::Put(key, tags)),
        1 => (0_u8..12).prop_map(Step::PutPlain),
        2 => (0_u8..12).prop_map(Step::Remove),
        2 => (0_u8..4).prop_map(Step::RemoveTag),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn entries_leave_by_any_of_their_tags(steps in prop::collection::vec(step(), 0..60), shards in prop::sample::select(vec![1_usize, 2, 16])) {
        let store = store(100, shards);
        let mut model: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(key, tags) => {
                    let listed: Vec<u8> = tags.iter().copied().collect();
                    prop_assert!(put(&store, key, &listed, When::Always).0);
                    model.insert(key, tags);
                }
                Step::PutPlain(key) => {
                    prop_assert!(store.insert(&[key], 1, Lifetime::NEVER, NOW, When::Always).stored);
                    model.insert(key, BTreeSet::new());
                }
                Step::Remove(key) => {
                    prop_assert_eq!(store.remove(&[key], NOW).0, model.remove(&key).is_some());
                }
                Step::RemoveTag(tag) => {
                    let gone = store.remove_tag(&[tag], NOW);
                    let before = model.len();
                    model.retain(|_, tags| !tags.contains(&tag));
                    prop_assert_eq!(gone.len(), before - model.len());
                }
                Step::Clear => {
                    drop(store.clear());
                    model.clear();
                }
            }
            prop_assert_eq!(keys(&store), model.keys().copied().collect::<BTreeSet<_>>());
            for tag in 0..4 {
                prop_assert_eq!(store.has_tag(&[tag]), model.values().any(|tags| tags.contains(&tag)));
            }
            store.validate().map_err(TestCaseError::fail)?;
        }
    }
}

#[test]
fn the_last_entry_of_a_tag_says_so_when_it_leaves() {
    let store = store(2, 1);
    drop(put(&store, 1, &[7], When::Always));
    drop(put(&store, 2, &[7, 8], When::Always));
    // Given other tags, it no longer carries the old one.
    assert_eq!(put(&store, 2, &[7], When::Always).1, [8]);
    let removed = store.remove(&[1], NOW).1;
    assert!(removed.emptied().is_empty());
    let removed = store.remove(&[2], NOW).1;
    assert_eq!(*removed.emptied()[0], [7]);
}

#[test]
fn a_tag_is_emptied_by_eviction_too() {
    let store = store(1, 1);
    drop(put(&store, 1, &[7], When::Always));
    assert_eq!(put(&store, 2, &[8], When::Always).1, [7]);
    store.validate().expect("sound");
}

#[test]
fn a_fill_that_began_before_its_tag_was_let_go_is_not_stored() {
    for shards in [1, 16] {
        let store = store(100, shards);
        let names: [&[u8]; 2] = [&[7], &[8]];
        let ticket = store.ticket(&[1], &names);
        drop(store.remove_tag(&[8], NOW));
        assert!(!put(&store, 1, &[7, 8], When::IfTicket(ticket)).0);
        let ticket = store.ticket(&[1], &names);
        assert!(put(&store, 1, &[7, 8], When::IfTicket(ticket)).0);
        store.validate().expect("sound");
    }
}

#[test]
fn what_is_done_to_others_stops_no_fill() {
    for shards in [1, 16] {
        let store = store(100, shards);
        let ticket = store.ticket(&[1], &[&[7]]);
        for other in 8..208_u8 {
            drop(store.remove_tag(&[other], NOW));
            drop(store.remove(&[other], NOW));
            put(&store, other, &[9], When::Always);
        }
        assert!(put(&store, 1, &[7], When::IfTicket(ticket)).0);
        drop(store.remove_tag(&[7], NOW));
        assert!(!put(&store, 1, &[7], When::IfTicket(ticket)).0);
    }
}

#[test]
fn an_entry_may_be_given_more_tags() {
    let store = store(10, 1);
    drop(put(&store, 1, &[7], When::Always));
    drop(store.add_tags(&[1], &[&[7], &[8]], NOW));
    drop(store.add_tags(&[2], &[&[9]], NOW));
    store.validate().expect("sound");
    assert!(store.has_tag(&[7]) && store.has_tag(&[8]) && !store.has_tag(&[9]));
    assert_eq!(store.remove_tag(&[8], NOW).len(), 1);
}
