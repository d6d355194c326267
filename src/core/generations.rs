//! Which keys were invalidated since when: what lets a value that was long in the making be stored only if it
//! is still wanted.
//!
//! Keys share stripes by their hash. A removal, a `clear` or a newer value bumps the stripe; eviction and
//! expiry do not, as they take nothing back. A shared stripe can only err to the safe side: a value that
//! was still good is not stored.

/// A power of two. With as many fills in flight, one invalidation stops one of them in 64 for nothing.
const STRIPES: usize = 64;

/// A moment in the stripe of a key, and in those of its tags.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(super) key: u32,
    pub(super) tags: u32,
}

/// The stripes of one shard.
#[derive(Debug)]
pub(super) struct Generations([u32; STRIPES]);

impl Generations {
    pub(super) const fn new() -> Self {
        Self([0; STRIPES])
    }

    /// Nothing that was handed a ticket for a key of this stripe before is wanted any more.
    #[inline]
    pub(super) fn bump(&mut self, hash: u64) {
        let stripe = &mut self.0[stripe(hash)];
        *stripe = stripe.wrapping_add(1);
    }

    /// The same for all keys.
    pub(super) fn bump_all(&mut self) {
        for stripe in &mut self.0 {
            *stripe = stripe.wrapping_add(1);
        }
    }

    /// How often the stripe was bumped.
    pub(super) fn at(&self, hash: u64) -> u32 {
        self.0[stripe(hash)]
    }
}

/// By bits that neither the shard's table nor the choice of the shard makes much use of.
fn stripe(hash: u64) -> usize {
    usize::try_from(hash >> 20).unwrap_or(0) % STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_ends_the_tickets_of_its_stripe_alone() {
        let (mut generations, one, other) = (Generations::new(), 1 << 20, 2 << 20);
        let (first, second) = (generations.at(one), generations.at(other));
        generations.bump(one);
        assert_ne!(generations.at(one), first);
        assert_eq!(generations.at(other), second);
        generations.bump_all();
        assert_ne!(generations.at(other), second);
    }
}
