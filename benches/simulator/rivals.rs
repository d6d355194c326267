//! The policies to compare with, each as its paper has it.

use crate::lists::Lists;

/// A cache that serves a request, cache-aside: what is missing is stored.
pub(crate) trait Cache {
    /// Whether it was a hit.
    fn request(&mut self, key: u32) -> bool;
}

/// First in, first out; with `TOUCH` least recently used.
pub(crate) struct Queue<const TOUCH: bool> {
    lists: Lists<1>,
    capacity: usize,
}

impl<const TOUCH: bool> Queue<TOUCH> {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            lists: Lists::new(keys),
            capacity,
        }
    }
}

impl<const TOUCH: bool> Cache for Queue<TOUCH> {
    fn request(&mut self, key: u32) -> bool {
        if self.lists.list(key) == 0 {
            if TOUCH {
                self.lists.shift(0, key);
            }
            return true;
        }
        if self.lists.len(0) == self.capacity {
            self.lists.pop(0);
        }
        self.lists.push(0, key);
        false
    }
}

/// Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is simpler than LRU", NSDI 2024.
pub(crate) struct Sieve {
    lists: Lists<1>,
    visited: Vec<bool>,
    hand: Option<u32>,
    capacity: usize,
}

impl Sieve {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            lists: Lists::new(keys),
            visited: vec![false; keys],
            hand: None,
            capacity,
        }
    }

    fn evict(&mut self) {
        let mut at = self.hand.or(self.lists.head(0)).unwrap_or(0);
        while std::mem::take(&mut self.visited[at as usize]) {
            at = self.lists.newer(at).or(self.lists.head(0)).unwrap_or(0);
        }
        self.hand = self.lists.newer(at);
        self.lists.unlink(at);
    }
}

impl Cache for Sieve {
    fn request(&mut self, key: u32) -> bool {
        if self.lists.list(key) == 0 {
            self.visited[key as usize] = true;
            return true;
        }
        if self.lists.len(0) == self.capacity {
            self.evict();
        }
        self.visited[key as usize] = false;
        self.lists.push(0, key);
        false
    }
}

const SMALL: u8 = 0;
const MAIN: u8 = 1;
const GHOST: u8 = 2;

/// Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
pub(crate) struct S3Fifo {
    lists: Lists<3>,
    frequency: Vec<u8>,
    capacity: usize,
    small: usize,
    promote_at: u8,
}

impl S3Fifo {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        let small = (capacity / 10).max(1);
        Self {
            lists: Lists::new(keys),
            frequency: vec![0; keys],
            capacity,
            small,
            promote_at: 2,
        }
    }

    fn evict(&mut self) {
        loop {
            let main_is_full = self.lists.len(MAIN) > self.capacity - self.small;
            if self.lists.len(SMALL) > 0 && !main_is_full {
                let Some(key) = self.lists.pop(SMALL) else {
                    return;
                };
                if self.frequency[key as usize] >= self.promote_at {
                    self.frequency[key as usize] = 0;
                    self.lists.push(MAIN, key);
                    continue;
                }
                self.lists.push(GHOST, key);
                if self.lists.len(GHOST) > self.capacity - self.small {
                    self.lists.pop(GHOST);
                }
                return;
            }
            let Some(key) = self.lists.pop(MAIN) else {
                return;
            };
            if self.frequency[key as usize] == 0 {
                return;
            }
            self.frequency[key as usize] -= 1;
            self.lists.push(MAIN, key);
        }
    }
}

impl Cache for S3Fifo {
    fn request(&mut self, key: u32) -> bool {
        if self.lists.list(key) < GHOST {
            let frequency = &mut self.frequency[key as usize];
            *frequency = (*frequency + 1).min(3);
            return true;
        }
        if self.lists.len(SMALL) + self.lists.len(MAIN) == self.capacity {
            self.evict();
        }
        let known = self.lists.list(key) == GHOST;
        if known {
            self.lists.unlink(key);
        }
        self.frequency[key as usize] = 0;
        self.lists.push(if known { MAIN } else { SMALL }, key);
        false
    }
}

/// Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003.
pub(crate) struct Arc {
    lists: Lists<4>,
    capacity: usize,
    target: usize,
}

const T1: u8 = 0;
const T2: u8 = 1;
const B1: u8 = 2;
const B2: u8 = 3;

impl Arc {
    pub(crate) fn new(capacity: usize, keys: usize) -> Self {
        Self {
            lists: Lists::new(keys),
            capacity,
            target: 0,
        }
    }

    fn replace(&mut self, in_b2: bool) {
        let t1 = self.lists.len(T1);
        let from_t1 = t1 > 0 && (t1 > self.target || (in_b2 && t1 == self.target));
        let (from, to) = if from_t1 || self.lists.len(T2) == 0 {
            (T1, B1)
        } else {
            (T2, B2)
        };
        if let Some(key) = self.lists.pop(from) {
            self.lists.push(to, key);
        }
    }

    fn adapt(&mut self, list: u8) {
        let (b1, b2) = (self.lists.len(B1).max(1), self.lists.len(B2).max(1));
        self.target = if list == B1 {
            (self.target + (b2 / b1).max(1)).min(self.capacity)
        } else {
            self.target.saturating_sub((b1 / b2).max(1))
        };
    }

    fn make_room(&mut self) {
        let l1 = self.lists.len(T1) + self.lists.len(B1);
        if l1 == self.capacity {
            if self.lists.len(T1) < self.capacity {
                self.lists.pop(B1);
                self.replace(false);
            } else {
                self.lists.pop(T1);
            }
            return;
        }
        let all = l1 + self.lists.len(T2) + self.lists.len(B2);
        if all >= self.capacity {
            if all == 2 * self.capacity {
                self.lists.pop(B2);
            }
            self.replace(false);
        }
    }
}

impl Cache for Arc {
    fn request(&mut self, key: u32) -> bool {
        match self.lists.list(key) {
            T1 | T2 => {
                self.lists.shift(T2, key);
                true
            }
            list @ (B1 | B2) => {
                self.adapt(list);
                self.replace(list == B2);
                self.lists.shift(T2, key);
                false
            }
            _ => {
                self.make_room();
                self.lists.push(T1, key);
                false
            }
        }
    }
}
