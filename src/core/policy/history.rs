//! What is known of keys, held or gone: how often they were asked for, and when and from where they left.
//!
//! It is S3-FIFO's ghost, the second ghost of ARC and the frequency sketch of TinyLFU in one, so that a key is
//! looked up once and costs one cache line. Keys are known by fingerprint. Unlike in a sketch, a key never seen
//! before has a count of 0 and not the counts of others: with a sketch, among a million one-off keys there are
//! enough with a borrowed count to replace all of main. Here there is one in ten million.

/// Keys in the store per bucket. A bucket is a cache line; with one for 2 keys (32 bytes a key) three and a half
/// times as many keys are known as there are in the store.
const KEYS_PER_BUCKET: usize = 2;
const RECORDS: usize = 7;
/// Counts are halved after this many visits for each key in the store.
const SAMPLE_PER_KEY: usize = 20;
/// Whom main gave up is remembered for a quarter as many of its evictions as there are entries, whom the small
/// queue gave up for as many as there are.
const DETHRONED_PART: u32 = 4;

/// A record's lowest bits hold the count, the next ones how the key left, the others the fingerprint.
const COUNT_BITS: u32 = 4;
const COUNT: u32 = (1 << COUNT_BITS) - 1;
const LEFT_SHIFT: u32 = COUNT_BITS;
const LEFT: u32 = 0b11 << LEFT_SHIFT;
const FINGERPRINT: u32 = !(COUNT | LEFT);

/// How a key left the store for want of room.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// The small queue gave it up.
    Rejected = 1,
    /// Main gave it up.
    Dethroned = 2,
    /// The same, for one of the sample of comebacks.
    Displaced = 3,
}

/// These three, and not at all.
const WAYS: usize = 4;

impl Left {
    const fn bits(self) -> u32 {
        (self as u32) << LEFT_SHIFT
    }
}

/// How a key left, and how many left the same queue since.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Departure {
    pub(super) left: Left,
    pub(super) age: u32,
}

#[derive(Copy, Clone, Debug)]
struct Record {
    bits: u32,
    /// The reading of its queue's clock when the key left; of no meaning if it did not.
    at: u32,
}

/// A cache line: the epoch up to which counts were halved, then the keys, the latest last.
#[derive(Copy, Clone, Debug)]
#[repr(align(64))]
struct Bucket {
    epoch: u32,
    records: [Record; RECORDS],
}

/// Each queue's evictions, counted round and round, by how keys left. A record that is met again after exactly one
/// round is mistaken for a new one: it then counts as one comeback too many.
#[derive(Copy, Clone, Debug)]
struct Clocks {
    now: [u32; WAYS],
    /// How long a departure is remembered; 0 for none.
    reach: [u32; WAYS],
}

/// Knows keys; see the module.
///
/// All counts are halved together, but each bucket only when it is next touched: no call pays for all. The table
/// has a size only once an entry had to leave, and doubles with the number of entries held.
#[derive(Debug)]
pub(super) struct History {
    buckets: Vec<Bucket>,
    clocks: Clocks,
    epoch: u32,
    /// Visits counted in this epoch.
    added: usize,
}

impl History {
    pub(super) const fn new() -> Self {
        Self {
            buckets: Vec::new(),
            clocks: Clocks {
                now: [0; WAYS],
                reach: [0; WAYS],
            },
            epoch: 0,
            added: 0,
        }
    }

    /// Makes ready for an eviction among so many entries. Forgets nothing that it knows.
    #[inline]
    pub(super) fn fit(&mut self, entries: usize) {
        let reach = u32::try_from(entries).unwrap_or(u32::MAX);
        let of_main = reach.div_ceil(DETHRONED_PART);
        self.clocks.reach = [0, reach, of_main, of_main];
        if self.buckets.len() * KEYS_PER_BUCKET < entries {
            self.grow(entries);
        }
    }

    #[cold]
    fn grow(&mut self, entries: usize) {
        if self.buckets.is_empty() {
            let record = Record { bits: 0, at: 0 };
            let bucket = Bucket {
                epoch: self.epoch,
                records: [record; RECORDS],
            };
            self.buckets = vec![bucket; entries.div_ceil(KEYS_PER_BUCKET)];
            return;
        }
        // A key's bucket is a fraction of the way down the table, so its new one is a copy of the old.
        let doubled = self.buckets.iter().flat_map(|&bucket| [bucket; 2]);
        self.buckets = doubled.collect();
    }

    /// Gives the memory back if that many entries have no use for so much of it.
    pub(super) fn shrink(&mut self, entries: usize) {
        if !self.is_bounded(entries) {
            *self = Self::new();
        }
    }

    /// Whether memory is within what that many entries allow.
    pub(super) fn is_bounded(&self, entries: usize) -> bool {
        self.buckets.len() <= 2 * entries.div_ceil(KEYS_PER_BUCKET)
    }

    /// How often the key was asked for, as far as is known: 15 at most.
    pub(super) fn visits(&self, hash: u64) -> u32 {
        let Some(bucket) = self.buckets.get(self.index(hash)) else {
            return 0;
        };
        let count = bucket
            .find(hash)
            .map_or(0, |at| bucket.records[at].bits & COUNT);
        count >> self.epoch.wrapping_sub(bucket.epoch).min(COUNT_BITS)
    }

    /// How the key left, if that was lately. It is here again, so that is asked but once.
    pub(super) fn take_departure(&mut self, hash: u64) -> Option<Departure> {
        let (index, clocks) = (self.index(hash), self.clocks);
        let bucket = self.buckets.get_mut(index)?;
        let record = &mut bucket.records[bucket.find(hash)?];
        let departure = clocks.departure(*record);
        record.bits &= !LEFT;
        departure
    }

    /// Counts so many visits of a key that is held.
    pub(super) fn add_visits(&mut self, hash: u64, visits: u8) {
        self.update(hash, visits, |bits, _| (bits, 0));
    }

    /// Counts a key's last visits: it leaves.
    pub(super) fn add_departure(&mut self, hash: u64, visits: u8, left: Left) {
        self.clocks.tick(left);
        self.update(hash, visits, |bits, clocks| {
            (bits | left.bits(), clocks.now[left as usize])
        });
    }

    fn update(&mut self, hash: u64, visits: u8, mark: impl Fn(u32, &Clocks) -> (u32, u32)) {
        let (index, epoch, clocks) = (self.index(hash), self.epoch, self.clocks);
        let Some(bucket) = self.buckets.get_mut(index) else {
            return;
        };
        bucket.catch_up(epoch);
        let (slot, before) = match bucket.find(hash) {
            Some(slot) => (slot, bucket.records[slot].bits & COUNT),
            None => (bucket.least(&clocks), 0),
        };
        let count = (before + u32::from(visits)).min(COUNT);
        let (bits, at) = mark(fingerprint(hash) | count, &clocks);
        bucket.records[slot] = Record { bits, at };
        bucket.records[slot..].rotate_left(1);
        self.count_added(usize::from(visits));
    }

    fn count_added(&mut self, visits: usize) {
        self.added += visits;
        if self.added >= self.buckets.len() * KEYS_PER_BUCKET * SAMPLE_PER_KEY {
            // Halved as the counts are: the next halving comes after half as many visits.
            self.added /= 2;
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// By the hash's upper half; the fingerprint is of the lower one.
    fn index(&self, hash: u64) -> usize {
        let index = ((hash >> 32) * self.buckets.len() as u64) >> 32;
        usize::try_from(index).unwrap_or(0)
    }
}

impl Clocks {
    const fn tick(&mut self, left: Left) {
        self.now[left as usize] = self.now[left as usize].wrapping_add(1);
        // Both are main's.
        match left {
            Left::Rejected => {}
            Left::Dethroned => self.now[Left::Displaced as usize] = self.now[left as usize],
            Left::Displaced => self.now[Left::Dethroned as usize] = self.now[left as usize],
        }
    }

    /// How many left the same queue since the key did, and whether that is lately.
    #[inline]
    const fn age(&self, record: Record) -> (u32, bool) {
        let way = (record.bits >> LEFT_SHIFT) as usize & (WAYS - 1);
        let age = self.now[way].wrapping_sub(record.at);
        (age, age < self.reach[way])
    }

    /// A departure that is not too long ago.
    fn departure(&self, record: Record) -> Option<Departure> {
        let (age, is_recent) = self.age(record);
        let left = match (record.bits & LEFT) >> LEFT_SHIFT {
            0 => return None,
            1 => Left::Rejected,
            2 => Left::Dethroned,
            _ => Left::Displaced,
        };
        is_recent.then_some(Departure { left, age })
    }
}

impl Bucket {
    /// Four halvings leave nothing of four bits.
    fn catch_up(&mut self, epoch: u32) {
        for _ in 0..epoch.wrapping_sub(self.epoch).min(COUNT_BITS) {
            for Record { bits, .. } in &mut self.records {
                *bits = (*bits & !COUNT) | ((*bits & COUNT) >> 1);
            }
        }
        self.epoch = epoch;
    }

    fn find(&self, hash: u64) -> Option<usize> {
        let wanted = fingerprint(hash);
        let is_wanted = |record: &Record| record.bits & FINGERPRINT == wanted;
        self.records.iter().position(is_wanted)
    }

    /// The record to give up: the rarest key of those that did not leave lately, else the one that left first.
    fn least(&self, clocks: &Clocks) -> usize {
        let rank = |record: &Record| {
            let (_, is_recent) = clocks.age(*record);
            (record.bits & COUNT) | (u32::from(is_recent) * (COUNT + 1))
        };
        let least = (0..RECORDS).min_by_key(|&slot| rank(&self.records[slot]));
        least.unwrap_or(0)
    }
}

fn fingerprint(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(FINGERPRINT)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
