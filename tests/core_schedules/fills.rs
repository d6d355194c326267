//! Late values: what is stored with a ticket, and what is not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flask_rustcache::core::{Lifetime, Offer, Store, Ticket, When};
use shuttle::sync::atomic::AtomicUsize;

use crate::explore::{NOW, World, explore, join_all, spawn};

/// The ways to take a value back, and to say what is true now.
#[derive(Clone, Copy, Debug)]
enum Taken {
    Remove,
    RemoveTag,
    RemoveBetween,
    Clear,
    Set,
}

const TAG: &[u8] = b"tag";

fn take_back(store: &Store<Arc<usize>>, how: Taken, truth: usize) {
    match how {
        Taken::Remove => drop(store.remove(&[1], NOW)),
        Taken::RemoveTag => drop(store.remove_tag(TAG, NOW)),
        Taken::RemoveBetween => drop(store.remove_between(&[0], &[2], NOW)),
        Taken::Clear => drop(store.clear()),
        Taken::Set => {
            let tagged = tagged(truth, When::Always);
            assert!(store.put(&[1], tagged, NOW).stored);
        }
    }
}

fn tagged(value: usize, when: When) -> Offer<'static, Arc<usize>> {
    Offer {
        value: Arc::new(value),
        weight: 0,
        lifetime: Lifetime::NEVER,
        when,
        tags: &[TAG],
    }
}

/// A fill: a ticket, a look at the world, and the attempt to store what was seen.
fn fill(store: &Store<Arc<usize>>, truth: &AtomicUsize) -> Ticket {
    let ticket = store.ticket(&[1], &[TAG]);
    let seen = truth.load(Ordering::SeqCst);
    drop(store.put(&[1], tagged(seen, When::IfTicket(ticket)), NOW));
    store.end_ticket(&[1], &[TAG]);
    ticket
}

fn held(store: &Store<Arc<usize>>) -> Option<usize> {
    store.peek(&[1], NOW, |value, _| **value)
}

/// Trap C6. The truth changes, then the value is taken back: from there on nobody finds the old one.
fn nothing_old_is_found_after(how: Taken) {
    explore(move || {
        let (world, truth) = (World::new(4, 2), Arc::new(AtomicUsize::new(0)));
        let fillers = [1, 2].map(|_| {
            let truth = Arc::clone(&truth);
            spawn(&world, move |world| fill(&world.store, &truth))
        });
        let changer = {
            let truth = Arc::clone(&truth);
            spawn(&world, move |world| {
                truth.store(1, Ordering::SeqCst);
                take_back(&world.store, how, 1);
                (0..2).for_each(|_| assert_ne!(held(&world.store), Some(0)));
            })
        };
        join_all(fillers);
        changer.join().unwrap();
        assert_ne!(held(&world.store), Some(0));
        world.store.validate().unwrap();
    });
}

#[test]
fn a_late_value_is_not_stored_after_a_removal() {
    nothing_old_is_found_after(Taken::Remove);
}

#[test]
fn a_late_value_is_not_stored_after_its_tag_was_let_go() {
    nothing_old_is_found_after(Taken::RemoveTag);
}

#[test]
fn a_late_value_is_not_stored_after_its_range_was_removed() {
    nothing_old_is_found_after(Taken::RemoveBetween);
}

#[test]
fn a_late_value_is_not_stored_after_a_clear() {
    nothing_old_is_found_after(Taken::Clear);
}

#[test]
fn a_late_value_is_not_stored_over_a_newer_one() {
    nothing_old_is_found_after(Taken::Set);
}

/// Trap C5. Fills leave no record behind: what is recorded still would be spoiled by the last two lines.
#[test]
fn nothing_is_watched_when_all_fills_are_over() {
    explore(|| {
        let (world, truth) = (World::new(1, 2), Arc::new(AtomicUsize::new(0)));
        let fillers = [1, 2].map(|_| {
            let truth = Arc::clone(&truth);
            spawn(&world, move |world| fill(&world.store, &truth))
        });
        let others = spawn(&world, |world| {
            take_back(&world.store, Taken::RemoveTag, 0);
            take_back(&world.store, Taken::Clear, 0);
            world.insert(2);
        });
        let tickets = join_all(fillers);
        others.join().unwrap();
        for ticket in tickets {
            assert!(!world.store.is_valid(ticket, &[1], &[TAG]));
        }
        take_back(&world.store, Taken::Remove, 0);
        take_back(&world.store, Taken::RemoveTag, 0);
        assert!(!world.store.is_spoiled(&[1], &[TAG]));
        world.store.validate().unwrap();
    });
}
