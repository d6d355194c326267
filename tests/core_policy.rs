//! What goes and what stays when the store is full, and when expired entries are reclaimed.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may"
)]

use std::collections::{HashSet, VecDeque};

use flask_rustcache::core::{Instant, Lifetime, Store, StoreConfig, When};

const START: Instant = Instant::from_nanos(1_000);
const LATER: Instant = Instant::from_nanos(2_000);

fn store(max_entries: usize, shards: usize) -> Store<u32> {
    Store::with_exact_shards(StoreConfig {
        max_entries,
        max_weight: usize::MAX,
        shards,
    })
    .unwrap()
}

fn put(store: &Store<u32>, key: u32, lifetime: Lifetime) {
    drop(store.insert(&key.to_le_bytes(), key, lifetime, START, When::Always));
}

fn get(store: &Store<u32>, key: u32, now: Instant) -> bool {
    let (seen, evicted) = store.read(&key.to_le_bytes(), now, |&value| value);
    drop(evicted);
    assert!(seen.is_none_or(|value| value == key), "another key's value");
    seen.is_some()
}

fn is_held(store: &Store<u32>, key: u32) -> bool {
    store.peek(&key.to_le_bytes(), START, |_, _| ()).is_some()
}

/// Reads, and stores what is missing, as applications do. The share of hits.
fn replay(store: &Store<u32>, trace: &[u32]) -> f64 {
    for &key in trace {
        if !get(store, key, START) {
            put(store, key, Lifetime::NEVER);
        }
    }
    let stats = store.stats();
    ratio(stats.hits, stats.hits + stats.misses)
}

/// The same by first in, first out: what `SimpleCache` does with equal timeouts.
fn replay_fifo(capacity: usize, trace: &[u32]) -> f64 {
    let (mut queue, mut held, mut hits) = (VecDeque::new(), HashSet::new(), 0);
    for &key in trace {
        if !held.insert(key) {
            hits += 1;
            continue;
        }
        queue.push_back(key);
        if queue.len() > capacity {
            held.remove(&queue.pop_front().unwrap_or(key));
        }
    }
    ratio(hits, trace.len() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Keys 0 to `keys`, each about as often as Zipf's law says: the logarithm of the rank is even.
fn zipf(keys: u32, length: usize) -> Vec<u32> {
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(state >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and keys"
    )]
    let mut key = || f64::from(keys).powf(draw()) as u32;
    (0..length).map(|_| key()).collect()
}

#[test]
fn skewed_traffic_is_served_better_than_by_a_plain_queue() {
    let trace = zipf(10_000, 60_000);
    let (ours, fifo) = (replay(&store(200, 1), &trace), replay_fifo(200, &trace));
    assert!(ours > fifo + 0.03, "{ours} against {fifo}");
}

#[test]
fn sharding_costs_little_of_the_hit_ratio() {
    let trace = zipf(50_000, 60_000);
    let (one, sixteen) = (
        replay(&store(2_000, 1), &trace),
        replay(&store(2_000, 16), &trace),
    );
    assert!((one - sixteen).abs() < 0.02, "{one} against {sixteen}");
}

/// Trap H5.
#[test]
fn a_scan_of_one_off_keys_does_not_flush_the_hot_set() {
    for shards in [1, 2] {
        let store = store(200, shards);
        let hot: Vec<u32> = (0..50).collect();
        let ratio = replay(&store, &hot.repeat(3));
        assert!(ratio > 0.6, "{ratio}");
        (1_000..101_000).for_each(|key| put(&store, key, Lifetime::NEVER));
        assert!(hot.iter().all(|&key| is_held(&store, key)));
        assert_eq!(store.validate(), Ok(()));
        assert_eq!(store.stats().entries, 200);
    }
}

#[test]
fn a_raised_bound_raises_what_the_policy_protects() {
    let store = store(10, 1);
    drop(store.set_max_entries(200).unwrap());
    replay(&store, &(0..50).collect::<Vec<_>>().repeat(3));
    (1_000..2_000).for_each(|key| put(&store, key, Lifetime::NEVER));
    assert!((0..50).all(|key| is_held(&store, key)));
}

/// The ghost at work: a key that comes back is kept over keys that do not.
#[test]
fn whoever_comes_back_soon_is_kept() {
    let store = store(100, 1);
    (1_000..1_200).for_each(|key| put(&store, key, Lifetime::NEVER));
    (0..8).for_each(|key| put(&store, key, Lifetime::NEVER));
    (1_200..1_250).for_each(|key| put(&store, key, Lifetime::NEVER));
    let gone: Vec<u32> = (0..8).filter(|&key| !is_held(&store, key)).collect();
    assert!(gone.len() > 4);
    for &key in &gone {
        put(&store, key, Lifetime::NEVER);
    }
    (2_000..3_000).for_each(|key| put(&store, key, Lifetime::NEVER));
    assert!(gone.iter().all(|&key| is_held(&store, key)));
    assert!(!is_held(&store, 1_249));
}

/// Without that, the first entries of a store would stay as long as nothing is asked for twice.
#[test]
fn entries_without_any_use_give_way_in_the_end() {
    let store = store(100, 1);
    (0..1_000).for_each(|key| put(&store, key, Lifetime::NEVER));
    assert!((0..100).all(|key| !is_held(&store, key)));
}

/// The duel at work: nobody of a loop gives way to somebody who is asked for as seldom.
#[test]
fn a_loop_longer_than_the_store_is_served_in_part() {
    let trace: Vec<u32> = (0..1_011).cycle().take(50_000).collect();
    for (shards, least) in [(1, 0.42), (4, 0.40)] {
        let ratio = replay(&store(500, shards), &trace);
        assert!(ratio > least, "{ratio} with {shards} shards");
    }
}

#[test]
fn a_loop_little_longer_than_the_store_is_served_nearly() {
    let trace: Vec<u32> = (0..600).cycle().take(50_000).collect();
    let ratio = replay(&store(500, 1), &trace);
    assert!(ratio > 0.65, "{ratio}");
}

/// Each key is asked for again some forty misses later, then no more: nothing but recency helps.
#[test]
fn recency_is_served_nearly_as_well_as_by_a_plain_queue() {
    let trace: Vec<u32> = (40..40_000_u32).flat_map(|i| [i, i - 40]).collect();
    let (ours, fifo) = (replay(&store(100, 1), &trace), replay_fifo(100, &trace));
    assert!(ours > fifo - 0.05, "{ours} against {fifo}");
}

/// A hot set of 400 keys at 500 entries, and a million keys that are asked for once: in one go, then in between.
#[test]
fn a_scan_of_a_million_leaves_the_hit_ratio_as_it_was() {
    let store = store(500, 1);
    let hot: Vec<u32> = (0..400).collect();
    let ratio = |store: &Store<u32>| {
        let before = store.stats().hits;
        replay(store, &hot.repeat(5));
        ratio(store.stats().hits - before, 2_000)
    };
    replay(&store, &hot.repeat(5));
    (0..1_000).for_each(|i| put(&store, 1_000_000 + i, Lifetime::NEVER));
    let before = ratio(&store);
    (0..1_000_000).for_each(|i| put(&store, 2_000_000 + i, Lifetime::NEVER));
    let after = ratio(&store);
    assert!(after > before - 0.02, "{before}, then {after}");
}

/// Half of the keys are forgotten, half are new, and all within what the policy has learned.
#[test]
fn a_new_hot_set_takes_over() {
    let store = store(200, 1);
    replay(&store, &(0..150).collect::<Vec<_>>().repeat(20));
    let hot: Vec<u32> = (10_000..10_150).collect();
    replay(&store, &hot.repeat(20));
    let held = hot.iter().filter(|&&key| is_held(&store, key)).count();
    assert!(held > 140, "{held} of 150");
}

#[test]
fn a_lowered_bound_is_kept_and_what_is_hot_survives() {
    let store = store(1_000, 1);
    replay(&store, &(0..950).collect::<Vec<_>>());
    (0..5).for_each(|_| replay_hot(&store, 900..950));
    drop(store.set_max_entries(100).unwrap());
    assert_eq!((store.stats().entries, store.validate()), (100, Ok(())));
    let held = (900..950).filter(|&key| is_held(&store, key)).count();
    assert!(held > 40, "{held} of 50");
}

fn replay_hot(store: &Store<u32>, keys: std::ops::Range<u32>) {
    keys.for_each(|key| assert!(get(store, key, START)));
}

/// Trap G2.
#[test]
fn entries_that_never_expire_survive_as_well_as_others_do() {
    let store = store(100, 1);
    for key in 0..100 {
        put(
            &store,
            key,
            if key % 2 == 0 {
                Lifetime::NEVER
            } else {
                Lifetime::until(LATER)
            },
        );
    }
    (100..150).for_each(|key| put(&store, key, Lifetime::until(LATER)));
    let survivors = |parity| {
        (0..100)
            .filter(|k| k % 2 == parity && is_held(&store, *k))
            .count()
    };
    let (never, later) = (survivors(0), survivors(1));
    assert!(
        never.abs_diff(later) <= 2 && never > 20,
        "{never} and {later}"
    );
}

#[test]
fn an_expired_entry_goes_before_a_live_one() {
    let store = store(3, 1);
    put(&store, 1, Lifetime::NEVER);
    put(&store, 2, Lifetime::until(LATER));
    put(&store, 3, Lifetime::NEVER);
    drop(store.insert(b"new", 4, Lifetime::NEVER, LATER, When::Always));
    let stats = store.stats();
    assert_eq!(
        (stats.expirations, stats.evictions, stats.entries),
        (1, 0, 3)
    );
    assert!(is_held(&store, 1) && is_held(&store, 3));
}

/// Trap G3.
#[test]
fn an_overwritten_entry_does_not_die_by_its_old_deadline() {
    let store = store(10, 1);
    put(&store, 1, Lifetime::until(LATER));
    put(&store, 1, Lifetime::until(LATER.saturating_add(1)));
    assert!(get(&store, 1, LATER));
    assert!(!get(&store, 1, LATER.saturating_add(1)));
}

/// Trap G6: calls about any key reclaim what expired, in every shard.
#[test]
fn a_quiet_store_gives_its_memory_back() {
    for shards in [1, 2, 16] {
        let store = store(4_000, shards);
        (0..4_000).for_each(|key| put(&store, key, Lifetime::until(LATER)));
        (0..8_000).for_each(|_| assert!(!get(&store, 9_999, LATER)));
        let stats = store.stats();
        assert_eq!(
            (stats.entries, stats.expirations),
            (0, 4_000),
            "{shards} shards"
        );
        assert_eq!(store.validate(), Ok(()));
    }
}

#[test]
fn each_call_reclaims_a_bounded_number() {
    let store = store(1_000, 1);
    (0..1_000).for_each(|key| put(&store, key, Lifetime::until(LATER)));
    let (_, evicted) = store.contains(b"absent", LATER);
    assert!((1..=16).contains(&evicted.len()));
}

#[test]
fn keys_are_listed_across_many_locks() {
    let store = store(5_000, 16);
    (0..5_000).for_each(|key| put(&store, key, Lifetime::until(LATER)));
    let keys: HashSet<_> = store.keys(START).into_iter().collect();
    assert_eq!(keys.len(), 5_000);
    assert!(store.keys(LATER).is_empty());
}
