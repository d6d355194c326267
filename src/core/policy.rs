//! Which entry goes when room is needed: the seam behind which a better policy can be put.
//!
//! A policy is one file in `policy/` with one type, re-exported here as [`Policy`]. The shard asks
//! for this much, and nothing outside the file knows more:
//!
//! * `new(capacity, weighs)`, `set_capacity(capacity, weighs)`: the entries this shard is expected to hold, its
//!   share of the bound, and whether there is a bound in bytes. Shares are expectations, not limits: keys hash
//!   unevenly.
//! * `insert(slab, token)`: a key new to the shard came in.
//! * `access(entry)`: a key was read, or was given a new value.
//! * `reweigh(slab, token, old)`: an entry weighs something else now.
//! * `victim(slab, incoming)`: the entry to go next, so that one of that weight can come in; `None` only if there
//!   is none. Bounded work. It must be followed by the removal of that entry.
//! * `remove(slab, token)`: an entry leaves, for whatever cause.
//! * `validate(slab)`: recomputes every invariant from scratch.
//!
//! The policy keeps what it needs per entry in the entry (`links[POLICY]`, `queue`, `frequency`). The other
//! files are its parts: `history` remembers keys, `balance` and `comebacks` learn from them, `weights` is for bytes.

mod balance;
mod comebacks;
mod history;
mod s3duel;
mod weights;

pub(super) use s3duel::S3Duel as Policy;

/// A hash for tests: `SplitMix64`.
#[cfg(test)]
const fn hash(key: u64) -> u64 {
    let z = key.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
