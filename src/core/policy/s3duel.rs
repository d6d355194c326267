//! S3-FIFO with a duel at main's gate, a share for the small queue that follows the load, and a verdict on
//! comebacks. `docs/eviction.md` tells how it was found and what it was measured against.
//!
//! The frame is S3-FIFO's (Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache
//! eviction", SOSP 2023): new keys enter a *small* queue, some move on to the *main* queue, which is a FIFO with
//! second chances, and a *ghost* remembers who was rejected. A hit moves nothing: it raises a two-bit count.
//! Four things differ:
//!
//! * **The duel.** Who comes to the small queue's end unused does not leave for that: it leaves if it was asked
//!   for no more often, on earlier visits, than main's own next victim; else that one leaves and it moves up
//!   (Einziger, Friedman and Manes, "TinyLFU", Transactions on Storage 2017). So no loop or scan longer than the
//!   store can flush main. Until main has its share it takes everybody: only then is there something to guard. Who
//!   was taken in like that and is never used makes room for others bit by bit.
//! * **The balance.** The small queue's share grows with each miss on a key that it rejected a moment ago, and
//!   shrinks with each miss on one that main gave up a moment ago, as between ARC's two ghosts (Megiddo and
//!   Modha, FAST 2003); see `balance.rs`. So the store is nearly an LRU where recency is all, and nearly an LFU
//!   where frequency is.
//! * **Comebacks.** A key that the ghost knows enters main at once, as in S3-FIFO, unless a sample shows
//!   that such keys displace others as good; see `comebacks.rs`.
//! * **Another round.** An entry of the small queue that was used goes round again, as in CLOCK (Corbató 1968): to be
//!   used within a short while shows no lasting merit. Where recency is favoured, which the balance tells, whoever is
//!   known from before moves on to main, and main gives one second chance for all uses: both queues are CLOCKs then, as
//!   in CAR (Bansal and Modha, FAST 2004).
//!
//! What is known of a key, there or gone, is in one record of `history.rs`; an entry's count is added to it when
//! the entry comes to a queue's end. So a hit costs no more than in S3-FIFO, and a miss touches as many cache lines.
//!
//! Good for skewed traffic with many keys that are asked for once (the web's), for loops and scans, for shifts
//! between the two. Bad where a large part of the store is hot for a while and never again (phases): the small
//! queue has to win main's room back entry by entry, and LRU is a point or two better. Memory: 32 bytes for
//! each entry, up to 64 after the number of entries has grown, from the first eviction on.

use super::super::entry::POLICY;
use super::super::slab::{Queue, Slab};
use super::MOST_FREQUENT;
use super::balance::Balance;
use super::comebacks::Comebacks;
use super::history::{Departure, History, Left, Place};

/// The values of `Entry::queue`.
const SMALL: u8 = 0;
const MAIN: u8 = 1;
/// In main for no merit: it was taken in, and has not been used since.
const UNPROVEN: u8 = 2;
/// In main as one of the sample of comebacks, and not used there yet.
const ON_TRIAL: u8 = 3;

/// Entries that one eviction passes over before it falls back. Promotions, rounds and second chances are each
/// paid for by an access, so 1 or 2 is usual and only the worst case is bounded by this.
const MOST_PASSED_OVER: usize = 16;
/// Entries that one insertion moves on from a small queue that is too long. More than one, so that it gets shorter.
const MOST_TAKEN_IN: usize = 2;

/// Of so many entries that the small queue gives up, one takes the place of main's oldest if that has no merit.
const REVIEWED_EVERY: u8 = 8;

/// The policy; see the module.
#[derive(Debug)]
pub(in super::super) struct S3Duel {
    small: Queue<POLICY>,
    main: Queue<POLICY>,
    history: History,
    balance: Balance,
    comebacks: Comebacks,
    /// Entries of the sample that were let into main and have displaced nobody yet.
    owed: u32,
    /// Entries that the small queue gave up since main's oldest was last reviewed.
    unreviewed: u8,
    /// Limits the memory.
    capacity: usize,
}

/// What becomes of an entry at a queue's end.
enum Verdict {
    PassedOver,
    Leaves(u32),
}

impl S3Duel {
    /// A policy for `capacity` entries (`usize::MAX`: as many as there will be).
    pub(super) const fn new(capacity: usize) -> Self {
        Self {
            small: Queue::new(),
            main: Queue::new(),
            history: History::new(),
            balance: Balance::new(),
            comebacks: Comebacks::new(),
            owed: 0,
            unreviewed: 0,
            capacity,
        }
    }

    /// Gives back memory that fewer entries have no use for. Nothing else goes by the capacity: how many entries
    /// there is room for shows whenever one has to leave.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.history.shrink(capacity);
    }

    /// A key new to the shard came in.
    #[inline]
    pub(super) fn insert<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let hash = slab.entry(token).hash;
        let place = self.history.place(hash);
        let came_back = self.learn(place);
        let is_sample = Comebacks::is_sample(hash);
        let entry = slab.entry_mut(token);
        entry.frequency = 0;
        if !came_back || !(is_sample || self.comebacks.are_welcome()) {
            entry.queue = SMALL;
            self.small.push_back(slab, token);
            self.take_in(slab);
            return;
        }
        entry.queue = if is_sample { ON_TRIAL } else { MAIN };
        self.owed = self.owed.saturating_add(u32::from(is_sample));
        self.history.add_visits(place, 1);
        self.main.push_back(slab, token);
    }

    /// Main takes in the small queue's oldest until it has its share. They keep what use they have had.
    fn take_in<V>(&mut self, slab: &mut Slab<V>) {
        let target = self.balance.small_target(self.population());
        for _ in 0..MOST_TAKEN_IN {
            let Some(token) = self.small.head().filter(|_| self.small.len() > target) else {
                return;
            };
            self.count_visits(slab.entry(token).hash, 1);
            self.move_up(slab, token, UNPROVEN);
        }
    }

    /// What a miss teaches. True if the small queue gave the key up lately.
    fn learn(&mut self, place: Place) -> bool {
        let Some(Departure { left, age }) = self.history.take_departure(place) else {
            return false;
        };
        let population = self.population();
        if left == Left::Rejected {
            let are_welcome = self.comebacks.are_welcome();
            self.balance.missed_in_small(age, population, are_welcome);
            return true;
        }
        self.balance.missed_in_main(age, population);
        if left == Left::Displaced {
            self.comebacks.regretted(population);
        }
        false
    }

    /// An entry leaves, for whatever cause.
    #[inline]
    pub(super) fn remove<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        if slab.entry(token).queue == SMALL {
            self.small.unlink(slab, token);
        } else {
            self.main.unlink(slab, token);
        }
    }

    /// The entry to go next.
    #[inline]
    pub(super) fn victim<V>(&mut self, slab: &mut Slab<V>) -> Option<u32> {
        self.history.fit(self.population().min(self.capacity));
        for _ in 0..MOST_PASSED_OVER {
            if let Verdict::Leaves(token) = self.judge(slab)? {
                return Some(token);
            }
        }
        self.fallback(slab)
    }

    /// After a row of entries in good use: the newest of the small queue, unless it has been accessed
    /// already (should it come back, the ghost will know it), else whoever is next.
    fn fallback<V>(&mut self, slab: &Slab<V>) -> Option<u32> {
        let newest = self.small.tail();
        let unused = newest.filter(|&token| slab.entry(token).frequency == 0);
        if let Some(token) = unused.or_else(|| self.small.head()) {
            let place = self.history.place(slab.entry(token).hash);
            return Some(self.reject(slab, token, place));
        }
        let token = self.main.head()?;
        Some(self.dethrone(slab, token))
    }

    /// Looks at the entry at the end of the queue that is longer than it should be; `None` if there is no entry.
    fn judge<V>(&mut self, slab: &mut Slab<V>) -> Option<Verdict> {
        let target = self.balance.small_target(self.population());
        let is_full = self.small.len() >= target;
        let Some(candidate) = self.small.head().filter(|_| is_full) else {
            return self.judge_main(slab);
        };
        if slab.entry(candidate).frequency == 0 {
            return Some(self.duel(slab, candidate));
        }
        self.go_on(slab, candidate);
        Some(Verdict::PassedOver)
    }

    /// Main's oldest leaves, or gets another chance if it has been used.
    fn judge_main<V>(&mut self, slab: &mut Slab<V>) -> Option<Verdict> {
        let token = self.main.head()?;
        if self.second_chance(slab, token) {
            return Some(Verdict::PassedOver);
        }
        Some(Verdict::Leaves(self.dethrone(slab, token)))
    }

    /// Between the small queue's oldest and main's. Most candidates were never asked for before: these cannot win,
    /// and cost main neither a look nor a second chance, but when a review is due.
    fn duel<V>(&mut self, slab: &mut Slab<V>, candidate: u32) -> Verdict {
        let place = self.history.place(slab.entry(candidate).hash);
        let earlier = self.history.visits(place);
        let is_review = self.unreviewed >= REVIEWED_EVERY;
        let Some(champion) = self.main.head().filter(|_| earlier > 0 || is_review) else {
            return Verdict::Leaves(self.reject(slab, candidate, place));
        };
        if is_review && self.review(slab, champion) {
            return self.replace(slab, champion, candidate, UNPROVEN);
        }
        if earlier == 0 {
            return Verdict::Leaves(self.reject(slab, candidate, place));
        }
        if self.second_chance(slab, champion) {
            return Verdict::PassedOver;
        }
        let rival = self.history.place(slab.entry(champion).hash);
        if earlier <= self.history.visits(rival) {
            return Verdict::Leaves(self.reject(slab, candidate, place));
        }
        self.replace(slab, champion, candidate, MAIN)
    }

    fn count_visits(&mut self, hash: u64, visits: u8) {
        self.history.add_visits(self.history.place(hash), visits);
    }

    fn replace<V>(
        &mut self,
        slab: &mut Slab<V>,
        champion: u32,
        candidate: u32,
        queue: u8,
    ) -> Verdict {
        self.count_visits(slab.entry(candidate).hash, 1);
        self.move_up(slab, candidate, queue);
        Verdict::Leaves(self.leave_main(slab, champion, Left::Dethroned))
    }

    /// Whether main's oldest is to make room for another that has no more merit, so that nobody stays for ever by
    /// having been early.
    fn review<V>(&mut self, slab: &Slab<V>, champion: u32) -> bool {
        self.unreviewed = 0;
        let entry = slab.entry(champion);
        entry.queue == UNPROVEN && entry.frequency == 0
    }

    /// Gives an entry of main another round if it has been used: one for each use, or one for all where recency is
    /// favoured.
    fn second_chance<V>(&mut self, slab: &mut Slab<V>, token: u32) -> bool {
        let population = self.population();
        let entry = slab.entry_mut(token);
        if entry.frequency == 0 {
            return false;
        }
        let is_last = self.balance.favours_recency();
        entry.frequency = if is_last { 0 } else { entry.frequency - 1 };
        if std::mem::replace(&mut entry.queue, MAIN) == ON_TRIAL {
            self.comebacks.proved(population);
        }
        self.count_visits(entry.hash, 1);
        self.main.unlink(slab, token);
        self.main.push_back(slab, token);
        true
    }

    /// A used entry at the small queue's end goes round again. Where recency is favoured it moves on to main, if it is known
    /// from before: from an earlier stay, or used in an earlier round.
    fn go_on<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let entry = slab.entry_mut(token);
        let accesses = std::mem::take(&mut entry.frequency);
        let place = self.history.place(entry.hash);
        if self.balance.favours_recency() && self.history.visits(place) > 0 {
            self.history.add_visits(place, accesses + 1);
            self.move_up(slab, token, MAIN);
            return;
        }
        self.history.add_visits(place, accesses);
        self.small.unlink(slab, token);
        self.small.push_back(slab, token);
    }

    fn move_up<V>(&mut self, slab: &mut Slab<V>, token: u32, queue: u8) {
        self.small.unlink(slab, token);
        slab.entry_mut(token).queue = queue;
        self.main.push_back(slab, token);
    }

    /// The small queue gives an entry up, whose record is at that place.
    #[inline]
    fn reject<V>(&mut self, slab: &Slab<V>, token: u32, place: Place) -> u32 {
        self.unreviewed = self.unreviewed.saturating_add(1);
        let visits = slab.entry(token).frequency + 1;
        self.history.add_departure(place, visits, Left::Rejected);
        token
    }

    /// Main gives an entry up, and no candidate has beaten it: it may be for one of the sample.
    fn dethrone<V>(&mut self, slab: &Slab<V>, token: u32) -> u32 {
        if self.owed == 0 {
            return self.leave_main(slab, token, Left::Dethroned);
        }
        self.owed -= 1;
        self.leave_main(slab, token, Left::Displaced)
    }

    fn leave_main<V>(&mut self, slab: &Slab<V>, token: u32, left: Left) -> u32 {
        let place = self.history.place(slab.entry(token).hash);
        self.history.add_departure(place, 0, left);
        token
    }

    const fn population(&self) -> usize {
        self.small.len() + self.main.len()
    }

    /// Recomputes every invariant.
    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        for (queue, is_small) in [(&self.small, true), (&self.main, false)] {
            queue.validate(slab, |entry| {
                if (entry.queue == SMALL) == is_small
                    && entry.queue <= ON_TRIAL
                    && entry.frequency <= MOST_FREQUENT
                {
                    return Ok(());
                }
                let name = if is_small { "small" } else { "main" };
                Err(format!("entry of queue {} in {name}", entry.queue))
            })?;
        }
        let queued = self.population();
        if queued != slab.len() {
            return Err(format!("policy holds {queued} of {} entries", slab.len()));
        }
        if !self.balance.is_sound() {
            return Err("the small queue's share is out of range".to_owned());
        }
        if self.history.is_bounded(self.capacity) {
            return Ok(());
        }
        Err("the policy remembers too much".to_owned())
    }
}

#[cfg(test)]
mod tests;
