//! Which clock a store goes by, and its time as the core's instants.
//!
//! Production reads the monotonic clock natively. A store may instead follow a callable (`clock=`) or
//! `time.time`, looked up at each call so that frozen time is followed. Whatever the source, time goes
//! on from where it was when the source changes: an offset is kept beside it.

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::daemon::{call_function, call_method};
use super::errors::Error;
use super::once::{Once, intern};
use crate::core::sync::AtomicI64;
use crate::core::{Instant, coarse_now};

/// Room below any clock's zero: a hand-moved clock may run 146 years back without reaching instant 0.
const ORIGIN: i64 = 1 << 62;

/// No clock of seconds says more, as no calendar of Python's goes beyond the year 9999: what counts milliseconds does,
/// would stand still at the end of our instants, and let nothing expire.
const LATEST: f64 = 253_402_300_800.0;

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(super) enum Source {
    /// The monotonic clock.
    Native = 0,
    /// `time.time`, late-bound.
    Wall = 1,
    /// The store's own `clock` attribute.
    Callable = 2,
}

/// A source, in the two lowest bits, and what is added to its nanoseconds, so that time is continuous over a
/// change of source: to within four of them.
#[derive(Debug, Clone, Copy)]
struct State(i64);

impl State {
    const SOURCE: i64 = 3;

    /// Time never runs back: the offset is rounded up.
    const fn new(source: Source, offset: i64) -> Self {
        Self((offset.saturating_add(Self::SOURCE) & !Self::SOURCE) | source as i64)
    }

    #[inline]
    const fn source(self) -> Source {
        match self.0 & Self::SOURCE {
            0 => Source::Native,
            1 => Source::Wall,
            _ => Source::Callable,
        }
    }

    #[inline]
    const fn shifted(self, nanos: i64) -> i64 {
        nanos.saturating_add(self.0 & !Self::SOURCE)
    }
}

/// A store's clock. Cheap to read; its source changes rarely.
#[derive(Debug)]
pub(super) struct Clock {
    /// In one word, so that nobody sees the one without the other.
    state: AtomicI64,
    /// The latest time that a Python clock told, for when it cannot be asked.
    told: AtomicI64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicI64::new(State::new(Source::Native, ORIGIN).0),
            told: AtomicI64::new(ORIGIN),
        }
    }

    /// The source in use.
    #[inline]
    pub(super) fn source(&self) -> Source {
        self.state().source()
    }

    #[inline]
    fn state(&self) -> State {
        State(self.state.load(Ordering::Relaxed))
    }

    /// The present instant. `store` is the Python object whose `clock` attribute may be asked.
    ///
    /// Raises what the callable raises, `TypeError` if it returns no finite number, and `ValueError` if that can be no
    /// seconds.
    #[inline]
    pub(super) fn now(&self, store: &Bound<'_, PyAny>) -> PyResult<Instant> {
        let state = self.state();
        if state.source() == Source::Native {
            return Ok(instant(state.shifted(native_nanos())));
        }
        self.python_now(store, state)
    }

    #[cold]
    fn python_now(&self, store: &Bound<'_, PyAny>, state: State) -> PyResult<Instant> {
        // A clock that calls the cache finds the time it told last.
        if let Some(_asking) = Asking::begin(self) {
            let shifted = state.shifted(source_nanos(store, state.source())?);
            self.told.store(shifted, Ordering::Relaxed);
            return Ok(instant(shifted));
        }
        Ok(instant(self.told.load(Ordering::Relaxed)))
    }

    /// Goes by another source, or (if `is_new` says so) another callable, from now on; entries keep the lifetime they
    /// have left.
    ///
    /// Raises as [`Self::now`] does; then nothing has changed.
    #[cold]
    pub(super) fn switch(
        &self,
        store: &Bound<'_, PyAny>,
        to: Source,
        is_new: bool,
    ) -> PyResult<()> {
        let Some(_asking) = Asking::begin(self) else {
            // The new clock is being asked right now, and calls the cache.
            return Ok(());
        };
        let mut old = self.state();
        loop {
            let before = match old.source() {
                // It may be gone by now: whoever sets a clock asks the old one first.
                Source::Callable => self.told.load(Ordering::Relaxed),
                source => old.shifted(source_nanos(store, source)?),
            };
            let after = source_nanos(store, to)?;
            let new = State::new(to, before.saturating_sub(after));
            self.told.store(before, Ordering::Relaxed);
            if self.replace(old, new) {
                return Ok(());
            }
            // Another thread switched meanwhile. If it was to the same, entries may go by its time already.
            old = self.state();
            if !is_new && old.source() == to {
                return Ok(());
            }
        }
    }

    fn replace(&self, old: State, new: State) -> bool {
        let relaxed = Ordering::Relaxed;
        self.state
            .compare_exchange(old.0, new.0, relaxed, relaxed)
            .is_ok()
    }
}

thread_local! {
    /// The clocks (by address) that this thread is asking, innermost last.
    static ASKING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// This thread is asking a Python clock.
struct Asking;

impl Asking {
    /// None if it is asking this one already.
    fn begin(clock: &Clock) -> Option<Self> {
        let address = std::ptr::from_ref(clock) as usize;
        ASKING.with_borrow_mut(|asking| {
            if asking.contains(&address) {
                return None;
            }
            asking.push(address);
            Some(Self)
        })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.with_borrow_mut(Vec::pop);
    }
}

/// Is this a clock? Raises what the callable raises, `TypeError` if it is none or returns no finite number, and
/// `ValueError` if that can be no seconds.
pub(super) fn check_callable(clock: &Bound<'_, PyAny>) -> PyResult<()> {
    if !clock.is_callable() {
        return Err(clock_error(clock));
    }
    told_nanos(&call_function(clock, ())?).map(|_| ())
}

#[inline]
fn native_nanos() -> i64 {
    coarse_now().as_nanos().cast_signed()
}

#[inline]
fn instant(nanos: i64) -> Instant {
    Instant::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

fn source_nanos(store: &Bound<'_, PyAny>, source: Source) -> PyResult<i64> {
    match source {
        Source::Native => Ok(native_nanos()),
        Source::Wall => Ok(nanos(seconds(&wall_time(store.py())?)?)),
        Source::Callable => told_nanos(&call_function(&clock_attribute(store)?, ())?),
    }
}

fn clock_attribute<'py>(store: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    store.getattr(intern!(store.py(), "clock"))
}

/// `time.time()`, looked up now.
pub(super) fn wall_time(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static TIME: Once<Py<PyModule>> = Once::new();
    let module = TIME.get_or_make(|| Ok(py.import("time")?.unbind()))?;
    call_method(module.bind(py), intern!(py, "time"), ())
}

/// What an application's own clock told. Raises `ValueError`, too, if that can be no seconds.
fn told_nanos(told: &Bound<'_, PyAny>) -> PyResult<i64> {
    let seconds = seconds(told)?;
    if seconds.abs() > LATEST {
        return Err(Error::ClockUnit(shown(told)).into());
    }
    Ok(nanos(seconds))
}

fn seconds(told: &Bound<'_, PyAny>) -> PyResult<f64> {
    let seconds = match told.extract::<f64>() {
        Err(error) if error.is_instance_of::<PyTypeError>(told.py()) => {
            return Err(clock_error(told));
        }
        seconds => seconds?,
    };
    if seconds.is_finite() {
        Ok(seconds)
    } else {
        Err(clock_error(told))
    }
}

/// Whole seconds and the fraction apart, so that adding whole seconds to a time is exact.
#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates at the ends of time"
)]
fn nanos(seconds: f64) -> i64 {
    let whole = seconds.floor();
    let fraction = ((seconds - whole) * 1e9).round() as i64;
    (whole as i64)
        .saturating_mul(1_000_000_000)
        .saturating_add(fraction)
}

fn clock_error(what: &Bound<'_, PyAny>) -> PyErr {
    Error::Clock(shown(what)).into()
}

fn shown(what: &Bound<'_, PyAny>) -> String {
    what.repr()
        .map_or_else(|_| String::from("an object"), |repr| repr.to_string())
}
