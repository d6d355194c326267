//! What is known of keys, held or gone: how often they were asked for, and when and from where they left.
//!
//! It is S3-FIFO's ghost, the second ghost of ARC and the frequency sketch of TinyLFU in one, so that a key is
//! looked up once and costs one cache line. Keys are known by fingerprint. Unlike in a sketch, a key never seen
//! before has a count of 0 and not the counts of others: with a sketch, among a million one-off keys there are
//! enough with a borrowed count to replace all of main. Here there is one in ten million.

use super::super::steps;

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

/// A queue's evictions, counted round and round. A record that is met again after exactly one round is mistaken for
/// a new one: it then counts as one comeback too many.
#[derive(Copy, Clone, Debug)]
struct Clock {
    now: u32,
    /// How long a departure is remembered.
    reach: u32,
}

/// The small queue's and main's.
#[derive(Debug)]
struct Clocks {
    small: Clock,
    main: Clock,
}

/// Where the record of a key is, or which bucket it belongs to: good until visits or a departure are added.
#[derive(Copy, Clone, Debug)]
pub(super) struct Place {
    hash: u64,
    bucket: usize,
    /// `RECORDS` for none.
    slot: usize,
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
    /// Visits counted in this epoch, and after how many the next one begins.
    added: usize,
    sample: usize,
}

impl History {
    pub(super) const fn new() -> Self {
        Self {
            buckets: Vec::new(),
            clocks: Clocks {
                small: Clock { now: 0, reach: 0 },
                main: Clock { now: 0, reach: 0 },
            },
            epoch: 0,
            added: 0,
            sample: 0,
        }
    }

    /// Makes ready for an eviction among so many entries. Forgets nothing that it knows.
    #[inline]
    pub(super) fn fit(&mut self, entries: usize) {
        let reach = u32::try_from(entries).unwrap_or(u32::MAX);
        self.clocks.small.reach = reach;
        self.clocks.main.reach = reach.div_ceil(DETHRONED_PART);
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
        } else {
            // A key's bucket is a fraction of the way down the table, so its new one is a copy of the old.
            let doubled = self.buckets.iter().flat_map(|&bucket| [bucket; 2]);
            self.buckets = doubled.collect();
        }
        self.sample = self.buckets.len() * KEYS_PER_BUCKET * SAMPLE_PER_KEY;
    }

    /// Gives the memory back if that many entries have no use for so much of it.
    pub(super) fn shrink(&mut self, entries: usize) {
        if !self.is_bounded(entries) {
            *self = Self::new();
        }
    }

    /// Whether memory is within what that many entries allow.
    pub(super) fn is_bounded(&self, entries: usize) -> bool {
        self.buckets.len() <= entries.div_ceil(KEYS_PER_BUCKET).saturating_mul(2)
    }

    /// Looks a key up.
    #[inline]
    pub(super) fn place(&self, hash: u64) -> Place {
        steps::count();
        let index = self.index(hash);
        let bucket = self.buckets.get(index);
        Place {
            hash,
            bucket: index,
            slot: bucket.map_or(RECORDS, |bucket| bucket.find(hash)),
        }
    }

    /// How often the key was asked for, as far as is known: 15 at most.
    #[inline]
    pub(super) fn visits(&self, place: Place) -> u32 {
        let Some(bucket) = self.buckets.get(place.bucket) else {
            return 0;
        };
        let Some(record) = bucket.records.get(place.slot) else {
            return 0;
        };
        (record.bits & COUNT) >> self.epoch.wrapping_sub(bucket.epoch).min(COUNT_BITS)
    }

    /// How the key left, if that was lately. It is here again, so that is asked but once.
    #[inline]
    pub(super) fn take_departure(&mut self, place: Place) -> Option<Departure> {
        let bucket = self.buckets.get_mut(place.bucket)?;
        let record = bucket.records.get_mut(place.slot)?;
        let departure = self.clocks.departure(*record);
        record.bits &= !LEFT;
        departure
    }

    /// Counts so many visits of a key that is held.
    pub(super) fn add_visits(&mut self, place: Place, visits: u8) {
        self.update(place, visits, Record { bits: 0, at: 0 });
    }

    /// Counts a key's last visits: it leaves.
    #[inline]
    pub(super) fn add_departure(&mut self, place: Place, visits: u8, left: Left) {
        let at = self.clocks.tick(left);
        let bits = left.bits();
        self.update(place, visits, Record { bits, at });
    }

    /// Counts visits, and puts the mark in place of how the key left before.
    fn update(&mut self, place: Place, visits: u8, mark: Record) {
        let Some(bucket) = self.buckets.get_mut(place.bucket) else {
            return;
        };
        if bucket.epoch != self.epoch {
            bucket.catch_up(self.epoch);
        }
        let (slot, before) = match bucket.records.get(place.slot) {
            Some(record) => (place.slot, record.bits & COUNT),
            None => (bucket.least(&self.clocks), 0),
        };
        let count = (before + u32::from(visits)).min(COUNT);
        let bits = fingerprint(place.hash) | count | mark.bits;
        bucket.replace(slot, Record { bits, at: mark.at });
        self.added += usize::from(visits);
        if self.added >= self.sample {
            self.begin_epoch();
        }
    }

    #[cold]
    fn begin_epoch(&mut self) {
        // Halved as the counts are: the next halving comes after half as many visits.
        self.added /= 2;
        self.epoch = self.epoch.wrapping_add(1);
    }

    /// By the hash's upper half; the fingerprint is of the lower one.
    fn index(&self, hash: u64) -> usize {
        let index = ((hash >> 32) * self.buckets.len() as u64) >> 32;
        usize::try_from(index).unwrap_or(0)
    }
}

impl Clocks {
    /// Counts an eviction; what it is remembered by.
    #[inline]
    const fn tick(&mut self, left: Left) -> u32 {
        let clock = match left {
            Left::Rejected => &mut self.small,
            Left::Dethroned | Left::Displaced => &mut self.main,
        };
        clock.now = clock.now.wrapping_add(1);
        clock.now
    }

    /// How many left the same queue since the key did, and whether that is lately.
    #[inline]
    const fn age(&self, record: Record) -> (u32, bool) {
        let left = record.bits & LEFT;
        let is_small = left == Left::Rejected.bits();
        let clock = if is_small { self.small } else { self.main };
        let age = clock.now.wrapping_sub(record.at);
        // Of a key that has not left, nothing is within reach.
        let reach = if left == 0 { 0 } else { clock.reach };
        (age, age < reach)
    }

    /// What a record is to be given up by, the lowest first.
    #[inline]
    const fn rank(&self, record: Record) -> u32 {
        let (_, is_recent) = self.age(record);
        (record.bits & COUNT) | (is_recent as u32 * (COUNT + 1))
    }

    /// A departure that is not too long ago.
    #[inline]
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
    #[cold]
    fn catch_up(&mut self, epoch: u32) {
        for _ in 0..epoch.wrapping_sub(self.epoch).min(COUNT_BITS) {
            for Record { bits, .. } in &mut self.records {
                *bits = (*bits & !COUNT) | ((*bits & COUNT) >> 1);
            }
        }
        self.epoch = epoch;
    }

    /// The slot of a key's record; `RECORDS` for none.
    #[inline]
    fn find(&self, hash: u64) -> usize {
        let wanted = fingerprint(hash);
        let is_wanted = |record: &Record| record.bits & FINGERPRINT == wanted;
        self.records.iter().position(is_wanted).unwrap_or(RECORDS)
    }

    /// The record to give up: the first that did not leave lately of a key asked for once, mostly the very first. For
    /// want of one, the rarest key of those that did not leave lately, else the one that left first.
    #[inline]
    fn least(&self, clocks: &Clocks) -> usize {
        let is_one_off = |record: &Record| clocks.rank(*record) <= 1;
        let first = self.records.iter().position(is_one_off);
        first.unwrap_or_else(|| self.rarest(clocks))
    }

    #[cold]
    fn rarest(&self, clocks: &Clocks) -> usize {
        let rarest = (0..RECORDS).min_by_key(|&slot| clocks.rank(self.records[slot]));
        rarest.unwrap_or(0)
    }

    /// Gives a record up for one that is the latest.
    #[inline]
    fn replace(&mut self, slot: usize, record: Record) {
        if slot == 0 {
            self.records.copy_within(1.., 0);
        } else {
            // One by one: to call for a move of so little costs more.
            for at in 1..RECORDS - 1 {
                self.records[at] = self.records[at + usize::from(at >= slot)];
            }
        }
        self.records[RECORDS - 1] = record;
    }
}

fn fingerprint(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(FINGERPRINT)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
