//! The only source of locks, atomics and chance, for the core and the boundary, so that they can be swapped
//! for a model checker's: with the feature `model` each of them is a point at which another thread may go on.

#[cfg(feature = "model")]
mod model;

pub use std::sync::Arc;

#[cfg(not(feature = "model"))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(feature = "model"))]
pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
#[cfg(not(feature = "model"))]
pub(super) use std::thread::yield_now;

#[cfg(feature = "model")]
pub use model::{Mutex, MutexGuard};
#[cfg(feature = "model")]
pub(super) use model::{new_hasher, yield_now};
#[cfg(feature = "model")]
pub use shuttle::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

/// A hash of a seed of its own.
#[cfg(not(feature = "model"))]
pub(super) fn new_hasher() -> ahash::RandomState {
    ahash::RandomState::new()
}

/// A value on cache lines of its own, so that threads on neighbouring shards do not slow each other
/// down. Two lines of 64 bytes: processors fetch them in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(super) struct Padded<T>(pub(super) T);
