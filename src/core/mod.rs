//! The store: pure Rust, no Python, no `unsafe`, no clock read but in `clock.rs`.
//!
//! Read the files in this order: `clock` and `config`, then `entry` and `slab` (what is held, and
//! where), `policy` and `expiry` (what goes when), `tags`, `order` and `generations` (what goes together, and what
//! comes too late), `incoming` and `account` (what comes in, and how much may), `shard` (all of it put together,
//! unlocked), `store` (shards behind locks), `evicted` and `stats` (what comes out). `sync` has the locks, `steps`
//! counts for tests.
//!
//! Three rules hold everywhere in here:
//!
//! * Every operation is given `now`, read by the caller before any lock is taken.
//! * Nothing is dropped or called back under a lock but the `view` of a reading operation. Keys and
//!   values that leave the store travel out in [`Evicted`] and are dropped by the caller.
//! * Every operation costs amortised constant time, whatever the number of entries, unless it says
//!   otherwise; entries refer to each other by token (slot number), never by pointer.

mod account;
mod clock;
mod config;
mod entry;
mod evicted;
mod expiry;
mod generations;
mod incoming;
mod order;
mod policy;
mod shard;
mod slab;
mod stats;
mod steps;
mod store;
pub mod sync;
mod tags;

pub use clock::{Instant, coarse_now};
pub use config::{ConfigError, StoreConfig};
pub use entry::{Freshness, Key, Lifetime, Version};
pub use evicted::{Evicted, IntoIter, RemovalCause, Removed};
pub use generations::Ticket;
pub use incoming::{Offer, When};
pub use stats::Stats;
pub use store::{Inserted, Store};
pub use tags::{Tag, USERS};
