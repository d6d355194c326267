//! The shipped policy again, with its parts to be taken out and its constants to be turned.
//!
//! It keeps what is remembered in plain arrays by key instead of tables of fingerprints, so that nothing is
//! forgotten early: by how much it differs from the shipped one is what those tables cost.

use crate::counts::Counts;
use crate::knobs::{Comebacks, Knobs};
use crate::lists::{Lists, NOWHERE};
use crate::load::Random;
use crate::rivals::Cache;

const SMALL: u8 = 0;
const MAIN: u8 = 1;
const MOST_PASSED_OVER: usize = 16;
/// Entries that one insertion moves on from a small queue that is too long.
const MOST_TAKEN_IN: usize = 2;
const SAMPLE: u64 = 8;

/// What is known of a key, held or not.
#[derive(Copy, Clone)]
struct Known {
    hash: u64,
    frequency: u8,
    on_trial: bool,
    /// Taken in by main, and not used since.
    unproven: bool,
    /// The reading of the clock of evictions from each queue when it went, plus 1; 0 if not remembered.
    rejected_at: u64,
    dethroned_at: u64,
    /// Whether it went for one of the sample.
    for_sample: bool,
}

pub(crate) struct Variant {
    knobs: Knobs,
    capacity: f64,
    lists: Lists<2>,
    known: Vec<Known>,
    counts: Counts,
    rejections: u64,
    dethronements: u64,
    target: f64,
    trend: f64,
    /// The ages of the last that moved the share by a step, towards main and towards the small queue.
    last: [f64; 2],
    score: f64,
    owed: u32,
    unreviewed: u32,
}

impl Variant {
    pub(crate) fn new(knobs: &Knobs, capacity: usize, keys: usize) -> Self {
        let mut random = Random::new(1);
        let known = || Known {
            hash: random.next(),
            frequency: 0,
            on_trial: false,
            unproven: false,
            rejected_at: 0,
            dethroned_at: 0,
            for_sample: false,
        };
        let part = capacity as f64;
        Self {
            capacity: part,
            lists: Lists::new(keys),
            known: std::iter::repeat_with(known).take(keys).collect(),
            counts: Counts::tagged(capacity, knobs.counted, knobs.halved_after),
            rejections: 0,
            dethronements: 0,
            target: part * knobs.small,
            trend: 0.0,
            last: [f64::INFINITY; 2],
            score: f64::INFINITY,
            owed: 0,
            unreviewed: 0,
            knobs: knobs.clone(),
        }
    }

    fn known(&mut self, key: u32) -> &mut Known {
        &mut self.known[key as usize]
    }

    /// What a miss teaches. True if the small queue gave the key up lately.
    fn learn(&mut self, key: u32) -> bool {
        let Known {
            rejected_at,
            dethroned_at,
            for_sample,
            ..
        } = *self.known(key);
        (self.known(key).rejected_at, self.known(key).dethroned_at) = (0, 0);
        let age = |at: u64, now: u64| (at > 0).then(|| (now + 1 - at) as f64 / self.capacity);
        let dethroned =
            age(dethroned_at, self.dethronements).filter(|&age| age <= self.knobs.dethroned);
        let rejected = age(rejected_at, self.rejections).filter(|&age| age <= self.knobs.rejected);
        if let Some(age) = dethroned {
            let hint = self.knobs.hint * self.knobs.rejected / self.knobs.dethroned;
            self.shift(false, age, hint);
            if for_sample {
                self.score = (self.score.min(self.limit()) - 2.0).max(-self.limit());
            }
        }
        if let Some(age) = rejected {
            let hint = if self.are_welcome() {
                self.knobs.hint
            } else {
                0.0
            };
            self.shift(true, age, hint);
        }
        rejected.is_some()
    }

    fn are_welcome(&self) -> bool {
        self.score > 0.0
    }

    fn limit(&self) -> f64 {
        (self.capacity / 5.0).max(8.0)
    }

    /// Moves the share: up, towards the small queue, or down.
    fn shift(&mut self, up: bool, age: f64, hint: f64) {
        let (knobs, sign) = (&self.knobs, if up { 1.0 } else { -1.0 });
        let mut change = hint;
        if age <= knobs.margin {
            change = 1.0;
            let last = std::mem::replace(&mut self.last[usize::from(up)], age);
            if (age - last).abs() >= knobs.same {
                let most = 1.0 + (knobs.longest - 1.0) / knobs.longer;
                let trend = self.trend * sign;
                let back = if trend < 0.0 { knobs.against } else { 1.0 };
                let end = if trend < 0.0 { 1.0 } else { most };
                let trend = (trend + back).min(end);
                self.trend = trend * sign;
                let large = (self.capacity / knobs.large).min(if up { 10.0 } else { 0.0 });
                change += (trend - 1.0).max(0.0) * knobs.longer * (1.0 + large);
            }
        } else if up && self.trend > 0.0 {
            self.trend = (self.trend - knobs.cliff).max(0.0);
        }
        let target = self.target + sign * change * knobs.step;
        self.target = target.clamp(self.capacity * 0.01, self.capacity * 0.9);
    }

    fn favours_recency(&self) -> bool {
        self.target > self.capacity * self.knobs.recency
    }

    fn count(&mut self, key: u32, visits: u8) {
        let hash = self.known(key).hash;
        self.counts.add(hash, u32::from(visits));
    }

    fn promote(&mut self, key: u32) {
        let accesses = std::mem::take(&mut self.known(key).frequency);
        self.count(key, accesses + 1);
        self.known(key).unproven = false;
        self.lists.shift(MAIN, key);
    }

    fn reject(&mut self, key: u32) {
        let accesses = self.known(key).frequency;
        self.count(key, accesses + 1);
        self.rejections += 1;
        self.unreviewed += 1;
        self.known(key).rejected_at = self.rejections;
        self.lists.unlink(key);
    }

    fn dethrone(&mut self, key: u32, for_sample: bool) {
        self.dethronements += 1;
        let at = self.dethronements;
        let known = self.known(key);
        (known.dethroned_at, known.for_sample, known.on_trial) = (at, for_sample, false);
        self.lists.unlink(key);
    }

    fn second_chance(&mut self, key: u32) -> bool {
        let is_last = self.favours_recency();
        let known = self.known(key);
        if known.frequency == 0 {
            return false;
        }
        known.frequency = if is_last { 0 } else { known.frequency - 1 };
        known.unproven = false;
        if std::mem::take(&mut known.on_trial) {
            self.score = (self.score.min(self.limit()) + 1.0).min(self.limit());
        }
        self.count(key, 1);
        self.lists.shift(MAIN, key);
        true
    }

    fn evict(&mut self) {
        for _ in 0..MOST_PASSED_OVER {
            if self.judge() {
                return;
            }
        }
        let newest = self.lists.tail(SMALL);
        let unused = newest.filter(|&key| self.known[key as usize].frequency == 0);
        match unused.or(self.lists.head(SMALL)) {
            Some(key) => self.reject(key),
            None => self.dethrone(self.lists.head(MAIN).unwrap_or(0), false),
        }
    }

    /// The small queue's length at which it is full.
    fn small_target(&self) -> usize {
        let population = self.lists.len(SMALL) + self.lists.len(MAIN);
        ((self.target / self.capacity * population as f64) as usize).max(1)
    }

    /// Whether an entry has left.
    fn judge(&mut self) -> bool {
        let is_full = self.lists.len(SMALL) >= self.small_target();
        let Some(candidate) = self.lists.head(SMALL).filter(|_| is_full) else {
            return self.judge_main();
        };
        let frequency = self.known(candidate).frequency;
        let hash = self.known(candidate).hash;
        let is_known = self.counts.get(hash) >= self.knobs.earlier;
        if frequency >= self.knobs.promote_at || frequency > 0 && is_known && self.favours_recency()
        {
            self.promote(candidate);
            return false;
        }
        if frequency > 0 && self.knobs.another_round {
            self.known(candidate).frequency = 0;
            self.count(candidate, frequency);
            self.lists.shift(SMALL, candidate);
            return false;
        }
        if self.knobs.duel {
            return self.duel(candidate);
        }
        self.reject(candidate);
        true
    }

    fn take_in(&mut self) {
        for _ in 0..MOST_TAKEN_IN {
            let is_long = self.knobs.take_in && self.lists.len(SMALL) > self.small_target();
            let Some(key) = self.lists.head(SMALL).filter(|_| is_long) else {
                return;
            };
            self.count(key, 1);
            self.known(key).unproven = true;
            self.lists.shift(MAIN, key);
        }
    }

    fn judge_main(&mut self) -> bool {
        let Some(key) = self.lists.head(MAIN) else {
            return false;
        };
        if self.second_chance(key) {
            return false;
        }
        let for_sample = self.owed > 0;
        self.owed -= u32::from(for_sample);
        self.dethrone(key, for_sample);
        true
    }

    fn duel(&mut self, candidate: u32) -> bool {
        let Known {
            hash, frequency, ..
        } = self.known[candidate as usize];
        let visits = self.counts.get(hash) + u32::from(frequency);
        let Some(champion) = self.lists.head(MAIN) else {
            self.reject(candidate);
            return true;
        };
        if self.review(champion) {
            self.promote(candidate);
            self.known(candidate).unproven = true;
            self.dethrone(champion, false);
            return true;
        }
        if visits < self.knobs.lead {
            self.reject(candidate);
            return true;
        }
        if self.second_chance(champion) {
            return false;
        }
        if visits < self.counts.get(self.known[champion as usize].hash) + self.knobs.lead {
            self.reject(candidate);
        } else {
            self.promote(candidate);
            self.dethrone(champion, false);
        }
        true
    }

    fn review(&mut self, champion: u32) -> bool {
        if self.knobs.reviewed_every == 0 || self.unreviewed < self.knobs.reviewed_every {
            return false;
        }
        self.unreviewed = 0;
        let Known {
            unproven,
            frequency,
            ..
        } = self.known[champion as usize];
        unproven && frequency == 0
    }

    fn insert(&mut self, key: u32) {
        let known = self.learn(key);
        let is_sample = (self.known(key).hash >> 29).is_multiple_of(SAMPLE);
        let welcome = match self.knobs.comebacks {
            Comebacks::Welcome => true,
            Comebacks::Unknown => false,
            Comebacks::Learned => is_sample || self.are_welcome(),
        };
        self.known(key).frequency = 0;
        if !(known && welcome) {
            self.lists.push(SMALL, key);
            self.take_in();
            return;
        }
        self.known(key).on_trial = is_sample;
        self.known(key).unproven = false;
        self.owed += u32::from(is_sample);
        self.count(key, 1);
        self.lists.push(MAIN, key);
    }
}

impl Cache for Variant {
    fn request(&mut self, key: u32) -> bool {
        if self.lists.list(key) != NOWHERE {
            let most = self.knobs.most_frequent;
            let frequency = &mut self.known(key).frequency;
            *frequency = (*frequency + 1).min(most);
            return true;
        }
        if (self.lists.len(SMALL) + self.lists.len(MAIN)) as f64 >= self.capacity {
            self.evict();
        }
        self.insert(key);
        false
    }
}
