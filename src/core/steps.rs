//! Counts steps, in the core's own tests: that an operation takes a bounded number of them is shown by counting.
//!
//! A step is a look at an entry or at a record of a key, a move in the heap of expiry runs, or a change of what is
//! known of a tag. Growing a table is no step: it is paid for by the entries that made it grow.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// One more step of this thread; nothing at all but in tests.
#[inline]
pub(super) fn count() {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

/// The steps of `body`.
#[cfg(test)]
pub(super) fn of<R>(body: impl FnOnce() -> R) -> (u64, R) {
    let before = STEPS.get();
    let result = body();
    (STEPS.get() - before, result)
}
