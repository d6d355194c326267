//! Whether keys that come back soon after they were evicted deserve main's places at once.
//!
//! They mostly do: what is asked for twice within twice the store's reach tends to be asked for again.
//! In a loop a little longer than the store they do not: each takes the place of a key that is just as
//! sure to come back, and so none is there when it is wanted. Which of the two it is shows in a sample, an
//! eighth of all keys, that is let in whatever the verdict: it is counted how many of the sample were of
//! use in main, and how many of those that they displaced were asked for again.

/// A key in so many is of the sample.
const SAMPLE: u64 = 8;
/// The verdict rests on a balance that is limited to this part of the entries, either way, ...
const LIMIT_PART: usize = 5;
/// ... and to no less than this.
const LEAST_LIMIT: i64 = 8;
/// A displaced key that is asked for weighs twice: where all are as good, nobody is to be displaced.
const REGRET: i64 = 2;

/// The verdict; see the module.
#[derive(Debug)]
pub(super) struct Comebacks {
    score: i64,
}

impl Comebacks {
    /// In favour, until shown otherwise.
    pub(super) const fn new() -> Self {
        Self { score: i64::MAX }
    }

    /// By bits of the hash that choose no shard.
    pub(super) const fn is_sample(hash: u64) -> bool {
        (hash >> 29).is_multiple_of(SAMPLE)
    }

    pub(super) const fn are_welcome(&self) -> bool {
        self.score > 0
    }

    /// A key of the sample was used in main.
    pub(super) fn proved(&mut self, population: usize) {
        let limit = limit(population);
        self.score = (self.score.min(limit) + 1).min(limit);
    }

    /// A key that one of the sample displaced was asked for.
    pub(super) fn regretted(&mut self, population: usize) {
        let limit = limit(population);
        self.score = (self.score.min(limit) - REGRET).max(-limit);
    }
}

fn limit(population: usize) -> i64 {
    i64::try_from(population / LIMIT_PART)
        .unwrap_or(i64::MAX)
        .max(LEAST_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::super::hash;
    use super::*;

    #[test]
    fn an_eighth_is_the_sample() {
        let sample = (0..8_000).filter(|&key| Comebacks::is_sample(hash(key)));
        assert!((900..1_100).contains(&sample.count()));
    }

    #[test]
    fn regrets_outweigh_and_are_outlived() {
        let mut comebacks = Comebacks::new();
        assert!(comebacks.are_welcome());
        (0..50).for_each(|_| comebacks.regretted(500));
        assert!(!comebacks.are_welcome());
        (0..1_000).for_each(|_| comebacks.regretted(500));
        (0..100).for_each(|_| comebacks.proved(500));
        assert!(!comebacks.are_welcome());
        comebacks.proved(500);
        assert!(comebacks.are_welcome());
        for _ in 0..200 {
            comebacks.proved(500);
            comebacks.regretted(500);
        }
        assert!(!comebacks.are_welcome());
    }
}
