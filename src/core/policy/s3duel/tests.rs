//! The policy alone, on a slab, without a shard.

use proptest::prelude::*;

use super::super::super::entry::Lifetime;
use super::super::super::slab::tests::entry;
use super::super::{Policy, hash};
use super::*;

/// A cache of one policy and the hits it had.
struct Cache {
    policy: S3Duel,
    slab: Slab<u32>,
    room: usize,
}

impl Cache {
    fn new(room: usize) -> Self {
        Self {
            policy: S3Duel::new(room),
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

    fn queue(&self, value: u32) -> u8 {
        self.slab.entry(self.token(value).expect("held")).queue
    }

    fn add(&mut self, value: u32) {
        let mut new = entry(value, Lifetime::NEVER);
        new.hash = hash(u64::from(value));
        let token = self.slab.insert(|| new);
        self.policy.insert(&mut self.slab, token);
    }

    fn remove(&mut self, token: u32) -> u32 {
        self.policy.remove(&mut self.slab, token);
        self.slab.remove(token).value
    }

    fn evict(&mut self) -> Option<u32> {
        let token = self.policy.victim(&mut self.slab)?;
        Some(self.remove(token))
    }

    /// A read, and on a miss an insertion; true for a hit.
    fn request(&mut self, value: u32) -> bool {
        if let Some(token) = self.token(value) {
            Policy::access(self.slab.entry_mut(token));
            return true;
        }
        if self.slab.len() >= self.room {
            self.evict();
        }
        self.add(value);
        false
    }

    fn requests(&mut self, values: impl IntoIterator<Item = u32>) -> usize {
        values
            .into_iter()
            .filter(|&value| self.request(value))
            .count()
    }

    fn validate(&self) {
        self.policy.validate(&self.slab).expect("a sound policy");
    }
}

/// Full, with main at its share: keys 0 and up, in order of age, none of them used.
fn settled(room: u32) -> Cache {
    let mut cache = Cache::new(room as usize);
    let mut next = 0;
    while cache.policy.main.len() < room as usize * 9 / 10 {
        cache.request(next);
        next += 1;
    }
    cache
}

#[test]
fn accesses_saturate() {
    let mut accessed = entry(0, Lifetime::NEVER);
    (0..300).for_each(|_| Policy::access(&mut accessed));
    assert_eq!(accessed.frequency, MOST_FREQUENT);
}

#[test]
fn main_takes_in_the_oldest_before_the_store_is_full() {
    let mut cache = Cache::new(50);
    cache.requests(0..50);
    assert_eq!((cache.policy.small.len(), cache.policy.main.len()), (4, 46));
    assert_eq!(cache.evict(), Some(46));
    assert!(cache.holds(0) && cache.holds(49));
    cache.validate();
}

#[test]
fn what_main_takes_in_keeps_its_use() {
    let mut cache = Cache::new(50);
    cache.requests([0, 0, 0]);
    cache.requests(1..50);
    let entry = cache.slab.entry(cache.token(0).expect("held"));
    assert_eq!((entry.queue, entry.frequency), (UNPROVEN, 2));
}

/// Nobody stays for ever by having been early.
#[test]
fn who_was_taken_in_and_never_used_goes_in_the_end() {
    let mut cache = settled(50);
    cache.requests([3, 4]);
    let last = cache.policy.main.tail().expect("an entry");
    let last = cache.slab.entry(last).value;
    cache.requests(1_000..1_060);
    assert!(!cache.holds(0) && cache.holds(last));
    cache.requests(2_000..2_100);
    assert!(cache.holds(3) && cache.holds(4));
    cache.validate();
}

#[test]
fn use_earns_another_round_of_the_small_queue() {
    let mut cache = settled(60);
    cache.requests([1_000, 1_001, 1_000, 1_000, 1_000]);
    // As many as bring the two to the queue's end.
    cache.requests(2_000..2_006);
    assert!(cache.holds(1_000) && !cache.holds(1_001));
    let entry = cache.slab.entry(cache.token(1_000).expect("held"));
    assert_eq!((entry.queue, entry.frequency), (SMALL, 0));
    cache.validate();
}

#[test]
fn where_recency_is_favoured_use_in_two_rounds_promotes_and_is_worth_one_chance() {
    let mut cache = Cache::new(100);
    // Each key is asked for again some 50 misses later, then no more.
    let recent = (0..3_000_u32).flat_map(|i| [i, i.saturating_sub(20 + i * 7 % 40)]);
    cache.requests(recent);
    assert!(cache.policy.balance.favours_recency());
    cache.requests([5_000, 5_000]);
    let token = cache.token(5_000).expect("held");
    let mut rounds = 0;
    for fresh in 6_000.. {
        cache.request(fresh);
        let entry = cache.slab.entry_mut(token);
        if entry.queue == MAIN {
            break;
        }
        // Used again once it has gone round.
        rounds += u32::from(entry.frequency == 0);
        entry.frequency = 1;
    }
    assert_eq!(rounds, 1);
    assert_eq!(cache.slab.entry(token).frequency, 0);
    cache.slab.entry_mut(token).frequency = MOST_FREQUENT;
    assert!(cache.policy.second_chance(&mut cache.slab, token));
    assert_eq!(cache.slab.entry(token).frequency, 0);
    cache.validate();
}

#[test]
fn who_was_asked_for_more_often_wins_the_duel() {
    let mut cache = settled(30);
    // Forgotten by the ghost before the next visit, but counted.
    for visit in 0..2 {
        assert!(!cache.request(500));
        cache.requests((0..60).map(|i| 1_000 + visit * 100 + i));
    }
    assert_ne!(cache.queue(500), SMALL);
    cache.validate();
}

#[test]
fn who_comes_back_soon_enters_main() {
    let mut cache = settled(30);
    cache.requests(500..510);
    assert!(!cache.holds(500));
    cache.request(500);
    assert_ne!(cache.queue(500), SMALL);
    cache.requests(600..700);
    assert!(cache.holds(500));
}

#[test]
fn a_loop_twice_as_long_as_the_store_keeps_what_it_has() {
    let mut cache = Cache::new(100);
    cache.requests((0..205).cycle().take(2_050));
    let hits = cache.requests((0..205).cycle().take(2_050));
    assert!(hits > 800, "{hits} of 2,050");
    cache.validate();
}

#[test]
fn a_loop_little_longer_than_the_store_turns_comebacks_away() {
    let mut cache = Cache::new(200);
    cache.requests((0..250).cycle().take(10_000));
    assert!(!cache.policy.comebacks.are_welcome());
    let hits = cache.requests((0..250).cycle().take(2_500));
    assert!(hits > 1_600, "{hits} of 2,500");
    cache.validate();
}

#[test]
fn recency_makes_the_small_queue_long() {
    let mut cache = Cache::new(100);
    // Each key is asked for again some 40 misses later, then no more.
    let recent = (0..3_000_u32).flat_map(|i| [i, i.saturating_sub(40)]);
    cache.requests(recent);
    let share = cache.policy.balance.small_target(100);
    assert!(share > 40, "{share}");
    cache.validate();
}

/// Counts what one eviction passes over by the accesses it spends.
#[test]
fn an_eviction_passes_over_a_bounded_number() {
    let mut cache = settled(100);
    let tokens: Vec<_> = cache.slab.iter().map(|(token, _)| token).collect();
    for &token in &tokens {
        cache.slab.entry_mut(token).frequency = MOST_FREQUENT;
    }
    cache.evict().expect("a victim");
    let spent: usize = cache
        .slab
        .iter()
        .map(|(_, entry)| usize::from(entry.frequency < MOST_FREQUENT))
        .sum();
    assert!(spent <= MOST_PASSED_OVER, "{spent}");
    cache.validate();
}

#[test]
fn a_long_row_in_good_use_stays_if_the_newest_has_no_use_yet() {
    let mut cache = Cache::new(100);
    cache.requests(0..99);
    cache.requests((0..99).cycle().take(300));
    cache.request(99);
    assert_eq!(cache.evict(), Some(99));
    cache.add(99);
    assert_ne!(cache.queue(99), SMALL);
}

#[test]
fn the_smallest_stores_work() {
    for room in 1..=3 {
        let mut cache = Cache::new(room);
        for value in (0..200).map(|i| i * i % 11) {
            cache.request(value);
            assert!(cache.slab.len() <= room && cache.holds(value));
            cache.validate();
        }
        while cache.evict().is_some() {
            cache.validate();
        }
        assert_eq!(cache.slab.len(), 0);
    }
}

#[test]
fn memory_goes_with_what_is_stored_and_is_given_back() {
    let mut cache = Cache::new(usize::MAX);
    cache.requests(0..100);
    assert!(cache.policy.history.is_bounded(0));
    cache.evict();
    assert!(cache.policy.history.is_bounded(100));
    cache.policy.set_capacity(10);
    assert!(cache.policy.history.is_bounded(10));
    cache.validate();
}

#[derive(Clone, Debug)]
enum Op {
    Request(u32),
    Remove(usize),
    Evict,
    Room(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (0..60_u32).prop_map(Op::Request),
        10 => (0..2_000_u32).prop_map(Op::Request),
        3 => any::<usize>().prop_map(Op::Remove),
        2 => Just(Op::Evict),
        1 => (1..80_usize).prop_map(Op::Room),
    ]
}

impl Cache {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Request(value) => {
                self.request(value);
            }
            Op::Remove(which) => {
                let tokens: Vec<_> = self.slab.iter().map(|(token, _)| token).collect();
                if !tokens.is_empty() {
                    self.remove(tokens[which % tokens.len()]);
                }
            }
            Op::Evict => {
                assert_eq!(self.slab.len() == 0, self.evict().is_none());
            }
            Op::Room(room) => {
                self.room = room;
                self.policy.set_capacity(room);
                while self.slab.len() > room {
                    self.evict();
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_mix_leaves_a_sound_policy(room in 1..40_usize, ops in proptest::collection::vec(op(), 1..400)) {
        let mut cache = Cache::new(room);
        for op in &ops {
            cache.apply(op);
            prop_assert_eq!(cache.policy.validate(&cache.slab), Ok(()));
            prop_assert!(cache.slab.len() <= cache.room);
        }
    }

    /// The same keys, the same hashes, the same end: no clock and no dice.
    #[test]
    fn the_same_load_ends_the_same(values in proptest::collection::vec(0..100_u32, 1..500)) {
        let held = || {
            let mut cache = Cache::new(20);
            cache.requests(values.iter().copied());
            cache.slab.iter().map(|(_, entry)| entry.value).collect::<Vec<_>>()
        };
        prop_assert_eq!(held(), held());
    }
}
