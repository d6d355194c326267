//! The model checker's lock in the shape of `parking_lot`'s.

use std::sync::PoisonError;

use ahash::RandomState;
use shuttle::rand::{Rng, thread_rng};
pub use shuttle::sync::MutexGuard;
pub(in crate::core) use shuttle::thread::yield_now;

/// A lock that knows no poison.
#[derive(Debug, Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// An open lock.
    pub const fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// A hash whose seed is part of the schedule, so that a schedule can be run again: it decides which keys
/// share a shard.
pub(in crate::core) fn new_hasher() -> RandomState {
    let mut random = thread_rng();
    let mut seed = || random.r#gen();
    RandomState::with_seeds(seed(), seed(), seed(), seed())
}
