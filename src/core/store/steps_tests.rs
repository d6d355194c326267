//! No trace makes an operation take more than a constant number of steps, beyond those for the entries it removes.

use proptest::prelude::*;

use super::*;
use crate::core::steps;

/// What one operation may take, and each entry that it removes: 16 entries passed over for the one that goes, each
/// taken out of one queue and put into another. With a bound in bytes each is found among the heads of queues.
const MOST: u64 = 150;
const MOST_BY_BYTES: u64 = 600;

/// Enough of them that no walk through all stays unseen.
const ENTRIES: u32 = 3_000;

#[derive(Clone, Debug)]
enum Op {
    /// So many new keys, which live for so long, with values of up to so many bytes.
    Fill(u32, u64, usize),
    /// A value in the place of a random one.
    Overwrite(u32, u64, usize),
    /// All that is there is read so often.
    ReadAll(u8),
    Read(u32),
    Remove(u32),
    Touch(u32, u64),
    RemoveTag(u8),
    Pass(u64),
    Purge,
}

fn op() -> impl Strategy<Value = Op> {
    let lifetime = prop_oneof![2 => Just(u64::MAX), 2 => 1..40_u64, 1 => Just(20)];
    let weight = prop_oneof![3 => Just(0), 3 => 0..2_000_usize, 1 => 0..40_000_usize];
    prop_oneof![
        6 => (1..ENTRIES, lifetime.clone(), weight.clone()).prop_map(|(n, t, w)| Op::Fill(n, t, w)),
        3 => (0..ENTRIES, lifetime.clone(), weight).prop_map(|(k, t, w)| Op::Overwrite(k, t, w)),
        3 => (1..5_u8).prop_map(Op::ReadAll),
        2 => (0..ENTRIES).prop_map(Op::Read),
        2 => (0..ENTRIES).prop_map(Op::Remove),
        2 => (0..ENTRIES, lifetime).prop_map(|(k, t)| Op::Touch(k, t)),
        1 => (0..4_u8).prop_map(Op::RemoveTag),
        3 => (1..30_u64).prop_map(Op::Pass),
        1 => Just(Op::Purge),
    ]
}

struct Run {
    store: Store<u32>,
    most: u64,
    now: Instant,
    next: u32,
    random: u64,
}

impl Run {
    fn new(max_weight: usize, shards: usize) -> Self {
        let config = StoreConfig {
            max_entries: ENTRIES as usize,
            max_weight,
            shards,
        };
        Self {
            store: Store::with_exact_shards(config).expect("sound settings"),
            most: if max_weight == usize::MAX {
                MOST
            } else {
                MOST_BY_BYTES
            },
            now: Instant::from_nanos(1),
            next: 0,
            random: 1,
        }
    }

    /// Runs an operation, and counts.
    fn count<R>(&self, act: impl FnOnce(&Store<u32>) -> (R, Evicted<u32>)) -> R {
        let (steps, (result, evicted)) = steps::of(|| act(&self.store));
        let allowed = self.most * (1 + evicted.len() as u64);
        assert!(steps <= allowed, "{steps} steps, {} removed", evicted.len());
        result
    }

    fn put(&mut self, key: u32, lifetime: u64, weight: usize) {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let weight = usize::try_from(self.random >> 33).unwrap_or(0) % (weight + 1);
        let tag = [u8::try_from(key % 4).unwrap_or(0)];
        let offer = Offer {
            value: key,
            weight,
            lifetime: Lifetime::until(self.now.saturating_add(lifetime)),
            when: When::Always,
            tags: if key.is_multiple_of(3) { &[&tag] } else { &[] },
        };
        self.count(|store| {
            let inserted = store.put(&key.to_le_bytes(), offer, self.now);
            ((), inserted.evicted)
        });
    }

    fn read(&self, key: u32) {
        self.count(|store| store.read(&key.to_le_bytes(), self.now, |_| ()));
    }

    /// The key that came in so many keys ago.
    fn key(&self, age: u32) -> u32 {
        self.next.saturating_sub(age)
    }

    fn apply(&mut self, op: &Op) {
        let now = self.now;
        match *op {
            Op::Fill(count, lifetime, weight) => {
                for _ in 0..count {
                    self.next += 1;
                    self.put(self.next, lifetime, weight);
                }
            }
            Op::Overwrite(age, lifetime, weight) => self.put(self.key(age), lifetime, weight),
            Op::ReadAll(times) => {
                for age in (0..ENTRIES).flat_map(|age| (0..times).map(move |_| age)) {
                    self.read(self.key(age));
                }
            }
            Op::Read(age) => self.read(self.key(age)),
            Op::Remove(age) => {
                self.count(|store| store.remove(&self.key(age).to_le_bytes(), now));
            }
            Op::Touch(age, lifetime) => {
                let lifetime = Lifetime::until(now.saturating_add(lifetime));
                self.count(|store| store.touch(&self.key(age).to_le_bytes(), lifetime, now));
            }
            Op::RemoveTag(tag) => self.count(|store| ((), store.remove_tag(&[tag], now))),
            Op::Pass(time) => self.now = now.saturating_add(time),
            Op::Purge => self.count(|store| ((), store.purge_expired(now))),
        }
    }
}

fn run(max_weight: usize, shards: usize, ops: &[Op]) {
    let mut run = Run::new(max_weight, shards);
    for op in ops {
        run.apply(op);
    }
    run.store.validate().expect("a sound store");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn steps_are_bounded(shards in prop::sample::select(vec![1, 4]), ops in prop::collection::vec(op(), 1..40)) {
        run(usize::MAX, shards, &ops);
    }

    #[test]
    fn steps_are_bounded_by_bytes(max_weight in 1_000..3_000_000_usize, ops in prop::collection::vec(op(), 1..40)) {
        run(max_weight, 1, &ops);
    }
}

/// The longest way: every entry has been used to the full when room is needed, and again after each eviction.
#[test]
fn steps_are_bounded_if_all_is_in_use() {
    for max_weight in [usize::MAX, 1_000_000] {
        let ops = [Op::Fill(ENTRIES, u64::MAX, 500), Op::ReadAll(4)];
        let mut trace: Vec<Op> = ops.into_iter().collect();
        for age in 0..300 {
            trace.extend([Op::Fill(2, u64::MAX, 5_000), Op::Read(age), Op::Read(age)]);
        }
        run(max_weight, 1, &trace);
    }
}
