//! Which entries are due: sorted runs in a heap (patience sorting).
//!
//! A *run* is a queue of entries with deadlines that never decrease. A new deadline is appended to
//! the open run whose last deadline is the latest one not after it, else it opens a run. A heap
//! orders the runs by their first deadline, so the entry due next is the first of the heap's first
//! run, exactly. Entries that never expire are in no run.
//!
//! Why not a heap of entries, or a timing wheel: with equal timeouts, the usual case, deadlines come
//! in order. There is one run then, adding is an append and removing is an unlink, both constant and
//! both at memory that the policy's queue has touched already. A heap of a million entries would
//! write scattered positions at each move; a wheel knows an entry's due time only by its slot and
//! carries entries from level to level. With random timeouts there are many short runs and an
//! operation costs a move in the heap of runs: logarithmic, small memory, no entry touched.

use super::clock::Instant;
use super::entry::EXPIRY;
use super::slab::{Queue, Slab};
use super::steps;

/// Runs that new deadlines may be appended to: as many different timeouts as are in common use get a
/// run each. The one used least recently is closed to make room, and only drains from then on.
const MOST_OPEN: usize = 16;

#[derive(Debug)]
struct Run {
    queue: Queue<EXPIRY>,
    first: Instant,
    last: Instant,
    /// Where the run is in the heap; of no meaning while it is free.
    position: usize,
}

/// The entries that expire, by deadline.
#[derive(Debug)]
pub(super) struct Expiry {
    runs: Vec<Run>,
    free: Vec<u32>,
    /// Runs by first deadline, a binary heap.
    heap: Vec<u32>,
    /// Runs that may grow, used most recently last.
    open: Vec<u32>,
    next_due: Instant,
}

impl Expiry {
    pub(super) const fn new() -> Self {
        Self {
            runs: Vec::new(),
            free: Vec::new(),
            heap: Vec::new(),
            open: Vec::new(),
            next_due: Instant::NEVER,
        }
    }

    /// The earliest deadline: one compare tells whether there is anything to do.
    #[inline]
    pub(super) const fn next_due(&self) -> Instant {
        self.next_due
    }

    /// The entry with the earliest deadline.
    pub(super) fn first(&self) -> Option<u32> {
        self.heap
            .first()
            .and_then(|&run| self.runs[run as usize].queue.head())
    }

    /// Adds an entry that is in no run.
    pub(super) fn insert<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let deadline = slab.entry(token).lifetime.stale_until;
        if deadline == Instant::NEVER {
            return;
        }
        let id = match self.best_open(deadline) {
            Some(index) => self.use_open(index),
            None => self.open_run(deadline),
        };
        slab.entry_mut(token).run = id;
        let run = &mut self.runs[id as usize];
        run.queue.push_back(slab, token);
        run.last = deadline;
    }

    /// Takes an entry out.
    pub(super) fn remove<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let entry = slab.entry(token);
        if entry.lifetime.stale_until == Instant::NEVER {
            return;
        }
        let id = entry.run;
        let run = &mut self.runs[id as usize];
        run.queue.unlink(slab, token);
        let (Some(head), Some(tail)) = (run.queue.head(), run.queue.tail()) else {
            return self.free_run(id);
        };
        run.last = slab.entry(tail).lifetime.stale_until;
        let first = slab.entry(head).lifetime.stale_until;
        // Deadlines in a run never decrease: if the first one changes, it comes later.
        if first != run.first {
            run.first = first;
            let position = run.position;
            self.sift_down(position);
            self.update_next_due();
        }
    }

    /// Where in `open` the run is that loses least by taking this deadline.
    fn best_open(&self, deadline: Instant) -> Option<usize> {
        let last = |index: &usize| self.runs[self.open[*index] as usize].last;
        // From the back: the run used most recently wins among equals.
        (0..self.open.len())
            .filter(|index| last(index) <= deadline)
            .max_by_key(last)
    }

    fn use_open(&mut self, index: usize) -> u32 {
        self.open[index..].rotate_left(1);
        self.open[self.open.len() - 1]
    }

    fn open_run(&mut self, deadline: Instant) -> u32 {
        let position = self.heap.len();
        let run = Run {
            queue: Queue::new(),
            first: deadline,
            last: deadline,
            position,
        };
        let id = self.free.pop().unwrap_or_else(|| run_id(self.runs.len()));
        if id as usize == self.runs.len() {
            self.runs.push(run);
        } else {
            self.runs[id as usize] = run;
        }
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(id);
        self.heap.push(id);
        self.sift_up(position);
        self.update_next_due();
        id
    }

    fn free_run(&mut self, id: u32) {
        let position = self.runs[id as usize].position;
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.sift_up(position);
            self.sift_down(position);
        }
        self.open.retain(|&open| open != id);
        self.free.push(id);
        self.update_next_due();
    }

    fn update_next_due(&mut self) {
        self.next_due = self
            .heap
            .first()
            .map_or(Instant::NEVER, |&id| self.runs[id as usize].first);
    }

    fn key(&self, position: usize) -> Instant {
        self.runs[self.heap[position] as usize].first
    }

    /// Puts a run where the heap is in order above it, and tells the runs that moved.
    fn sift_up(&mut self, mut position: usize) {
        while position > 0 && self.key(position) < self.key((position - 1) / 2) {
            self.swap(position, (position - 1) / 2);
            position = (position - 1) / 2;
        }
        self.tell_position(position);
    }

    fn sift_down(&mut self, mut position: usize) {
        loop {
            let children = (2 * position + 1)..(2 * position + 3).min(self.heap.len());
            let Some(least) = children.min_by_key(|&child| self.key(child)) else {
                break;
            };
            if self.key(position) <= self.key(least) {
                break;
            }
            self.swap(position, least);
            position = least;
        }
        self.tell_position(position);
    }

    fn swap(&mut self, one: usize, other: usize) {
        steps::count();
        self.heap.swap(one, other);
        self.tell_position(one);
        self.tell_position(other);
    }

    fn tell_position(&mut self, position: usize) {
        let run = self.heap[position];
        self.runs[run as usize].position = position;
    }

    /// Recomputes every invariant.
    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        let expiring = slab
            .iter()
            .filter(|(_, e)| e.lifetime.stale_until != Instant::NEVER)
            .count();
        let queued: usize = self
            .heap
            .iter()
            .map(|&id| self.runs[id as usize].queue.len())
            .sum();
        if queued != expiring {
            return Err(format!(
                "{queued} of {expiring} expiring entries are in runs"
            ));
        }
        if self.heap.len() + self.free.len() != self.runs.len() {
            return Err("a run is neither in use nor free".to_owned());
        }
        for (position, &id) in self.heap.iter().enumerate() {
            self.validate_run(slab, position, id)?;
        }
        let earliest = self
            .heap
            .iter()
            .map(|&id| self.runs[id as usize].first)
            .min();
        if self.next_due != earliest.unwrap_or(Instant::NEVER) {
            return Err(format!(
                "next due {:?}, earliest {earliest:?}",
                self.next_due
            ));
        }
        self.validate_open()
    }

    fn validate_run<V>(&self, slab: &Slab<V>, position: usize, id: u32) -> Result<(), String> {
        let run = &self.runs[id as usize];
        let mut deadlines = Vec::new();
        run.queue.validate(slab, |entry| {
            deadlines.push(entry.lifetime.stale_until);
            if entry.run == id {
                Ok(())
            } else {
                Err(format!("an entry in run {id} disowns it"))
            }
        })?;
        if !deadlines.is_sorted() {
            return Err(format!("run {id} is out of order"));
        }
        if (deadlines.first(), deadlines.last()) != (Some(&run.first), Some(&run.last)) {
            return Err(format!("run {id} does not know its ends"));
        }
        if run.position != position || self.key(position.saturating_sub(1) / 2) > run.first {
            return Err(format!("run {id} is out of place in the heap"));
        }
        Ok(())
    }

    fn validate_open(&self) -> Result<(), String> {
        let unique: std::collections::BTreeSet<_> = self.open.iter().collect();
        let in_use = self.open.iter().all(|id| self.heap.contains(id));
        if in_use && unique.len() == self.open.len() && self.open.len() <= MOST_OPEN {
            return Ok(());
        }
        Err(format!("open runs are wrong: {:?}", self.open))
    }
}

fn run_id(index: usize) -> u32 {
    // There are no more runs than entries, and those are bounded by their tokens.
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::entry::Lifetime;
    use super::super::slab::tests::entry;
    use super::*;

    struct Fixture {
        slab: Slab<u32>,
        expiry: Expiry,
    }

    impl Fixture {
        fn new() -> Self {
            let (slab, expiry) = (Slab::new(), Expiry::new());
            Self { slab, expiry }
        }

        fn add_all(&mut self, deadlines: impl IntoIterator<Item = u64>) -> Vec<u32> {
            deadlines.into_iter().map(|d| self.add(d)).collect()
        }

        fn add(&mut self, deadline: u64) -> u32 {
            let lifetime = Lifetime::until(Instant::from_nanos(deadline));
            let token = self.slab.insert(|| entry(0, lifetime));
            self.expiry.insert(&mut self.slab, token);
            self.expiry.validate(&self.slab).expect("sound");
            token
        }

        fn remove(&mut self, token: u32) -> u64 {
            self.expiry.remove(&mut self.slab, token);
            let deadline = self.slab.remove(token).lifetime.stale_until;
            self.expiry.validate(&self.slab).expect("sound");
            deadline.as_nanos()
        }

        fn drain(&mut self) -> Vec<u64> {
            let mut all = Vec::new();
            while let Some(token) = self.expiry.first() {
                let next_due = self.expiry.next_due().as_nanos();
                all.push(self.remove(token));
                assert_eq!(all.last(), Some(&next_due));
            }
            all
        }
    }

    /// Numbers without an order (a linear congruential generator).
    fn jumble(count: u64) -> Vec<u64> {
        let step = |state: &mut u64| {
            *state = state.wrapping_mul(6_364_136_223_846_793_005) | 1;
            Some(*state >> 40)
        };
        (0..count).scan(1, |state, _| step(state)).collect()
    }

    #[test]
    fn rising_deadlines_make_one_run() {
        let mut fixture = Fixture::new();
        fixture.add_all((0..50).map(|step| step / 2));
        assert_eq!(fixture.expiry.runs.len(), 1);
        assert!(fixture.drain().is_sorted());
        assert_eq!(fixture.expiry.next_due(), Instant::NEVER);
    }

    #[test]
    fn a_few_timeouts_in_turn_make_a_run_each() {
        let mut fixture = Fixture::new();
        fixture
            .add_all((0..60).map(|now| now + [1_000, 300, 60][usize::try_from(now % 3).unwrap()]));
        assert_eq!(fixture.expiry.runs.len(), 3);
        assert!(fixture.drain().is_sorted());
    }

    #[test]
    fn deadlines_without_order_come_out_in_order() {
        let mut fixture = Fixture::new();
        let mut deadlines = jumble(300);
        fixture.add_all(deadlines.clone());
        deadlines.sort_unstable();
        assert_eq!(fixture.drain(), deadlines);
        assert_eq!(fixture.expiry.free.len(), fixture.expiry.runs.len());
    }

    #[test]
    fn entries_leave_from_anywhere() {
        let mut fixture = Fixture::new();
        for token in fixture.add_all(jumble(200)).into_iter().step_by(3) {
            fixture.remove(token);
        }
        let rest = fixture.drain();
        assert!(rest.is_sorted());
        assert_eq!(rest.len(), 133);
    }

    #[test]
    fn falling_deadlines_are_bounded_to_a_few_open_runs() {
        let mut fixture = Fixture::new();
        fixture.add_all((0..40).map(|step| 100 - step));
        assert_eq!(fixture.expiry.open.len(), MOST_OPEN);
        assert!(fixture.drain().is_sorted());
    }

    #[test]
    fn a_run_that_lost_its_last_entry_takes_earlier_ones_again() {
        let mut fixture = Fixture::new();
        fixture.add(10);
        let late = fixture.add(100);
        fixture.remove(late);
        fixture.add(50);
        assert_eq!(fixture.expiry.runs.len(), 1);
    }

    #[test]
    fn entries_that_never_expire_are_in_no_run() {
        let mut fixture = Fixture::new();
        let token = fixture.add(u64::MAX);
        assert_eq!(fixture.expiry.first(), None);
        fixture.remove(token);
    }
}
