//! What was tried on the way: the shipped policy with parts taken out, and with its constants turned.

use crate::variant::{Comebacks, Knobs};

/// A name, and what it changes.
type Change = (&'static str, fn(&mut Knobs));

/// Takes S3-FIFO's frame as the paper has it.
fn bare(knobs: &mut Knobs) {
    taking_in(knobs);
    knobs.take_in = false;

    knobs.rejected = 0.9;
}

fn taking_in(knobs: &mut Knobs) {
    duelling(knobs);
    knobs.duel = false;
}

fn duelling(knobs: &mut Knobs) {
    balanced(knobs);
    knobs.step = 0.0;
}

fn balanced(knobs: &mut Knobs) {
    hinted(knobs);
    knobs.hint = 0.0;
}

fn hinted(knobs: &mut Knobs) {
    knobs.comebacks = Comebacks::Welcome;
    without_rounds(knobs);
}

fn without_rounds(knobs: &mut Knobs) {
    knobs.another_round = false;
    knobs.promote_at = 2;
}

/// From S3-FIFO's frame to what ships, a part at a time; then the shipped policy without each.
const PARTS: &[Change] = &[
    ("S3-FIFO's frame", bare),
    ("+ main takes in all until it has its share", taking_in),
    ("+ the duel", duelling),
    ("+ the balance", balanced),
    ("+ hints", hinted),
    ("+ another round", |k| k.comebacks = Comebacks::Welcome),
    ("+ the verdict on comebacks: as shipped", |_| ()),
    ("without taking in", |k| k.take_in = false),
    ("without reviews", |k| k.reviewed_every = 0),
    ("without the duel", |k| k.duel = false),
    ("without the balance", |k| k.step = 0.0),
    ("without hints", |k| k.hint = 0.0),
    ("without another round", without_rounds),
    ("comebacks always welcome", |k| {
        k.comebacks = Comebacks::Welcome;
    }),
    ("comebacks like any other", |k| {
        k.comebacks = Comebacks::Unknown;
    }),
];

/// Each constant turned down and up.
const CONSTANTS: &[Change] = &[
    ("as shipped", |_| ()),
    ("small begins at 5%", |k| k.small = 0.05),
    ("small begins at 20%", |k| k.small = 0.2),
    ("margin 5%", |k| k.margin = 0.05),
    ("margin 20%", |k| k.margin = 0.2),
    ("steps half as long", |k| k.step = 0.5),
    ("steps twice as long", |k| k.step = 2.0),
    ("steps of equal length", |k| k.longest = 1.0),
    ("steps up to 8", |k| k.longest = 8.0),
    ("hints of 1/32", |k| k.hint = 0.03125),
    ("hints of 1/8", |k| k.hint = 0.125),
    ("ghost of half as many", |k| k.rejected = 0.5),
    ("ghosts of twice as many", |k| {
        (k.rejected, k.dethroned) = (2.0, 0.5);
    }),
    ("main's ghost of half as many", |k| k.dethroned = 0.125),
    ("main's ghost of four times as many", |k| k.dethroned = 1.0),
    ("ties go to the candidate", |k| k.lead = 0),
    ("a lead of 2 to win", |k| k.lead = 2),
    ("a review of 4 rejected", |k| k.reviewed_every = 4),
    ("a review of 16 rejected", |k| k.reviewed_every = 16),
    ("promote at 2", |k| k.promote_at = 2),
    ("promote at 1", |k| k.promote_at = 1),
    ("counts up to 1", |k| {
        (k.most_frequent, k.promote_at) = (1, 1);
    }),
    ("counts up to 7", |k| k.most_frequent = 7),
    ("half as many keys counted", |k| k.counted = 1.875),
    ("four times as many keys counted", |k| k.counted = 15.0),
    ("halved after 10", |k| k.halved_after = 10.0),
    ("halved after 40", |k| k.halved_after = 40.0),
];

fn apply(changes: &[Change]) -> Vec<(&'static str, Knobs)> {
    let apply = |&(name, change): &Change| {
        let mut knobs = Knobs::SHIPPED;
        change(&mut knobs);
        (name, knobs)
    };
    changes.iter().map(apply).collect()
}

pub(crate) fn parts() -> Vec<(&'static str, Knobs)> {
    apply(PARTS)
}

pub(crate) fn constants() -> Vec<(&'static str, Knobs)> {
    apply(CONSTANTS)
}
