//! What a hit and an insertion into a full store cost: to be run before and after a change.

use std::hint::black_box;
use std::time::Instant as Timer;

use flask_rustcache::core::{Instant, Lifetime, Store, StoreConfig, When};

use crate::load::Random;
use crate::load::Zipf;

const NOW: Instant = Instant::from_nanos(1);
const REPEATS: usize = 9;
const CALLS: usize = 200_000;

/// Nanoseconds for each of `CALLS` calls: the median of the repeats.
fn median(mut act: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|repeat| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a stop watch, not the store's clock"
            )]
            let start = Timer::now();
            (0..CALLS).for_each(|call| act(repeat * CALLS + call));
            start.elapsed().as_secs_f64() * 1e9 / CALLS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

fn put(store: &Store<u64>, key: usize) {
    let inserted = store.insert(&key.to_le_bytes(), 0, Lifetime::NEVER, NOW, When::Always);
    drop(black_box(inserted));
}

fn get(store: &Store<u64>, key: usize) -> bool {
    store.read(&key.to_le_bytes(), NOW, |_| ()).0.is_some()
}

fn request(store: &Store<u64>, key: usize) {
    if !get(store, key) {
        put(store, key);
    }
}

/// A line for a store of so many entries: fresh keys into a full store, hits, the requests of a skewed load, and fresh keys
/// again, now that old and new entries lie mixed in memory.
pub(crate) fn line(entries: usize) -> String {
    let config = StoreConfig {
        max_entries: entries,
        max_weight: usize::MAX,
        shards: 1,
    };
    let Ok(store) = Store::with_exact_shards(config) else {
        return String::new();
    };
    let first = entries * 10;
    (first..first + entries * 2).for_each(|key| put(&store, key));
    let fresh = median(|call| put(&store, first + entries * 2 + call));
    let (law, mut random) = (Zipf::new(entries * 10, 0.9), Random::new(1));
    let load: Vec<usize> = (0..entries * 3 + CALLS)
        .map(|_| law.draw(&mut random) as usize)
        .collect();
    for &key in &load {
        request(&store, key);
    }
    let mixed = median(|call| request(&store, load[call % load.len()]));
    let held: Vec<usize> = load.into_iter().filter(|&key| get(&store, key)).collect();
    let hit = median(|call| assert!(get(&store, held[call % held.len()])));
    let later = median(|call| put(&store, first * 2 + call));
    format!(
        "{entries:>9} entries: fresh {fresh:6.1}, zipf {mixed:6.1}, hit {hit:6.1}, fresh after that {later:6.1} ns\n"
    )
}
