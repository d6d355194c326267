//! What the queues weigh, and what an entry's weight has to do with who stays: only where bytes are bounded.
//!
//! A cache that is bounded in bytes serves most hits if it keeps what has most hits per byte. So there the small
//! queue's share is one of bytes; in a duel visits are compared per byte; and an entry that is much heavier than
//! others needs more accesses for another round. (That hits count by size goes back to Cao and Irani,
//! "Cost-Aware WWW Proxy Caching Algorithms", USITS 1997; that it is enough to weigh the contenders of a duel, to
//! Einziger, Eytan, Friedman and Manes, "Lightweight Robust Size Aware Cache Management", Transactions on Storage 2022.)

use super::super::entry::Entry;

/// An entry so many times as heavy as the mean needs an access more for each round, and one more for each time
/// that factor again, up to [`MOST_SURCHARGE`].
const HEAVY: usize = 4;
const MOST_SURCHARGE: u8 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Weights {
    /// Does weight count? If not the sums are kept all the same.
    pub(super) count: bool,
    pub(super) small: usize,
    pub(super) main: usize,
}

impl Weights {
    pub(super) const fn new(count: bool) -> Self {
        Self {
            count,
            small: 0,
            main: 0,
        }
    }

    /// The sum of a queue's entries, by [`Entry::queue`].
    #[inline]
    pub(super) const fn of(&mut self, queue: u8) -> &mut usize {
        if queue == super::s3duel::SMALL {
            &mut self.small
        } else {
            &mut self.main
        }
    }

    /// Does the first of two entries, asked for so often on earlier visits, serve more hits (per byte)?
    #[inline]
    pub(super) fn favour<V>(&self, one: &Entry<V>, other: &Entry<V>, visits: (u32, u32)) -> bool {
        if !self.count {
            return visits.0 > visits.1;
        }
        let merit = |visits: u32, against: &Entry<V>| u128::from(visits) * against.weight as u128;
        merit(visits.0, other) > merit(visits.1, one)
    }

    /// Accesses that an entry of that weight, among so many, pays for its weight.
    #[inline]
    pub(super) const fn surcharge(&self, weight: usize, population: usize) -> u8 {
        if !self.count {
            return 0;
        }
        let heavy =
            (self.small + self.main) / (if population == 0 { 1 } else { population }) * HEAVY;
        let (mut surcharge, mut limit) = (0, heavy);
        while surcharge < MOST_SURCHARGE && weight > limit {
            surcharge += 1;
            limit = limit.saturating_mul(HEAVY);
        }
        surcharge
    }
}
