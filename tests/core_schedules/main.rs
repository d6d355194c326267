//! Small groups of threads under a model checker, which decides who goes on at each lock and each atomic: the
//! promises of the store hold whatever it decides. `make model` runs this; see `explore` for what a failure
//! prints.
//!
//! The checker takes every atomic for sequentially consistent. That the relaxed ones of the account suffice
//! is argued in `account.rs`.
#![expect(
    clippy::unwrap_used,
    reason = "a test's helpers may fail as the test may"
)]

mod explore;
mod fills;
mod weights;

use std::sync::Arc;

use explore::{LATER, NOW, World, explore, join_all, spawn};
use flask_rustcache::core::{Evicted, Instant, Lifetime, When};

/// Trap H1, and that an insertion which needs another shard's room ends: the checker tells a deadlock and,
/// by its limit of steps, an endless round.
#[test]
fn the_bound_holds_at_every_moment_and_every_insertion_ends() {
    for (bound, shards) in [(1, 1), (1, 2), (2, 2), (1, 4), (3, 4)] {
        explore(move || {
            let world = World::new(bound, shards);
            let inserters = [[1, 2, 3], [4, 1, 5]]
                .map(|keys| spawn(&world, move |world| world.insert_all(keys)));
            let observer = spawn(&world, move |world| {
                for _ in 0..3 {
                    assert!(world.entries() <= bound);
                    assert!(world.store.len(NOW).0 <= bound);
                    assert!(shards > 1 || world.store.keys(NOW).len() <= bound);
                }
            });
            join_all(inserters);
            observer.join().unwrap();
            let stats = world.settle();
            assert_eq!(stats.insertions, 6);
            assert!(
                stats.entries == bound,
                "five keys and nothing taken back: it is full"
            );
        });
    }
}

/// Removal, expiry and conditions at a bound of one, with more shards than entries.
#[test]
fn whatever_is_done_at_the_bound_ends_and_is_accounted_for() {
    explore(|| {
        let world = World::new(1, 4);
        let threads = [
            spawn(&world, |world| {
                world.insert(1);
                drop(world.store.remove(&[2], NOW));
                world.insert_until(3, LATER, When::IfAbsent);
            }),
            spawn(&world, |world| {
                world.insert_until(2, LATER, When::IfAbsent);
                drop(world.store.purge_expired(LATER));
                drop(world.store.clear());
            }),
            spawn(&world, |world| {
                let ticket = world.store.ticket(&[4], &[]);
                world.insert_until(4, Instant::NEVER, When::IfTicket(ticket));
                world.store.end_ticket(&[4], &[]);
                drop(world.store.remove_between(&[1], &[3], LATER));
            }),
        ];
        join_all(threads);
        world.settle();
    });
}

#[test]
fn a_lowered_bound_holds_from_the_return_on() {
    for shards in [1, 2, 4] {
        explore(move || {
            let world = World::new(3, shards);
            let inserters = [[1, 2, 3], [4, 5, 1]]
                .map(|keys| spawn(&world, move |world| world.insert_all(keys)));
            let owner = spawn(&world, |world| {
                drop(world.store.set_max_entries(1).unwrap());
                (0..3).for_each(|_| assert!(world.entries() <= 1));
                drop(world.store.set_max_entries(2).unwrap());
                assert!(world.entries() <= 2);
            });
            join_all(inserters);
            owner.join().unwrap();
            world.settle();
        });
    }
}

/// Trap F2. `add` has one winner, whether the key is absent or has expired.
#[test]
fn of_those_who_add_one_wins() {
    for expired in [false, true] {
        explore(move || {
            let world = World::new(4, 2);
            if expired {
                world.insert_until(1, NOW.saturating_add(1), When::Always);
            }
            let adders = [1, 2, 3].map(|number| {
                spawn(&world, move |world| {
                    let added = world.store.insert(
                        &[1],
                        Arc::new(number),
                        Lifetime::NEVER,
                        LATER,
                        When::IfAbsent,
                    );
                    added.stored.then_some(number)
                })
            });
            let winners: Vec<_> = join_all(adders).into_iter().flatten().collect();
            assert_eq!(winners.len(), 1);
            let held = world.store.peek(&[1], LATER, |value, _| **value);
            assert_eq!(held, Some(winners[0]));
            world.store.validate().unwrap();
        });
    }
}

/// Trap F2. What `inc` is: read, and replace what was read.
#[test]
fn increments_add_up() {
    explore(|| {
        let world = World::new(4, 2);
        world.insert(1);
        let increment = |world: &World| loop {
            let (seen, _) = world.store.read_versioned(&[1], NOW, |value| **value);
            let (seen, version) = seen.unwrap();
            let replaced = world
                .store
                .replace(&[1], version, (Arc::new(seen + 1), 0), NOW);
            if replaced.stored {
                return;
            }
        };
        join_all([1, 2, 3].map(|_| {
            spawn(&world, move |world| {
                increment(world);
                increment(world);
            })
        }));
        assert_eq!(world.store.peek(&[1], NOW, |value, _| **value), Some(6));
        let stats = world.store.stats();
        assert_eq!((stats.insertions, stats.replacements), (7, 6));
        world.store.validate().unwrap();
    });
}

/// All at one moment: whoever stored one key before another never sees the later one gone and the earlier
/// one left.
#[test]
fn a_clear_is_one_moment_for_all_shards() {
    explore(|| {
        let world = World::new(4, 4);
        let inserter = spawn(&world, |world| {
            world.insert(1);
            world.insert(2);
        });
        let clearer = spawn(&world, |world| {
            let gone: Evicted<_> = world.store.clear();
            gone.iter()
                .map(|removed| removed.key[0])
                .collect::<Vec<_>>()
        });
        inserter.join().unwrap();
        let gone = clearer.join().unwrap();
        assert!(!(gone.contains(&2) && world.holds(1)));
        assert!(
            [1, 2]
                .iter()
                .all(|key| world.holds(*key) != gone.contains(key))
        );
        world.settle();
    });
}

/// Each eighth call of a shard looks after another one, if nobody is in it: what has expired leaves once.
#[test]
fn what_expires_leaves_once_whoever_comes_across_it() {
    explore(|| {
        let world = World::new(8, 2);
        for key in 1..=6 {
            world.insert_until(key, NOW.saturating_add(1), When::Always);
        }
        let calls = |world: &World, key: u8| -> usize {
            let call = |_| world.store.contains(&[key], LATER).1.len();
            (0..9).map(call).sum()
        };
        let left = join_all([
            spawn(&world, move |world| calls(world, 20)),
            spawn(&world, move |world| calls(world, 21)),
            spawn(&world, |world| world.store.purge_expired(LATER).len()),
        ]);
        assert_eq!(left.iter().sum::<usize>(), 6);
        assert_eq!(world.settle().expirations, 6);
    });
}
