//! What is known, for how long, and in how much memory.

use super::super::hash;
use super::*;

impl History {
    fn count(&self, hash: u64) -> u32 {
        self.visits(self.place(hash))
    }

    fn visit(&mut self, hash: u64, visits: u8) {
        self.add_visits(self.place(hash), visits);
    }

    fn departure_of(&mut self, hash: u64) -> Option<Departure> {
        self.take_departure(self.place(hash))
    }

    fn depart(&mut self, hash: u64, visits: u8, left: Left) {
        self.add_departure(self.place(hash), visits, left);
    }
}

fn history(entries: usize) -> History {
    let mut history = History::new();
    history.fit(entries);
    history
}

fn reject(history: &mut History, keys: std::ops::Range<u64>) {
    keys.for_each(|key| history.depart(hash(key), 1, Left::Rejected));
}

fn departed(history: &mut History, keys: std::ops::Range<u64>) -> usize {
    keys.filter(|&key| history.departure_of(hash(key)).is_some())
        .count()
}

#[test]
fn without_a_size_nothing_is_known() {
    let mut history = History::new();
    history.visit(hash(1), 3);
    history.depart(hash(1), 1, Left::Rejected);
    assert_eq!(
        (history.count(hash(1)), history.departure_of(hash(1))),
        (0, None)
    );
}

#[test]
fn visits_add_up_to_fifteen() {
    let mut history = history(100);
    history.visit(hash(1), 2);
    history.depart(hash(1), 1, Left::Rejected);
    assert_eq!(history.count(hash(1)), 3);
    (0..300).for_each(|_| history.visit(hash(1), 4));
    assert_eq!(history.count(hash(1)), COUNT);
}

#[test]
fn a_departure_is_told_once_with_the_age_in_its_own_queue() {
    let mut history = history(100);
    for (key, left) in [
        (1, Left::Rejected),
        (2, Left::Dethroned),
        (3, Left::Displaced),
    ] {
        history.depart(hash(key), 1, left);
    }
    reject(&mut history, 10..15);
    let departure = |left, age| Some(Departure { left, age });
    assert_eq!(history.departure_of(hash(1)), departure(Left::Rejected, 5));
    assert_eq!(history.departure_of(hash(2)), departure(Left::Dethroned, 1));
    assert_eq!(history.departure_of(hash(3)), departure(Left::Displaced, 0));
    assert_eq!(departed(&mut history, 1..4), 0);
    assert_eq!(history.count(hash(1)), 1);
}

#[test]
fn who_is_counted_as_held_has_not_left() {
    let mut history = history(100);
    reject(&mut history, 1..2);
    history.visit(hash(1), 1);
    assert_eq!(history.departure_of(hash(1)), None);
}

#[test]
fn a_zero_hash_is_not_known_unasked() {
    let mut history = history(10);
    assert_eq!((history.count(0), history.departure_of(0)), (0, None));
}

#[test]
fn departures_are_forgotten_exactly_beyond_their_reach() {
    let mut history = history(12);
    reject(&mut history, 0..13);
    assert_eq!(history.departure_of(hash(0)), None);
    assert_eq!(departed(&mut history, 1..13), 12);
    (20..24).for_each(|key| history.depart(hash(key), 1, Left::Dethroned));
    assert_eq!(history.departure_of(hash(20)), None);
    assert_eq!(departed(&mut history, 21..24), 3);
}

#[test]
fn nearly_all_of_the_latest_departures_are_known() {
    let mut history = history(10_000);
    reject(&mut history, 0..50_000);
    assert_eq!(departed(&mut history, 0..40_000), 0);
    let known = departed(&mut history, 40_000..50_000);
    assert!(known > 9_900, "{known} of 10,000");
}

#[test]
fn nearly_all_of_twice_as_many_keys_are_counted_and_none_too_high() {
    let mut history = history(1_000);
    (0..2_000).for_each(|key| history.visit(hash(key), 1));
    let counted = (0..2_000).filter(|&key| history.count(hash(key)) == 1);
    assert!(counted.count() > 1_900);
    assert!((2_000..200_000).all(|key| history.count(hash(key)) == 0));
}

#[test]
fn one_off_keys_do_not_push_frequent_ones_out() {
    let mut history = history(100);
    history.visit(hash(1), 3);
    reject(&mut history, 1_000..2_000);
    assert_eq!(history.count(hash(1)), 3);
}

#[test]
fn growing_keeps_what_is_known() {
    let mut history = history(10);
    (0..15).for_each(|key| history.visit(hash(key), 2));
    let counts = |history: &History| {
        (0..40)
            .map(|key| history.count(hash(key)))
            .collect::<Vec<_>>()
    };
    let before = counts(&history);
    history.fit(11);
    history.fit(21);
    assert_eq!(history.buckets.len(), 20);
    assert_eq!(before, counts(&history));
}

#[test]
fn old_counts_fade_whether_touched_or_not() {
    let mut history = history(100);
    history.visit(hash(1), 15);
    history.visit(hash(2), 15);
    let sample = 100 * SAMPLE_PER_KEY;
    (0..sample).for_each(|_| history.visit(hash(3), 1));
    assert_eq!(history.count(hash(1)), 7);
    history.visit(hash(1), 1);
    assert_eq!((history.count(hash(1)), history.count(hash(2))), (8, 7));
    (0..sample * 3).for_each(|_| history.visit(hash(3), 1));
    assert_eq!(history.count(hash(2)), 0);
    history.visit(hash(2), 1);
    assert_eq!(history.count(hash(2)), 1);
}

#[test]
fn memory_goes_with_the_entries() {
    let mut history = history(1_000);
    assert_eq!((size_of::<Bucket>(), history.buckets.len()), (64, 500));
    assert!(history.is_bounded(1_000) && !history.is_bounded(400));
    history.shrink(1_000);
    assert_eq!(history.buckets.len(), 500);
    history.shrink(400);
    assert!(history.buckets.is_empty());
}
