//! The policy alone, on a slab, without a shard.

use proptest::prelude::*;

use super::super::super::entry::Lifetime;
use super::super::super::slab::tests::entry;
use super::super::{Policy, hash};
use super::*;

/// A cache of one policy, bounded in bytes. A value's weight is in its number's last four digits.
struct Cache {
    policy: Density,
    slab: Slab<u32>,
    room: usize,
}

fn weight(value: u32) -> usize {
    1 + value as usize % 10_000
}

impl Cache {
    fn new(room: usize) -> Self {
        Self {
            policy: Density::new(usize::MAX),
            slab: Slab::new(),
            room,
        }
    }

    fn token(&self, value: u32) -> Option<u32> {
        let found = self.slab.iter().find(|(_, entry)| entry.value == value);
        found.map(|(token, _)| token)
    }

    fn holds(&self, value: u32) -> bool {
        self.token(value).is_some()
    }

    fn used(&self) -> usize {
        self.slab.iter().map(|(_, entry)| entry.weight).sum()
    }

    fn evict(&mut self) -> Option<u32> {
        let token = self.policy.victim(&mut self.slab)?;
        self.policy.remove(&mut self.slab, token);
        Some(self.slab.remove(token).value)
    }

    /// A read, and on a miss an insertion; true for a hit.
    fn request(&mut self, value: u32) -> bool {
        if let Some(token) = self.token(value) {
            Policy::access(self.slab.entry_mut(token));
            return true;
        }
        while self.used() + weight(value) > self.room {
            self.evict().expect("a value has room in an empty cache");
        }
        let mut new = entry(value, Lifetime::NEVER);
        (new.hash, new.weight) = (hash(u64::from(value)), weight(value));
        let token = self.slab.insert(|| new);
        self.policy.insert(&mut self.slab, token);
        false
    }

    fn validate(&self) {
        self.policy.validate(&self.slab).expect("a sound policy");
    }
}

#[test]
fn of_two_that_are_used_alike_the_heavier_goes() {
    for order in [[19, 29_999], [29_999, 19]] {
        let mut cache = Cache::new(20_000);
        for value in order {
            cache.request(value);
            cache.request(value);
        }
        assert_eq!(cache.evict(), Some(29_999));
    }
}

#[test]
fn a_heavy_one_stays_if_it_is_used_for_its_weight() {
    let mut cache = Cache::new(12_000);
    cache.request(7_999);
    for value in 1..400 {
        cache.request(7_999);
        cache.request(10_000 * value + 99);
        cache.validate();
    }
    assert!(cache.holds(7_999));
}

#[test]
fn who_is_used_no_more_goes_in_the_end_however_light() {
    let mut cache = Cache::new(10_000);
    (0..4).for_each(|_| {
        cache.request(9);
    });
    for value in 1..2_000 {
        let value = 10_000 * value + 999;
        cache.request(value);
        cache.request(value);
    }
    assert!(!cache.holds(9));
}

#[test]
fn a_scan_leaves_what_is_used() {
    let mut cache = Cache::new(100_000);
    let hot: Vec<u32> = (0..50).map(|n| 10_000 * n + 999).collect();
    for _ in 0..3 {
        for &value in &hot {
            cache.request(value);
        }
    }
    (1_000..3_000).for_each(|n| {
        cache.request(10_000 * n + 999);
    });
    assert!(hot.iter().filter(|&&value| cache.holds(value)).count() >= 49);
}

#[test]
fn who_comes_back_has_a_whole_stay() {
    let mut cache = Cache::new(2_000);
    (1..4).for_each(|n| {
        cache.request(10_000 * n + 999);
    });
    assert!(!cache.holds(10_999));
    cache.request(10_999);
    let token = cache.token(10_999).expect("held");
    assert_eq!(cache.slab.entry(token).queue, KEPT);
    assert_eq!(cache.evict(), Some(30_999));
}

#[test]
fn who_comes_back_and_is_heavy_has_to_show_that_it_is_wanted() {
    let mut cache = Cache::new(12_000);
    for n in 1..6 {
        cache.request(10_000 * n + 499);
        cache.request(10_000 * n + 499);
    }
    for value in [9_999, 79_999, 9_999] {
        cache.request(value);
        cache.validate();
    }
    let token = cache.token(9_999).expect("held");
    assert_eq!(cache.slab.entry(token).queue, PROBATION);
}

#[test]
fn a_clock_that_comes_round_changes_nothing() {
    let requests = |cache: &mut Cache| -> Vec<bool> {
        let key = |n: u64| hash(n) % (1 + hash(n + 1_000_000) % 120);
        let value = |n: u64| u32::try_from(key(n) * 10_000 + hash(key(n)) % 3_000);
        let requests = (0..5_000).filter_map(|n| value(n).ok());
        requests.map(|value| cache.request(value)).collect()
    };
    let (mut early, mut late) = (Cache::new(60_000), Cache::new(60_000));
    late.policy.clocks = [u64::MAX - STAY / 10_000, u64::MAX];
    assert_eq!(requests(&mut early), requests(&mut late));
    assert!(
        late.policy.clocks.iter().all(|clock| *clock < STAY),
        "they did come round"
    );
    late.validate();
}

#[derive(Clone, Debug)]
enum Op {
    Request(u32),
    Remove(usize),
    Reweigh(usize, usize),
    Evict,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0..200_000_u32).prop_map(|n| Op::Request(n * 1_009 % 200_003)),
        20 => (0..60_u32).prop_map(|n| Op::Request(n * 10_000 + n * 37)),
        3 => any::<usize>().prop_map(Op::Remove),
        3 => (any::<usize>(), 1..9_000_usize).prop_map(|(which, weight)| Op::Reweigh(which, weight)),
        2 => Just(Op::Evict),
    ]
}

impl Cache {
    fn some(&self, which: usize) -> Option<u32> {
        let tokens: Vec<_> = self.slab.iter().map(|(token, _)| token).collect();
        tokens.get(which % tokens.len().max(1)).copied()
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Request(value) => {
                self.request(value);
            }
            Op::Remove(which) => {
                if let Some(token) = self.some(which) {
                    self.policy.remove(&mut self.slab, token);
                    self.slab.remove(token);
                }
            }
            Op::Reweigh(which, weight) => {
                if let Some(token) = self.some(which) {
                    let old = std::mem::replace(&mut self.slab.entry_mut(token).weight, weight);
                    self.policy.reweigh(&mut self.slab, token, old);
                }
            }
            Op::Evict => assert_eq!(self.slab.len() == 0, self.evict().is_none()),
        }
    }
}

proptest! {
    #[test]
    fn any_mix_leaves_a_sound_policy(room in 10_001..60_000_usize, ops in proptest::collection::vec(op(), 1..300)) {
        let mut cache = Cache::new(room);
        for op in &ops {
            cache.apply(op);
            cache.validate();
        }
    }
}
