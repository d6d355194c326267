//! S3-FIFO: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction",
//! SOSP 2023.
//!
//! New keys enter a *small* queue, a tenth of the capacity. Whoever reaches its end having been
//! accessed twice or more is promoted into the *main* queue; the others are evicted and leave a
//! fingerprint in the *ghost*. A key that comes back while the ghost remembers it enters main at
//! once. Main is a FIFO with second chances: an entry at its end goes round again for each access it
//! has saved up (three at most). A hit therefore moves nothing: it raises a two-bit count.
//!
//! Good for skewed traffic with many keys that are asked for once (the web's). Bad where the same
//! keys come round in a loop longer than the cache, and in long scans that are repeated: nothing is
//! accessed twice before it leaves, and it does as badly as LRU. Also slow to drop what was hot in
//! the past.

use super::super::entry::{Entry, POLICY};
use super::super::slab::{Queue, Slab};
use super::ghost::Ghost;

/// The values of `Entry::queue`.
const SMALL: u8 = 0;
const MAIN: u8 = 1;

/// A count of accesses stops here (2 bits in the paper).
const MOST_FREQUENT: u8 = 3;
/// Accesses in the small queue that earn a place in main.
const PROMOTE_AT: u8 = 2;
/// The small queue's part of the capacity: one in 10.
const SMALL_PART: usize = 10;
/// Entries that one eviction passes over before it falls back. Promotions and second chances are each
/// paid for by an access, so 1 or 2 is usual and only the worst case is bounded by this. The paper
/// has no bound.
const MOST_PASSED_OVER: usize = 16;

/// The policy; see the module.
#[derive(Debug)]
pub(in super::super) struct S3Fifo {
    small: Queue<POLICY>,
    main: Queue<POLICY>,
    ghost: Ghost,
    /// Main is asked for a victim when it is longer than this.
    main_target: usize,
}

impl S3Fifo {
    /// A policy for `capacity` entries (`usize::MAX`: it is never asked for a victim).
    pub(in super::super) fn new(capacity: usize) -> Self {
        let main_target = main_target(capacity);
        let ghost = Ghost::new(main_target);
        Self {
            small: Queue::new(),
            main: Queue::new(),
            ghost,
            main_target,
        }
    }

    pub(in super::super) fn set_capacity(&mut self, capacity: usize) {
        self.main_target = main_target(capacity);
        self.ghost.set_capacity(self.main_target);
    }

    /// A key new to the shard came in.
    pub(in super::super) fn insert<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let entry = slab.entry_mut(token);
        entry.frequency = 0;
        if self.ghost.take(entry.hash) {
            self.append_to_main(slab, token);
        } else {
            entry.queue = SMALL;
            self.small.push_back(slab, token);
        }
    }

    /// A key was read, or was given a new value.
    #[inline]
    pub(in super::super) fn access<V>(entry: &mut Entry<V>) {
        // No write where nothing changes: the line stays clean.
        if entry.frequency < MOST_FREQUENT {
            entry.frequency += 1;
        }
    }

    /// An entry leaves, for whatever cause.
    pub(in super::super) fn remove<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        if slab.entry(token).queue == MAIN {
            self.main.unlink(slab, token);
        } else {
            self.small.unlink(slab, token);
        }
    }

    /// The entry to go next.
    pub(in super::super) fn victim<V>(&mut self, slab: &mut Slab<V>) -> Option<u32> {
        for _ in 0..MOST_PASSED_OVER {
            let token = self.candidate()?;
            if !self.pass_over(slab, token) {
                self.remember(slab.entry(token));
                return Some(token);
            }
        }
        let token = self.fallback(slab)?;
        self.remember(slab.entry(token));
        Some(token)
    }

    /// After a row of entries in good use: the newest of the small queue, unless it has been accessed
    /// already (should it come back, the ghost will know it), else whoever is next.
    fn fallback<V>(&self, slab: &Slab<V>) -> Option<u32> {
        let newest = self.small.tail();
        let unused = newest.filter(|&token| slab.entry(token).frequency == 0);
        unused.or_else(|| self.candidate())
    }

    /// The oldest entry of the queue that is longer than it should be.
    fn candidate(&self) -> Option<u32> {
        if self.main.len() > self.main_target {
            return self.main.head();
        }
        self.small.head().or(self.main.head())
    }

    /// Gives an entry another round in main if it has earned that.
    fn pass_over<V>(&mut self, slab: &mut Slab<V>, token: u32) -> bool {
        let entry = slab.entry_mut(token);
        let in_main = entry.queue == MAIN;
        if entry.frequency < if in_main { 1 } else { PROMOTE_AT } {
            return false;
        }
        if in_main {
            entry.frequency -= 1;
            self.main.unlink(slab, token);
        } else {
            entry.frequency = 0;
            self.small.unlink(slab, token);
        }
        self.append_to_main(slab, token);
        true
    }

    fn append_to_main<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        slab.entry_mut(token).queue = MAIN;
        self.main.push_back(slab, token);
    }

    /// The ghost remembers what left the small queue only: main's victims had their chance.
    fn remember<V>(&mut self, entry: &Entry<V>) {
        if entry.queue == SMALL {
            self.ghost.record(entry.hash);
        }
    }

    /// Recomputes every invariant.
    pub(in super::super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        for (queue, name) in [(&self.small, SMALL), (&self.main, MAIN)] {
            queue.validate(slab, |entry| {
                if entry.queue == name && entry.frequency <= MOST_FREQUENT {
                    return Ok(());
                }
                Err(format!("entry of queue {} in queue {name}", entry.queue))
            })?;
        }
        let queued = self.small.len() + self.main.len();
        if queued != slab.len() {
            return Err(format!("policy holds {queued} of {} entries", slab.len()));
        }
        if self.ghost.is_bounded() {
            Ok(())
        } else {
            Err("the ghost is too large".to_owned())
        }
    }
}

/// What the small queue leaves of the capacity.
fn main_target(capacity: usize) -> usize {
    capacity - (capacity / SMALL_PART).max(1).min(capacity)
}

#[cfg(test)]
mod tests {
    use super::super::super::entry::Lifetime;
    use super::super::super::slab::tests::entry;
    use super::*;

    fn add(policy: &mut S3Fifo, slab: &mut Slab<u32>, value: u32) -> u32 {
        let mut new = entry(value, Lifetime::NEVER);
        new.hash = u64::from(value) << 32;
        let token = slab.insert(new);
        policy.insert(slab, token);
        token
    }

    fn evict(policy: &mut S3Fifo, slab: &mut Slab<u32>) -> u32 {
        let token = policy.victim(slab).expect("a victim");
        policy.remove(slab, token);
        let value = slab.remove(token).value;
        policy.validate(slab).expect("a sound policy");
        value
    }

    #[test]
    fn two_accesses_promote_and_one_does_not() {
        let (mut policy, mut slab) = (S3Fifo::new(10), Slab::new());
        let tokens: Vec<_> = (0..3).map(|v| add(&mut policy, &mut slab, v)).collect();
        S3Fifo::access(slab.entry_mut(tokens[0]));
        S3Fifo::access(slab.entry_mut(tokens[0]));
        S3Fifo::access(slab.entry_mut(tokens[1]));
        assert_eq!(evict(&mut policy, &mut slab), 1);
        assert_eq!(evict(&mut policy, &mut slab), 2);
        assert_eq!(slab.entry(tokens[0]).queue, MAIN);
        assert_eq!(evict(&mut policy, &mut slab), 0);
        assert_eq!(policy.victim(&mut slab), None);
    }

    #[test]
    fn whoever_comes_back_soon_enters_main() {
        let (mut policy, mut slab) = (S3Fifo::new(10), Slab::new());
        add(&mut policy, &mut slab, 7);
        assert_eq!(evict(&mut policy, &mut slab), 7);
        let token = add(&mut policy, &mut slab, 7);
        assert_eq!(slab.entry(token).queue, MAIN);
        assert_eq!(evict(&mut policy, &mut slab), 7);
        let token = add(&mut policy, &mut slab, 7);
        assert_eq!(slab.entry(token).queue, SMALL);
    }

    #[test]
    fn accesses_saturate() {
        let mut accessed = entry(0, Lifetime::NEVER);
        (0..300).for_each(|_| S3Fifo::access(&mut accessed));
        assert_eq!(accessed.frequency, MOST_FREQUENT);
    }

    fn add_accessed(policy: &mut S3Fifo, slab: &mut Slab<u32>, values: std::ops::Range<u32>) {
        for value in values {
            let token = add(policy, slab, value);
            slab.entry_mut(token).frequency = MOST_FREQUENT;
        }
    }

    #[test]
    fn an_eviction_passes_over_a_bounded_number() {
        let (mut policy, mut slab) = (S3Fifo::new(100), Slab::new());
        add_accessed(&mut policy, &mut slab, 0..100);
        assert_eq!(evict(&mut policy, &mut slab), 16);
        assert_eq!(policy.main.len(), MOST_PASSED_OVER);
    }

    #[test]
    fn a_long_row_in_good_use_stays_if_the_newest_has_no_use_yet() {
        let (mut policy, mut slab) = (S3Fifo::new(100), Slab::new());
        add_accessed(&mut policy, &mut slab, 0..99);
        add(&mut policy, &mut slab, 99);
        assert_eq!(evict(&mut policy, &mut slab), 99);
        let token = add(&mut policy, &mut slab, 99);
        assert_eq!(slab.entry(token).queue, MAIN);
    }

    #[test]
    fn targets_leave_room_for_both_queues() {
        let targets = [1, 2, 10, 500, 1_000_000].map(main_target);
        assert_eq!(targets, [0, 1, 9, 450, 900_000]);
    }
}
