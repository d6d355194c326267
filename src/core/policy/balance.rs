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
/// two sides are even, four times as fast when the load has changed. Steps are counted in parts of an entry.
const STEP: u64 = 32;
/// The trend: what a step along it adds, what one against it takes, and where it ends.
const ALONG: i32 = 2;
const AGAINST: i32 = 4;
const MOST_TREND: i32 = 50;
/// Steps towards the small queue get longer by as much again for each so many entries, ten times at most: a large
/// store would take longer to learn than most loads last. Towards main there is no such haste, as what it has is
/// guarded.
const LARGE: usize = 1_000;
const MOST_LARGE: usize = 10;
/// Keys that come back in the order they left (a loop, a file that is read again) come at the same age, but for this
/// part of the entries. They are one event and not many: no trend.
const SAME_PART: usize = 64;
/// A key given up longer ago is no more than a hint: only a much longer queue would have kept it. Without
/// hints, keys that all come back after the same long while would never be kept. Main's count four times, as it
/// remembers a quarter as many. In a loop, which the verdict on comebacks tells, they say nothing.
const SMALL_HINT: u64 = 3;
const MAIN_HINT: u64 = 12;

/// Above this share the load is one of recency.
const RECENCY: u64 = WHOLE / 3;

/// The small queue's share, moved by the misses that a longer queue would have spared.
#[derive(Debug)]
pub(super) struct Balance {
    share: u64,
    /// Where the steps of late lead: negative if towards main.
    trend: i32,
    /// The ages of the last that moved it by a step.
    last_in_small: u32,
    last_in_main: u32,
}

impl Balance {
    pub(super) const fn new() -> Self {
        Self {
            share: START,
            trend: 0,
            last_in_small: u32::MAX,
            last_in_main: u32::MAX,
        }
    }

    /// The length at which the small queue is full, at least 1.
    pub(super) fn small_target(&self, population: usize) -> usize {
        let target = (self.share * population as u64) / WHOLE;
        usize::try_from(target).unwrap_or(0).max(1)
    }

    /// Whether what was used of late is worth more than what was used often.
    pub(super) const fn favours_recency(&self) -> bool {
        self.share > RECENCY
    }

    /// A miss that a longer small queue would have spared: it gave up so many others since. Is it a hint if that was
    /// long ago?
    pub(super) fn missed_in_small(&mut self, age: u32, population: usize, may_hint: bool) {
        let mut change = if may_hint { SMALL_HINT } else { 0 };
        if is_marginal(age, population) {
            let last = std::mem::replace(&mut self.last_in_small, age);
            change = STEP;
            if !is_same(age, last, population) {
                self.trend = further(self.trend);
                change += longer(self.trend) * (1 + (population / LARGE).min(MOST_LARGE)) as u64;
            }
        } else if self.trend > 0 {
            // There is more to be had far away than near: no slope, but a cliff.
            self.trend -= 1;
        }
        self.share = (self.share + part(change, population)).min(MOST);
    }

    /// A miss that a longer main might have spared: it gave up so many others since.
    pub(super) fn missed_in_main(&mut self, age: u32, population: usize) {
        let mut change = MAIN_HINT;
        if is_marginal(age, population) {
            let last = std::mem::replace(&mut self.last_in_main, age);
            change = STEP;
            if !is_same(age, last, population) {
                self.trend = -further(-self.trend);
                change += longer(-self.trend);
            }
        }
        let change = part(change, population);
        self.share = self.share.saturating_sub(change).max(LEAST);
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

/// Whether it comes back in the order it left.
const fn is_same(age: u32, last: u32, population: usize) -> bool {
    (age.abs_diff(last) as usize).saturating_mul(SAME_PART) < population
}

/// The trend after one more step towards its positive side.
fn further(trend: i32) -> i32 {
    if trend < 0 {
        return (trend + AGAINST).min(ALONG);
    }
    (trend + ALONG).min(MOST_TREND)
}

/// By how many parts a trend lengthens a step: an eighth for each step along it.
fn longer(trend: i32) -> u64 {
    u64::try_from(trend - ALONG).unwrap_or(0) * (STEP / 16)
}

/// Parts of an entry as a part of all entries.
fn part(parts: u64, population: usize) -> u64 {
    parts * (WHOLE / STEP) / population.max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: u32 = 10_000;

    /// A miss in the small queue or in main, from a place other than the last.
    fn near(balance: &mut Balance, is_small: bool, population: usize) {
        let far_apart = u32::try_from(population / 20).expect("small");
        let last = if is_small {
            balance.last_in_small
        } else {
            balance.last_in_main
        };
        let age = if last == 0 { far_apart } else { 0 };
        if is_small {
            balance.missed_in_small(age, population, true);
        } else {
            balance.missed_in_main(age, population);
        }
    }

    #[test]
    fn the_share_begins_at_a_tenth_and_leaves_room_for_both() {
        let mut balance = Balance::new();
        let targets = [1, 2, 10, 500, 1_000_000].map(|all| balance.small_target(all));
        assert_eq!(targets, [1, 1, 1, 49, 99_999]);
        (0..1_000).for_each(|_| near(&mut balance, true, 500));
        assert_eq!(balance.small_target(500), 449);
        assert!(balance.favours_recency());
        (0..1_000).for_each(|_| near(&mut balance, false, 500));
        assert_eq!(balance.small_target(500), 4);
        assert!(balance.is_sound() && !balance.favours_recency());
    }

    #[test]
    fn a_step_is_one_entry_and_up_to_four_along_the_trend() {
        let mut balance = Balance::new();
        near(&mut balance, true, 10_000);
        assert_eq!(balance.small_target(10_000), 1_000);
        near(&mut balance, false, 10_000);
        assert_eq!(balance.small_target(10_000), 999);
        (0..25).for_each(|_| near(&mut balance, false, 10_000));
        let before = balance.small_target(10_000);
        (0..100).for_each(|_| near(&mut balance, false, 10_000));
        let lost = before - balance.small_target(10_000);
        assert!((399..=400).contains(&lost), "{lost}");
    }

    /// Three more entries for each thousand that there are, up to ten thousand.
    #[test]
    fn steps_towards_the_small_queue_get_longer_in_a_large_store() {
        for (population, step) in [(900, 4), (10_000, 34), (1_000_000, 34)] {
            let mut balance = Balance::new();
            (0..25).for_each(|_| near(&mut balance, true, population));
            let before = balance.small_target(population);
            near(&mut balance, true, population);
            let gained = balance.small_target(population) - before;
            assert!((step - 1..=step + 1).contains(&gained), "{gained}");
        }
    }

    #[test]
    fn steps_back_slow_the_trend_and_turn_it() {
        let mut balance = Balance::new();
        (0..10).for_each(|_| near(&mut balance, true, 1_000));
        assert_eq!(balance.trend, 20);
        near(&mut balance, false, 1_000);
        assert_eq!(balance.trend, 16);
        (0..5).for_each(|_| near(&mut balance, false, 1_000));
        assert_eq!(balance.trend, -2);
        near(&mut balance, true, 1_000);
        assert_eq!(balance.trend, 2);
    }

    /// A loop, or a file that is read again: all of its keys come at one age.
    #[test]
    fn keys_that_come_back_in_the_order_they_left_are_no_trend() {
        let mut balance = Balance::new();
        (0..100).for_each(|i| balance.missed_in_small(40 + i % 2, 1_000, true));
        assert_eq!(balance.trend, 2);
        assert_eq!(balance.small_target(1_000), 199);
        (0..100).for_each(|i| balance.missed_in_main(40 + i % 2, 1_000));
        assert_eq!(balance.trend, -2);
        assert_eq!(balance.small_target(1_000), 99);
    }

    #[test]
    fn where_most_come_from_far_there_is_no_trend() {
        let mut balance = Balance::new();
        for _ in 0..100 {
            near(&mut balance, true, 1_000);
            (0..2).for_each(|_| balance.missed_in_small(FAR, 1_000, true));
        }
        assert_eq!(balance.trend, 0);
    }

    #[test]
    fn what_left_long_ago_is_a_hint_but_in_a_loop() {
        let mut balance = Balance::new();
        (0..161).for_each(|_| balance.missed_in_small(FAR, 1_000, true));
        assert_eq!(balance.small_target(1_000), 115);
        (0..161).for_each(|_| balance.missed_in_small(FAR, 1_000, false));
        assert_eq!(balance.small_target(1_000), 115);
        (0..20).for_each(|_| balance.missed_in_main(FAR, 1_000));
        assert_eq!(balance.small_target(1_000), 107);
    }

    #[test]
    fn only_the_last_tenth_is_marginal() {
        assert!(is_marginal(50, 500) && !is_marginal(51, 500));
        assert!(is_marginal(1, 1) && !is_marginal(2, 1));
    }
}
