//! Lifetimes shortened at random, so that what is stored together does not expire together.

use std::sync::LazyLock;

use ahash::RandomState;

use super::flight::process_number;
use super::timeout::Timeout;
use crate::core::sync::{AtomicU64, Ordering};

static RANDOM: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// The largest share of a lifetime that is taken away: a fraction in 64 bits; 0 = none.
#[derive(Debug, Default)]
pub(super) struct Jitter(AtomicU64);

impl Jitter {
    /// `share` is from 0 to 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from 0 to 1 here, and `as` saturates"
    )]
    pub(super) fn set(&self, share: f64) {
        let bits = (share * u64::MAX as f64) as u64;
        self.0.store(bits, Ordering::Relaxed);
    }

    /// A timeout less a random share of it. At least a nanosecond of it is left.
    #[inline]
    pub(super) fn shorten(&self, timeout: Timeout) -> Timeout {
        match (self.0.load(Ordering::Relaxed), timeout) {
            (0, _) | (_, Timeout::Never | Timeout::Past) => timeout,
            (most, Timeout::Nanos(nanos)) => {
                let share = fraction_of(most, random());
                Timeout::Nanos((nanos - fraction_of(nanos, share)).max(1))
            }
        }
    }
}

/// `fraction` in 64 bits of a number.
fn fraction_of(number: u64, fraction: u64) -> u64 {
    let product = u128::from(number) * u128::from(fraction);
    u64::try_from(product >> 64).unwrap_or(number)
}

/// Another one each time, and in a forked child others than in its parent and its parent's other children.
pub(super) fn random() -> u64 {
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
    RANDOM.hash_one((process_number(), drawn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_spread_over_the_share() {
        let jitter = Jitter::default();
        assert_eq!(jitter.shorten(Timeout::Nanos(1_000)), Timeout::Nanos(1_000));
        jitter.set(0.5);
        let left = (0..1_000).map(|_| match jitter.shorten(Timeout::Nanos(1_000)) {
            Timeout::Nanos(nanos) => nanos,
            other => panic!("{other:?}"),
        });
        let left: Vec<u64> = left.collect();
        let (least, most) = (left.iter().min(), left.iter().max());
        assert!(least >= Some(&500) && least < Some(&550), "{least:?}");
        assert!(most <= Some(&1_000) && most > Some(&950), "{most:?}");
    }

    #[test]
    fn for_ever_stays_for_ever_and_nothing_becomes_nothing() {
        let jitter = Jitter::default();
        jitter.set(1.0);
        assert_eq!(jitter.shorten(Timeout::Never), Timeout::Never);
        assert_eq!(jitter.shorten(Timeout::Past), Timeout::Past);
        assert_eq!(jitter.shorten(Timeout::Nanos(1)), Timeout::Nanos(1));
    }
}
