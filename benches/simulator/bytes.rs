//! Hit ratios where the bound is one of bytes, and values are of different sizes.
//!
//! The traces tell no sizes, so each key gets one by its number: log-normal, with a median of 2 kB and a few of
//! hundreds, as the sizes of web objects are. The bound is what so many entries of the mean size take. All
//! contestants count the same weight for an entry, the store's own part included.

use std::collections::{BTreeSet, HashMap, VecDeque};

use flask_rustcache::core::{Instant, Lifetime, Offer, Store, StoreConfig, When};

use crate::load::{Load, Random, keys};
use crate::table::{Row, Table};

const NOW: Instant = Instant::from_nanos(1);
const MEDIAN: f64 = 2_000.0;
/// Of the logarithm.
const SPREAD: f64 = 1.5;
const SIZES: std::ops::RangeInclusive<f64> = 64.0..=1_000_000.0;

/// A key's size in bytes, for ever the same.
fn size(key: u32) -> usize {
    let mut random = Random::new(u64::from(key));
    // Twelve draws add up to a nearly normal one.
    let normal: f64 = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    (MEDIAN * (SPREAD * normal).exp()).clamp(*SIZES.start(), *SIZES.end()) as usize
}

fn store(max_weight: usize) -> Option<Store<()>> {
    let config = StoreConfig {
        max_entries: usize::MAX,
        max_weight,
        shards: 1,
    };
    Store::new(config).ok()
}

fn put(store: &Store<()>, key: u32) {
    let offer = Offer {
        value: (),
        weight: size(key),
        lifetime: Lifetime::NEVER,
        when: When::Always,
        tags: &[],
    };
    drop(store.put(&key.to_le_bytes(), offer, NOW));
}

/// What an entry of that key weighs.
fn weight(key: u32) -> usize {
    let own = store(usize::MAX).map_or(0, |store| {
        put(&store, 0);
        store.stats().weight - size(0)
    });
    own + size(key)
}

fn ours(requests: &[u32], _: &[usize], bound: usize) -> usize {
    let Some(store) = store(bound) else {
        return 0;
    };
    let request = |key: u32| {
        let hit = store.read(&key.to_le_bytes(), NOW, |()| ()).0.is_some();
        if !hit {
            put(&store, key);
        }
        hit
    };
    requests.iter().filter(|&&key| request(key)).count()
}

/// First in, first out; with `TOUCH` least recently used (an entry in the queue counts if it is the key's last).
fn queue<const TOUCH: bool>(requests: &[u32], weights: &[usize], bound: usize) -> usize {
    let (mut order, mut last, mut held, mut hits) = (VecDeque::new(), HashMap::new(), 0, 0);
    for (turn, &key) in requests.iter().enumerate() {
        let hit = last.contains_key(&key);
        hits += usize::from(hit);
        let weight = weights[key as usize];
        if weight > bound || hit && !TOUCH {
            continue;
        }
        last.insert(key, turn);
        order.push_back((key, turn));
        held += if hit { 0 } else { weight };
        while held > bound
            && let Some((oldest, turn)) = order.pop_front()
        {
            if last.get(&oldest) == Some(&turn) {
                last.remove(&oldest);
                held -= weights[oldest as usize];
            }
        }
    }
    hits
}

/// Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP 1998.
fn gdsf(requests: &[u32], weights: &[usize], bound: usize) -> usize {
    let mut held: HashMap<u32, (u64, u32)> = HashMap::new();
    let (mut order, mut clock, mut used, mut hits) = (BTreeSet::new(), 0, 0, 0);
    for &key in requests {
        let weight = weights[key as usize];
        if weight > bound {
            continue;
        }
        let frequency = held.get(&key).map_or(0, |&(merit, frequency)| {
            order.remove(&(merit, key));
            frequency
        });
        hits += usize::from(frequency > 0);
        used += if frequency == 0 { weight } else { 0 };
        while used > bound
            && let Some((merit, victim)) = order.pop_first()
        {
            clock = merit;
            held.remove(&victim);
            used -= weights[victim as usize];
        }
        let merit = clock + (u64::from(frequency + 1) << 40) / weight as u64;
        held.insert(key, (merit, frequency + 1));
        order.insert((merit, key));
    }
    hits
}

/// Hits of a policy over requests, with the keys' weights and the bound.
type Policy = fn(&[u32], &[usize], usize) -> usize;

const FIELD: [(&str, Policy); 4] = [
    ("ours", ours),
    ("FIFO", queue::<false>),
    ("LRU", queue::<true>),
    ("GDSF", gdsf),
];

/// Percent of requests served, by policy and load.
pub(crate) fn compare(loads: &[Load]) -> Table {
    let mut table = Table {
        policies: FIELD.iter().map(|(name, _)| (*name).to_owned()).collect(),
        traces: loads
            .iter()
            .filter(|load| load.is_trace)
            .map(|load| load.sizes.len())
            .sum(),
        rows: Vec::new(),
        lru: Vec::new(),
        limit: Vec::new(),
    };
    for load in loads {
        let weights: Vec<usize> = (0..keys(&load.requests) as u32).map(weight).collect();
        let total: usize = load.requests.iter().map(|&key| weights[key as usize]).sum();
        for &entries in &load.sizes {
            let bound = total / load.requests.len() * entries;
            let percent = |policy: Policy| {
                let hits = policy(&load.requests, &weights, bound);
                100.0 * hits as f64 / load.requests.len() as f64
            };
            let ratios: Vec<f64> = FIELD.iter().map(|&(_, policy)| percent(policy)).collect();
            table.lru.push(ratios[2]);
            table.limit.push(f64::NAN);
            table.rows.push(Row {
                load: load.name.clone(),
                entries,
                ratios,
            });
        }
    }
    table
}
