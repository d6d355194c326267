//! Which entry goes when room is needed: the seam behind which a better policy can be put.
//!
//! A policy is one file in `policy/` with one type, re-exported here as [`Policy`]. The shard asks
//! for this much, and nothing outside the file knows more:
//!
//! * `new(capacity)`, `set_capacity(capacity)`: the entries this shard is expected to hold, its
//!   share of the bound. Shares are expectations, not limits: keys hash unevenly.
//! * `insert(slab, token)`: a key new to the shard came in.
//! * `access(entry)`: a key was read, or was given a new value.
//! * `victim(slab)`: the entry to go next; `None` only if there is none. Bounded work. It must be
//!   followed by the removal of that entry.
//! * `remove(slab, token)`: an entry leaves, for whatever cause.
//! * `validate(slab)`: recomputes every invariant from scratch.
//!
//! The policy keeps what it needs per entry in the entry (`links[POLICY]`, `queue`, `frequency`).

mod ghost;
mod s3fifo;

pub(super) use s3fifo::S3Fifo as Policy;
