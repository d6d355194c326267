//! The only source of locks and atomics, for the core and the boundary, so that they can be swapped
//! for a model checker's.

pub use parking_lot::{Mutex, MutexGuard};
pub use std::sync::Arc;
pub use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

/// A value on cache lines of its own, so that threads on neighbouring shards do not slow each other
/// down. Two lines of 64 bytes: processors fetch them in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(super) struct Padded<T>(pub(super) T);
