//! What was tried on the way: the shipped policy with parts taken out, and with its constants turned.

use crate::knobs::{Comebacks, Knobs};

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
    judged(knobs);
    knobs.comebacks = Comebacks::Welcome;
}

fn judged(knobs: &mut Knobs) {
    going_round(knobs);
    knobs.another_round = false;
    knobs.promote_at = 2;
}

fn going_round(knobs: &mut Knobs) {
    following(knobs);
    (knobs.large, knobs.cliff, knobs.same) = (f64::INFINITY, 0.0, 0.0);
}

fn following(knobs: &mut Knobs) {
    knobs.recency = 1.0;
}

/// From S3-FIFO's frame to what ships, a part at a time; then the shipped policy without each.
const PARTS: &[Change] = &[
    ("S3-FIFO's frame", bare),
    ("+ main takes in all until it has its share", taking_in),
    ("+ the duel", duelling),
    ("+ the balance", balanced),
    ("+ hints", hinted),
    ("+ the verdict on comebacks", judged),
    ("+ another round", going_round),
    ("+ trends that tell streams and cliffs apart", following),
    ("+ where recency is favoured: as shipped", |_| ()),
    ("without taking in", |k| k.take_in = false),
    ("without reviews", |k| k.reviewed_every = 0),
    ("without the duel", |k| k.duel = false),
    ("without the balance", |k| k.step = 0.0),
    ("without hints", |k| k.hint = 0.0),
    ("without longer steps in large stores", |k| {
        k.large = f64::INFINITY;
    }),
    ("without telling streams", |k| k.same = 0.0),
    ("without telling cliffs", |k| k.cliff = 0.0),
    ("promoted at 2, without another round", |k| {
        (k.another_round, k.promote_at) = (false, 2);
    }),
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
    ("a step back takes 1", |k| k.against = 1.0),
    ("a step back takes 4", |k| k.against = 4.0),
    ("large is 500", |k| k.large = 500.0),
    ("large is 2,000", |k| k.large = 2_000.0),
    ("the same age within 1/128", |k| k.same = 1.0 / 128.0),
    ("the same age within 1/32", |k| k.same = 1.0 / 32.0),
    ("from far takes 1/4", |k| k.cliff = 0.25),
    ("from far takes 1", |k| k.cliff = 1.0),
    ("recency above 20%", |k| k.recency = 0.2),
    ("recency above 50%", |k| k.recency = 0.5),
    ("no earlier visits", |k| k.earlier = 0),
    ("2 earlier visits", |k| k.earlier = 2),
    ("hints of 1/16", |k| k.hint = 0.0625),
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
    ("promote at 3", |k| k.promote_at = 3),
    ("promote at 1", |k| k.promote_at = 1),
    ("counts up to 1", |k| k.most_frequent = 1),
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
