//! The bound in bytes: room that is collected from several entries, of several shards.

use std::sync::Arc;

use flask_rustcache::core::Stats;

use crate::explore::{NOW, World, explore, join_all, spawn};

/// What a value weighs here: so much more than the entry around it that the sums below are about values.
const HEAVY: usize = 10_000;

/// Room for so many values of that weight, and not for one more.
const fn room_for(values: usize) -> usize {
    (values + 1) * HEAVY - 1
}

fn is_within(stats: Stats, max_weight: usize) -> bool {
    stats.weight <= max_weight
}

/// Trap H4, and that those who collect room for a heavy value from many light ones do not wait for each other
/// for ever.
#[test]
fn the_bound_in_bytes_holds_at_every_moment_and_every_insertion_ends() {
    for (bound, shards) in [(1, 1), (2, 1), (2, 2), (3, 2), (2, 4)] {
        explore(move || {
            let world = World::weighing((8, room_for(bound)), shards);
            let inserters = [(1, 2), (3, 4)].map(|(light, heavy)| {
                spawn(&world, move |world| {
                    assert!(world.insert_heavy(light, HEAVY));
                    assert!(world.insert_heavy(heavy, HEAVY * bound));
                    assert!(world.insert_heavy(light, HEAVY));
                })
            });
            let observer = spawn(&world, move |world| {
                for _ in 0..3 {
                    assert!(is_within(world.store.stats(), room_for(bound)));
                }
            });
            join_all(inserters);
            observer.join().unwrap();
            let stats = world.settle();
            assert_eq!((stats.insertions, stats.refusals), (6, 0));
        });
    }
}

/// Both bounds at once: who has the entry waits for bytes, and who has the bytes for an entry.
#[test]
fn who_waits_for_bytes_and_who_waits_for_an_entry_both_get_them() {
    for shards in [1, 2, 4] {
        explore(move || {
            let world = World::weighing((2, room_for(2)), shards);
            let threads = [
                spawn(&world, |world| {
                    assert!(world.insert_heavy(1, 2 * HEAVY));
                    world.insert(2);
                }),
                spawn(&world, |world| {
                    world.insert(3);
                    assert!(world.insert_heavy(4, 2 * HEAVY));
                }),
                spawn(&world, |world| {
                    assert!(world.insert_heavy(5, HEAVY));
                    assert!(!world.insert_heavy(6, 3 * HEAVY));
                    drop(world.store.remove(&[5], NOW));
                }),
            ];
            join_all(threads);
            assert_eq!(world.settle().refusals, 1);
        });
    }
}

/// Trap H4: a value gets heavier in its place.
#[test]
fn a_value_may_grow_while_others_come() {
    for shards in [1, 2] {
        explore(move || {
            let world = World::weighing((4, room_for(3)), shards);
            world.insert(1);
            let grower = spawn(&world, |world| {
                let (seen, _) = world.store.read_versioned(&[1], NOW, |_| ());
                seen.is_some_and(|((), version)| {
                    let value = (Arc::clone(&world.value), 2 * HEAVY);
                    world.store.replace(&[1], version, value, NOW).stored
                })
            });
            let others = [2, 3].map(|key| {
                spawn(&world, move |world| {
                    assert!(world.insert_heavy(key, 2 * HEAVY));
                })
            });
            join_all(others);
            grower.join().unwrap();
            assert!(is_within(world.settle(), room_for(3)));
        });
    }
}

#[test]
fn a_lowered_bound_in_bytes_holds_from_the_return_on() {
    for shards in [1, 2, 4] {
        explore(move || {
            let world = World::weighing((8, room_for(4)), shards);
            let inserters = [[1, 2], [3, 4]].map(|keys| {
                spawn(&world, move |world| {
                    for key in keys {
                        world.insert_heavy(key, HEAVY);
                        world.insert_heavy(key, 2 * HEAVY);
                    }
                })
            });
            let owner = spawn(&world, |world| {
                drop(world.store.set_max_weight(room_for(1)).unwrap());
                for _ in 0..3 {
                    assert!(is_within(world.store.stats(), room_for(1)));
                }
                drop(world.store.set_max_weight(room_for(2)).unwrap());
                assert!(is_within(world.store.stats(), room_for(2)));
            });
            join_all(inserters);
            owner.join().unwrap();
            world.settle();
        });
    }
}
