//! For a bound in bytes: greedy dual by size and frequency, with second chances in place of a heap.
//!
//! What serves most hits per byte stays. Greedy dual (Cao and Irani, "Cost-Aware WWW Proxy Caching Algorithms",
//! USITS 1997; with frequencies Cherkasova's GDSF, HP 1998) gives each entry a *credit* in proportion to its hits
//! per byte, evicts whoever has least left, and takes that much from everybody. Here too, but for three things:
//!
//! * **Queues.** Entries of about the same weight, within a factor of two, share a queue. A stay in a queue is worth one
//!   hit: the clock's present value and one share of credit. So a queue is in the order of its entries' ends,
//!   and whoever is next is found by a look at the heads. The clock then is what the one who goes had.
//! * **Second chances.** A hit only counts, to three; whoever comes to be next and was used spends one of those for
//!   another stay. (CLOCK's idea, Corbató 1968.)
//! * **Probation.** Whoever is not known from before begins among those on probation, who have a tenth of the bytes, a
//!   clock and queues of their own, as in the small queue of S3-FIFO (SOSP 2023): so what is asked for once, and be it
//!   a scan of millions, costs those who were used nothing. Who comes back is spared that, if it is no heavier than the
//!   mean. What is known of keys that left is in `history.rs`.
//!
//! Good for sizes that differ; no better than others where they are alike, which is why it is not used where the
//! bound is on entries. Bad for those who ask for large entries only: these go first. An operation looks at no more
//! than two queues for each factor of two in weight. Memory: that of `history.rs`, 64 bytes for each entry at most.

use super::super::entry::{Entry, POLICY};
use super::super::slab::{Queue, Slab};
use super::MOST_FREQUENT;
use super::history::{History, Left};

/// One for each power of two.
const CLASSES: usize = usize::BITS as usize;
/// The credit of a stay for an entry of one byte. The clock may come round: only differences are looked at.
const STAY: u64 = 1 << LONGEST;
const LONGEST: usize = 40;
/// Those on probation have this part of the bytes to themselves.
const PROBATION_PART: usize = 10;
/// Entries that one eviction passes over before it takes the next in any case.
const MOST_PASSED_OVER: usize = 16;

/// The values of `Entry::queue`.
const PROBATION: u8 = 0;
const KEPT: u8 = 1;

/// The policy; see the module.
#[derive(Debug)]
pub(in super::super) struct Density {
    /// Of each class those on probation, and the others.
    queues: [[Queue<POLICY>; 2]; CLASSES],
    /// Classes with entries in one of these.
    occupied: [u64; 2],
    /// Of those on probation, and of the others.
    clocks: [u64; 2],
    /// What they weigh together, in bytes.
    weights: [usize; 2],
    history: History,
    population: usize,
    /// How many of them are not on probation.
    kept: usize,
    /// Limits the memory.
    capacity: usize,
}

/// Entries of that weight share queues.
const fn class(weight: usize) -> usize {
    if weight == 0 {
        0
    } else {
        weight.ilog2() as usize
    }
}

/// The classes of a set, by its bits.
struct Classes(u64);

impl Iterator for Classes {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let class = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(class)
    }
}

impl Density {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            queues: std::array::from_fn(|_| [Queue::new(), Queue::new()]),
            occupied: [0; 2],
            clocks: [0; 2],
            weights: [0; 2],
            history: History::new(),
            population: 0,
            kept: 0,
            capacity,
        }
    }

    /// Gives back memory that fewer entries have no use for.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.history.shrink(capacity);
    }

    /// A key new to the shard came in.
    #[inline(never)]
    pub(super) fn insert<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let entry = slab.entry_mut(token);
        let place = self.history.place(entry.hash);
        entry.frequency = 0;
        // One that is known, but heavy, has to show first that it is wanted again soon: it would cost many others.
        let is_known = self.history.visits(place) > 0;
        let is_light = entry.weight.saturating_mul(self.kept) <= self.weights[1];
        entry.queue = if is_known && is_light {
            KEPT
        } else {
            PROBATION
        };
        self.population += 1;
        self.push(slab, token);
    }

    /// An entry leaves, for whatever cause.
    #[inline(never)]
    pub(super) fn remove<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let weight = slab.entry(token).weight;
        self.unlink(slab, token, weight);
        self.population -= 1;
    }

    /// An entry weighs something else now: it begins another stay.
    pub(super) fn reweigh<V>(&mut self, slab: &mut Slab<V>, token: u32, old: usize) {
        self.unlink(slab, token, old);
        self.push(slab, token);
    }

    /// The entry to go next.
    #[inline(never)]
    pub(super) fn victim<V>(&mut self, slab: &mut Slab<V>) -> Option<u32> {
        self.history.fit(self.population.min(self.capacity));
        for _ in 0..MOST_PASSED_OVER {
            let token = self.next(slab)?;
            let entry = slab.entry(token);
            self.clocks[usize::from(entry.queue)] = entry.credit;
            if !self.second_chance(slab, token) {
                return Some(self.give_up(slab, token));
            }
        }
        let token = self.fallback(slab)?;
        Some(self.give_up(slab, token))
    }

    /// After a row of entries in good use: the newest in the queue of whoever is next, if that is unused.
    fn fallback<V>(&self, slab: &Slab<V>) -> Option<u32> {
        let next = self.next(slab)?;
        let Entry { weight, queue, .. } = slab.entry(next);
        let newest = self.queues[class(*weight)][usize::from(*queue)].tail();
        let unused = newest.filter(|&token| slab.entry(token).frequency == 0);
        unused.or(Some(next))
    }

    /// Whoever has least credit left: of those on probation if they have more than their part.
    fn next<V>(&self, slab: &Slab<V>) -> Option<u32> {
        let [probation, kept] = self.weights;
        let is_over = probation > kept / (PROBATION_PART - 1);
        let queue = usize::from(!is_over && self.occupied[1] != 0);
        let heads =
            Classes(self.occupied[queue]).filter_map(|class| self.queues[class][queue].head());
        heads.min_by_key(|&token| slab.entry(token).credit.wrapping_sub(self.clocks[queue]))
    }

    /// Another stay for an entry that has been used.
    fn second_chance<V>(&mut self, slab: &mut Slab<V>, token: u32) -> bool {
        let entry = slab.entry_mut(token);
        if entry.frequency == 0 {
            return false;
        }
        entry.frequency -= 1;
        let (hash, weight) = (entry.hash, entry.weight);
        self.unlink(slab, token, weight);
        slab.entry_mut(token).queue = KEPT;
        self.push(slab, token);
        let place = self.history.place(hash);
        self.history.add_visits(place, 1);
        true
    }

    fn give_up<V>(&mut self, slab: &Slab<V>, token: u32) -> u32 {
        let entry = slab.entry(token);
        let place = self.history.place(entry.hash);
        self.history
            .add_departure(place, entry.frequency + 1, Left::Rejected);
        token
    }

    /// Begins a stay.
    fn push<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let entry = slab.entry_mut(token);
        let (class, queue) = (class(entry.weight), usize::from(entry.queue));
        entry.credit = self.clocks[queue].wrapping_add(STAY >> class.min(LONGEST));
        self.weights[queue] += entry.weight;
        self.kept += queue;
        self.queues[class][queue].push_back(slab, token);
        self.occupied[queue] |= 1 << class;
    }

    /// Takes an entry out that was put in with that weight.
    fn unlink<V>(&mut self, slab: &mut Slab<V>, token: u32, weight: usize) {
        let (class, queue) = (class(weight), usize::from(slab.entry(token).queue));
        self.weights[queue] -= weight;
        self.kept -= queue;
        self.queues[class][queue].unlink(slab, token);
        if self.queues[class][queue].len() == 0 {
            self.occupied[queue] &= !(1 << class);
        }
    }

    /// Recomputes every invariant.
    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        let (mut queued, mut weights) = (0, [0; 2]);
        for (index, pair) in self.queues.iter().enumerate() {
            for (which, queue) in pair.iter().enumerate() {
                let mut latest = 0;
                queue.validate(slab, |entry: &Entry<V>| {
                    weights[which] += entry.weight;
                    let left = entry.credit.wrapping_sub(self.clocks[which]);
                    let belongs = class(entry.weight) == index && usize::from(entry.queue) == which;
                    if !belongs || left < latest || left > STAY || entry.frequency > MOST_FREQUENT {
                        return Err(format!(
                            "entry with {left} left in queue {which} of {index}"
                        ));
                    }
                    latest = left;
                    Ok(())
                })?;
                if (queue.len() > 0) != (self.occupied[which] >> index & 1 == 1) {
                    return Err(format!(
                        "queue {which} of {index} is not what it is said to be"
                    ));
                }
                queued += queue.len();
            }
        }
        if weights != self.weights {
            return Err(format!("queues weigh {weights:?}, not {:?}", self.weights));
        }
        let kept: usize = self.queues.iter().map(|pair| pair[1].len()).sum();
        if kept != self.kept {
            return Err(format!(
                "{kept} entries are kept, the policy says {}",
                self.kept
            ));
        }
        if queued != slab.len() || queued != self.population {
            return Err(format!("policy holds {queued} of {} entries", slab.len()));
        }
        if self.history.is_bounded(self.capacity) {
            return Ok(());
        }
        Err("the policy remembers too much".to_owned())
    }
}

#[cfg(test)]
mod tests;
