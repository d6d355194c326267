//! Memory of keys that were evicted lately: fingerprints, in a table of fixed-size buckets.

/// Slots per bucket: 8 of 8 bytes fill a cache line, so that a look-up costs one miss.
const SLOTS: usize = 8;
/// Slots meant to be in use per bucket. At half load 1 bucket in 50 overflows and forgets its oldest
/// fingerprint early, which the policy can bear.
const LOAD: usize = SLOTS / 2;
/// The most fingerprints remembered: ages, counted in `u32`, must never be mistaken for one another.
const MOST: usize = 1 << 30;

#[derive(Copy, Clone, Debug)]
struct Record {
    fingerprint: u32,
    /// The clock's reading when it was recorded.
    at: u32,
}

/// The `capacity` keys recorded last, give or take bucket overflows and equal fingerprints.
///
/// The clock counts records, so that age is a subtraction and forgetting costs nothing. The table
/// grows with use: a cache that never evicts has none. Memory: at most 16 bytes per key remembered.
#[derive(Debug)]
pub(super) struct Ghost {
    buckets: Vec<[Record; SLOTS]>,
    capacity: u32,
    clock: u32,
    /// Records since the table last grew, an upper limit for how full it is.
    recorded: usize,
}

impl Ghost {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buckets: Vec::new(),
            capacity: clamp(capacity),
            clock: 0,
            recorded: 0,
        }
    }

    /// Changes how many keys are remembered. A table grown too large is given up, memory and all.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = clamp(capacity);
        if self.buckets.len() > self.most_buckets() {
            *self = Self::new(capacity);
        }
    }

    /// Remembers a key.
    pub(super) fn record(&mut self, hash: u64) {
        if self.capacity == 0 {
            return;
        }
        self.grow_if_full();
        self.clock = self.clock.wrapping_add(1);
        self.recorded += 1;
        self.put(Record {
            fingerprint: fingerprint(hash),
            at: self.clock,
        });
    }

    /// Whether a key is remembered; it is not any longer.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let (wanted, clock, capacity) = (fingerprint(hash), self.clock, self.capacity);
        let bucket = self.bucket(wanted);
        let is_wanted = |r: &&mut Record| r.fingerprint == wanted && age(**r, clock) < capacity;
        let Some(record) = bucket.iter_mut().find(is_wanted) else {
            return false;
        };
        record.at = forgotten(clock);
        true
    }

    /// Whether memory is within what the capacity allows.
    pub(super) fn is_bounded(&self) -> bool {
        self.buckets.len() <= self.most_buckets()
    }

    fn bucket(&mut self, fingerprint: u32) -> &mut [Record; SLOTS] {
        let index = (u64::from(fingerprint) * self.buckets.len() as u64) >> 32;
        // In range: a fingerprint is less than 2^32.
        &mut self.buckets[usize::try_from(index).unwrap_or(0)]
    }

    /// Over the same fingerprint, else over the oldest.
    fn put(&mut self, record: Record) {
        let clock = self.clock;
        let bucket = self.bucket(record.fingerprint);
        let rank = |old: &&mut Record| {
            if old.fingerprint == record.fingerprint {
                u32::MAX
            } else {
                age(**old, clock)
            }
        };
        if let Some(slot) = bucket.iter_mut().max_by_key(rank) {
            *slot = record;
        }
    }

    fn most_buckets(&self) -> usize {
        (self.capacity as usize).div_ceil(LOAD)
    }

    fn grow_if_full(&mut self) {
        let most = self.most_buckets();
        if self.buckets.len() >= most || self.recorded < self.buckets.len() * LOAD {
            return;
        }
        let empty = Record {
            fingerprint: 0,
            at: forgotten(self.clock),
        };
        let doubled = (self.buckets.len() * 2).clamp(1, most);
        let old = std::mem::replace(&mut self.buckets, vec![[empty; SLOTS]; doubled]);
        let (clock, capacity) = (self.clock, self.capacity);
        old.iter()
            .flatten()
            .filter(|r| age(**r, clock) < capacity)
            .for_each(|r| self.put(*r));
    }
}

fn clamp(capacity: usize) -> u32 {
    u32::try_from(capacity.min(MOST)).unwrap_or(0)
}

/// The hash's upper half: the table of entries uses the lower one, and these are other keys' bits.
fn fingerprint(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

const fn age(record: Record, clock: u32) -> u32 {
    clock.wrapping_sub(record.at)
}

/// A reading so old that no capacity reaches back to it.
const fn forgotten(clock: u32) -> u32 {
    clock.wrapping_sub(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spread like a hash.
    fn hash(key: u64) -> u64 {
        key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ key.wrapping_mul(0xD1B5_4A32_D192_ED03).rotate_left(32)
    }

    #[test]
    fn what_was_recorded_is_remembered_once() {
        let mut ghost = Ghost::new(10);
        ghost.record(hash(1));
        assert!(!ghost.take(hash(2)));
        assert!(ghost.take(hash(1)));
        assert!(!ghost.take(hash(1)));
    }

    #[test]
    fn a_zero_hash_is_not_remembered_unasked() {
        let mut ghost = Ghost::new(10);
        assert!(!ghost.take(0));
        ghost.record(hash(1));
        assert!(!ghost.take(0));
    }

    #[test]
    fn the_oldest_are_forgotten_exactly_at_capacity() {
        let mut ghost = Ghost::new(3);
        (1..=4).for_each(|key| ghost.record(hash(key)));
        assert!(!ghost.take(hash(1)));
        assert!((2..=4).all(|key| ghost.take(hash(key))));
    }

    #[test]
    fn nearly_all_of_the_latest_are_remembered_and_memory_is_bounded() {
        let mut ghost = Ghost::new(10_000);
        (0..50_000).for_each(|key| ghost.record(hash(key)));
        assert!(ghost.is_bounded() && ghost.buckets.len() <= 10_000 / LOAD);
        let old = (0..40_000).filter(|&key| ghost.take(hash(key))).count();
        let recent = (40_000..50_000)
            .filter(|&key| ghost.take(hash(key)))
            .count();
        assert!(old < 20, "{old} of the forgotten are remembered");
        assert!(recent > 9_800, "only {recent} of the latest are remembered");
    }

    #[test]
    fn the_table_grows_with_use_alone() {
        let mut ghost = Ghost::new(1 << 20);
        assert!(ghost.buckets.is_empty());
        (0..100).for_each(|key| ghost.record(hash(key)));
        assert!(ghost.buckets.len() <= 64);
        assert!((0..100).filter(|&key| ghost.take(hash(key))).count() > 95);
        ghost.set_capacity(1);
        assert!(ghost.buckets.is_empty());
    }
}
