//! How much of the store the small queue has: more where new keys come back soon, less where old ones do.

/// Shares are parts of this.
const WHOLE: u64 = 1 << 32;
/// Where the share begins: S3-FIFO's tenth.
const START: u64 = WHOLE / 10;
/// Where it ends. The small queue is never so short that no key has time to come back, and main never so
/// short that none is kept for its frequency.
const LEAST: u64 = WHOLE / 100;
const MOST: u64 = WHOLE / 10 * 9;
/// A key that left within the last tenth of the store is what a queue a little longer would have kept: that
/// moves the share by a step.
const MARGIN_PART: usize = 10;
/// A step is one entry, and longer by an eighth for each step before it in the same direction: slow while the
/// two sides are even, four times as fast when the load has changed. Steps are counted in sixteenths.
const STEP: u64 = 16;
const LONGER: u64 = STEP / 8;
const LONGEST: u64 = STEP * 4;
/// A key given up longer ago is no more than a hint: only a much longer queue would have kept it. Without
/// hints, keys that all come back after the same long while would never be kept. Main's count four times, as it
/// remembers a quarter as many.
const SMALL_HINT: u64 = 1;
const MAIN_HINT: u64 = 4;

/// The small queue's share, moved by the misses that a longer queue would have spared.
#[derive(Debug)]
pub(super) struct Balance {
    share: u64,
    /// Steps taken lately in the same direction; negative if towards main.
    run: i64,
}

impl Balance {
    pub(super) const fn new() -> Self {
        Self {
            share: START,
            run: 0,
        }
    }

    /// The length at which the small queue is full, at least 1.
    pub(super) fn small_target(&self, population: usize) -> usize {
        let target = (self.share * population as u64) / WHOLE;
        usize::try_from(target).unwrap_or(0).max(1)
    }

    /// A miss that a longer small queue would have spared: it gave up so many others since.
    pub(super) fn missed_in_small(&mut self, age: u32, population: usize) {
        let mut change = SMALL_HINT;
        if is_marginal(age, population) {
            self.run = self.run.max(0) + 1;
            change = self.step();
        }
        self.share = (self.share + part(change, population)).min(MOST);
    }

    /// A miss that a longer main might have spared: it gave up so many others since.
    pub(super) fn missed_in_main(&mut self, age: u32, population: usize) {
        let mut change = MAIN_HINT;
        if is_marginal(age, population) {
            self.run = self.run.min(0) - 1;
            change = self.step();
        }
        let change = part(change, population);
        self.share = self.share.saturating_sub(change).max(LEAST);
    }

    fn step(&self) -> u64 {
        let longer = self.run.unsigned_abs().saturating_sub(1) * LONGER;
        (STEP + longer).min(LONGEST)
    }

    pub(super) const fn is_sound(&self) -> bool {
        LEAST <= self.share && self.share <= MOST
    }
}

/// Whether a queue longer by a tenth of the store would still have had the entry.
const fn is_marginal(age: u32, population: usize) -> bool {
    // The latest is, in a store of any size.
    age as usize * MARGIN_PART < population + MARGIN_PART
}

/// Sixteenths of an entry as a part of all entries.
fn part(sixteenths: u64, population: usize) -> u64 {
    sixteenths * (WHOLE / STEP) / population.max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: u32 = 0;
    const FAR: u32 = 10_000;

    #[test]
    fn the_share_begins_at_a_tenth_and_leaves_room_for_both() {
        let mut balance = Balance::new();
        let targets = [1, 2, 10, 500, 1_000_000].map(|all| balance.small_target(all));
        assert_eq!(targets, [1, 1, 1, 49, 99_999]);
        (0..1_000).for_each(|_| balance.missed_in_small(NEAR, 500));
        assert_eq!(balance.small_target(500), 449);
        (0..1_000).for_each(|_| balance.missed_in_main(NEAR, 500));
        assert_eq!(balance.small_target(500), 4);
        assert!(balance.is_sound());
    }

    #[test]
    fn a_step_is_one_entry_and_up_to_four_in_a_row() {
        let mut balance = Balance::new();
        balance.missed_in_small(NEAR, 10_000);
        assert_eq!(balance.small_target(10_000), 1_000);
        balance.missed_in_main(NEAR, 10_000);
        assert_eq!(balance.small_target(10_000), 999);
        (0..25).for_each(|_| balance.missed_in_small(NEAR, 10_000));
        let before = balance.small_target(10_000);
        (0..100).for_each(|_| balance.missed_in_small(NEAR, 10_000));
        let gained = balance.small_target(10_000) - before;
        assert!((399..=400).contains(&gained), "{gained}");
    }

    #[test]
    fn what_left_long_ago_is_a_hint() {
        let mut balance = Balance::new();
        (0..161).for_each(|_| balance.missed_in_small(FAR, 1_000));
        assert_eq!(balance.small_target(1_000), 110);
        (0..20).for_each(|_| balance.missed_in_main(FAR, 1_000));
        assert_eq!(balance.small_target(1_000), 105);
    }

    #[test]
    fn only_the_last_tenth_is_marginal() {
        assert!(is_marginal(50, 500) && !is_marginal(51, 500));
        assert!(is_marginal(1, 1) && !is_marginal(2, 1));
    }
}
