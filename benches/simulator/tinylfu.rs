//! TinyLFU, with a window before it and without.

use crate::counts::Counts;
use crate::lists::{Lists, NOWHERE};
use crate::load::Random;
use crate::rivals::Cache;

const WINDOW: u8 = 0;
const PROBATION: u8 = 1;
const PROTECTED: u8 = 2;

fn hash(key: u32) -> u64 {
    Random::new(key.into()).next()
}

/// Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", Transactions on Storage
/// 2017. The window climbs by hit ratio if `climbing`: Einziger, Eytan, Friedman and Manes, "Adaptive software
/// cache management", Middleware 2018.
pub(crate) struct WTinyLfu {
    lists: Lists<3>,
    counts: Counts,
    capacity: usize,
    window: usize,
    climber: Option<Climber>,
}

struct Climber {
    step: f64,
    hits: usize,
    requests: usize,
    last: f64,
}

impl WTinyLfu {
    pub(crate) fn new(capacity: usize, keys: usize, climbing: bool) -> Self {
        let step = -0.0625 * capacity as f64;
        let climber = climbing.then_some(Climber {
            step,
            hits: 0,
            requests: 0,
            last: 0.0,
        });
        let window = (capacity / 100).max(1);
        Self {
            lists: Lists::new(keys),
            counts: Counts::sketch(capacity),
            capacity,
            window,
            climber,
        }
    }

    fn climb(&mut self, hit: bool) {
        let capacity = self.capacity;
        let Some(climber) = &mut self.climber else {
            return;
        };
        climber.hits += usize::from(hit);
        climber.requests += 1;
        if climber.requests < capacity * 10 {
            return;
        }
        let ratio = climber.hits as f64 / climber.requests as f64;
        let change = ratio - climber.last;
        let amount = if change >= 0.0 {
            climber.step
        } else {
            -climber.step
        };
        let restart = if amount >= 0.0 { 0.0625 } else { -0.0625 } * capacity as f64;
        climber.step = if change.abs() >= 0.05 {
            restart
        } else {
            amount * 0.98
        };
        (climber.last, climber.hits, climber.requests) = (ratio, 0, 0);
        let window = (self.window as f64 + amount).round();
        self.window = (window.max(1.0) as usize).min(capacity * 8 / 10);
    }

    fn rebalance(&mut self) {
        while self.lists.len(PROTECTED) > (self.capacity - self.window) * 8 / 10 {
            let Some(key) = self.lists.pop(PROTECTED) else {
                return;
            };
            self.lists.push(PROBATION, key);
        }
    }

    fn evict(&mut self) {
        while self.lists.len(WINDOW) > self.window {
            let Some(key) = self.lists.pop(WINDOW) else {
                return;
            };
            self.lists.push(PROBATION, key);
        }
        let all: usize = (0..3).map(|list| self.lists.len(list)).sum();
        if all <= self.capacity {
            return;
        }
        let (Some(victim), Some(candidate)) =
            (self.lists.head(PROBATION), self.lists.tail(PROBATION))
        else {
            let list = if self.lists.len(PROTECTED) > 0 {
                PROTECTED
            } else {
                WINDOW
            };
            self.lists.pop(list);
            return;
        };
        let admit = self.counts.get(hash(candidate)) > self.counts.get(hash(victim));
        self.lists.unlink(if admit { victim } else { candidate });
    }
}

impl Cache for WTinyLfu {
    fn request(&mut self, key: u32) -> bool {
        self.counts.add(hash(key), 1);
        let list = self.lists.list(key);
        self.climb(list != NOWHERE);
        match list {
            NOWHERE => {
                self.lists.push(WINDOW, key);
                self.evict();
                return false;
            }
            WINDOW => self.lists.shift(WINDOW, key),
            _ => self.lists.shift(PROTECTED, key),
        }
        self.rebalance();
        true
    }
}

/// TinyLFU with no window: what comes in must be asked for more often than the least recently used.
pub(crate) struct TinyLfu {
    lists: Lists<1>,
    counts: Counts,
    capacity: usize,
}

impl TinyLfu {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            lists: Lists::new(keys),
            counts: Counts::sketch(capacity),
            capacity,
        }
    }
}

impl Cache for TinyLfu {
    fn request(&mut self, key: u32) -> bool {
        self.counts.add(hash(key), 1);
        if self.lists.list(key) == 0 {
            self.lists.shift(0, key);
            return true;
        }
        if self.lists.len(0) == self.capacity {
            let victim = self.lists.head(0).unwrap_or(key);
            if self.counts.get(hash(key)) <= self.counts.get(hash(victim)) {
                return false;
            }
            self.lists.unlink(victim);
        }
        self.lists.push(0, key);
        false
    }
}
