//! Which entry goes when room is needed: the seam behind which a better policy can be put.
//!
//! A policy is one file in `policy/` with one type. There are two, for the two bounds: [`S3Duel`] where only the
//! number of entries counts, [`Density`] where bytes do. The shard asks [`Policy`] for this much, and nothing outside
//! the files knows more:
//!
//! * `new(capacity, weighs)`, `set_capacity(capacity)`: the entries this shard is expected to hold, its
//!   share of the bound, and whether there is a bound in bytes. Shares are expectations, not limits: keys hash
//!   unevenly.
//! * `insert(slab, token)`: a key new to the shard came in.
//! * `access(entry)`: a key was read, or was given a new value.
//! * `reweigh(slab, token, old)`: an entry weighs something else now.
//! * `victim(slab)`: the entry to go next; `None` only if there is none. Bounded work. It must be
//!   followed by the removal of that entry.
//! * `remove(slab, token)`: an entry leaves, for whatever cause.
//! * `validate(slab)`: recomputes every invariant from scratch.
//!
//! A policy keeps what it needs per entry in the entry (`links[POLICY]`, `queue`, `frequency`, `credit`). The other
//! files are their parts: `history` remembers keys, `balance` and `comebacks` learn from them.

mod balance;
mod comebacks;
mod density;
mod history;
mod s3duel;

use super::entry::Entry;
use super::slab::Slab;
use density::Density;
use s3duel::S3Duel;

/// A count of accesses stops here: two bits.
const MOST_FREQUENT: u8 = 3;

/// One of the policies; see the module.
#[derive(Debug)]
pub(super) enum Policy {
    ByEntries(S3Duel),
    ByBytes(Box<Density>),
}

impl Policy {
    pub(super) fn new(capacity: usize, weighs: bool) -> Self {
        if weighs {
            Self::ByBytes(Box::new(Density::new(capacity)))
        } else {
            Self::ByEntries(S3Duel::new(capacity))
        }
    }

    /// Is it the one for a bound in bytes?
    pub(super) const fn weighs(&self) -> bool {
        matches!(self, Self::ByBytes(_))
    }

    pub(super) fn set_capacity(&mut self, capacity: usize) {
        match self {
            Self::ByEntries(policy) => policy.set_capacity(capacity),
            Self::ByBytes(policy) => policy.set_capacity(capacity),
        }
    }

    #[inline]
    pub(super) fn insert<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        match self {
            Self::ByEntries(policy) => policy.insert(slab, token),
            Self::ByBytes(policy) => policy.insert(slab, token),
        }
    }

    #[inline]
    pub(super) fn access<V>(entry: &mut Entry<V>) {
        // No write where nothing changes: the line stays clean.
        if entry.frequency < MOST_FREQUENT {
            entry.frequency += 1;
        }
    }

    pub(super) fn reweigh<V>(&mut self, slab: &mut Slab<V>, token: u32, old: usize) {
        if let Self::ByBytes(policy) = self {
            policy.reweigh(slab, token, old);
        }
    }

    #[inline]
    pub(super) fn victim<V>(&mut self, slab: &mut Slab<V>) -> Option<u32> {
        match self {
            Self::ByEntries(policy) => policy.victim(slab),
            Self::ByBytes(policy) => policy.victim(slab),
        }
    }

    #[inline]
    pub(super) fn remove<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        match self {
            Self::ByEntries(policy) => policy.remove(slab, token),
            Self::ByBytes(policy) => policy.remove(slab, token),
        }
    }

    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        match self {
            Self::ByEntries(policy) => policy.validate(slab),
            Self::ByBytes(policy) => policy.validate(slab),
        }
    }
}

/// A hash for tests: `SplitMix64`.
#[cfg(test)]
const fn hash(key: u64) -> u64 {
    let z = key.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
