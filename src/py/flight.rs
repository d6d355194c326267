//! Fills: while one caller runs the function for a key, others wait for it instead of running it too.
//!
//! Nothing is handed from one caller to another. Whoever waited looks into the cache again, and finds there
//! what the leader stored, decoded for itself and counted as a hit; where nothing was stored, it runs the
//! function itself. So waiting can only ever cost time, and the time is bounded.
//!
//! A caller is known by its context (a `contextvars` chain of the fills it is in), never by its thread: a
//! coroutine moves between threads, and greenlets share one. Nobody waits for a fill of its own chain, and
//! whoever leads a fill does not wait for a leader that is itself waiting: so there is never a circle of
//! waiting. Whoever leads none may wait for any, as nobody waits for them.

mod claim;

use std::collections::HashMap;
use std::sync::LazyLock;

use ahash::RandomState;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::daemon::{call_function, call_method};
use super::ffi;
use super::imports::{FILL_CONTEXT, GET_IDENT, IN_EVENT_LOOP, WAIT_FOR};
use super::key::text_bytes;
use super::timeout::nanos;
use crate::core::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering};
use crate::core::{Instant, coarse_now};
use crate::py::once::intern;
pub(super) use claim::{Claim, Fill, Place};

/// For so long a key whose last fill stored nothing is not waited for: its callers run in parallel.
const FRUITLESS_NANOS: u64 = 10_000_000_000;
/// How many such keys are remembered; when there are more, all are forgotten.
const MOST_FRUITLESS: usize = 1024;

struct Flight {
    number: u64,
    leader: u64,
    thread: u64,
    since: Instant,
    /// What followers wait for: a lock for each, taken. To release one is a single step, which no signal's handler can
    /// interrupt, as it can a `threading.Event` that is being set.
    locks: Vec<Py<PyAny>>,
}

#[derive(Default)]
struct Flights {
    last: u64,
    in_the_air: HashMap<Place, Flight, RandomState>,
    /// Contexts that wait now, and how many of their callers do.
    waiting: HashMap<u64, usize, RandomState>,
    /// By their hashes: keys may be long, and of an attacker's choice.
    fruitless: HashMap<u64, Instant, RandomState>,
}

static FLIGHTS: LazyLock<Mutex<Flights>> = LazyLock::new(Mutex::default);
static CONTEXTS: AtomicU64 = AtomicU64::new(0);
/// Functions that are being run for a key: while there are none, no `set` need look for its fill.
static AIRBORNE: AtomicUsize = AtomicUsize::new(0);

/// What a caller that missed is to do.
pub(super) enum Role<'py> {
    /// Run the function under this number; others wait for it.
    Lead(u64),
    /// Wait for this, then look again.
    Follow(Follower<'py>),
    /// Run the function, and let nobody wait.
    Alone,
}

impl Flights {
    fn is_fruitless(&self, place: &Place, now: Instant) -> bool {
        let until = self.fruitless.get(&self.hash(place));
        until.is_some_and(|until| now < *until)
    }

    fn hash(&self, place: &Place) -> u64 {
        self.in_the_air.hasher().hash_one(place)
    }

    fn forget_fruitless(&mut self, place: &Place) {
        if !self.fruitless.is_empty() {
            self.fruitless.remove(&self.hash(place));
        }
    }

    fn remember_fruitless(&mut self, place: &Place, now: Instant) {
        if self.fruitless.len() >= MOST_FRUITLESS {
            self.fruitless.clear();
        }
        let place = self.hash(place);
        self.fruitless
            .insert(place, now.saturating_add(FRUITLESS_NANOS));
    }

    fn take_off(
        &mut self,
        place: &Place,
        (leader, thread): (u64, u64),
        now: Instant,
    ) -> (u64, Option<Flight>) {
        self.last += 1;
        let flight = Flight {
            number: self.last,
            leader,
            thread,
            since: now,
            locks: Vec::new(),
        };
        (self.last, self.in_the_air.insert(place.clone(), flight))
    }
}

/// A caller, known by its context.
pub(super) struct Caller<'py> {
    context: u64,
    around: Option<Bound<'py, Fill>>,
}

impl<'py> Caller<'py> {
    /// The caller of this moment.
    pub(super) fn present(py: Python<'py>) -> PyResult<Self> {
        let around = current_fill(py)?;
        let context = around.as_ref().map_or_else(
            || CONTEXTS.fetch_add(1, Ordering::Relaxed) + 1,
            |fill| fill.get().context,
        );
        Ok(Self { context, around })
    }

    /// Finds out what to do about a key. `patience` is how long a fill may take, in seconds; `too_late` says
    /// that one under way is of no use any more.
    pub(super) fn join(
        &self,
        py: Python<'py>,
        place: &Place,
        (patience, too_late): (f64, bool),
    ) -> PyResult<Role<'py>> {
        let leads = self.around.as_ref();
        if leads.is_some_and(|fill| fill.get().ticket_for(place).is_some()) {
            return Ok(Role::Alone);
        }
        // A number for each greenlet, too, where gevent has patched it.
        let thread = call_function(GET_IDENT.get(py)?, ())?.extract()?;
        let now = coarse_now();
        let mut flights = FLIGHTS.lock();
        if flights.is_fruitless(place, now) {
            return Ok(Role::Alone);
        }
        let other = flights.in_the_air.get(place).map(|flight| {
            let overdue = flight.since.saturating_add(nanos(patience)).is_due(now);
            let own = flight.leader == self.context || flight.thread == thread;
            (flight.number, (flight.leader, own), overdue || too_late)
        });
        match other {
            // Another branch of our own context, our own thread in another one, which cannot go on while it waits, or a
            // leader that waits, perhaps for us: whoever leads nothing may wait for that, as nobody waits for them.
            Some((_, (leader, own), _))
                if own || (leads.is_some() && flights.waiting.contains_key(&leader)) =>
            {
                Ok(Role::Alone)
            }
            Some((number, _, false)) => {
                *flights.waiting.entry(self.context).or_default() += 1;
                drop(flights);
                Follower::begin(py, place, number, self.context)
            }
            // Nobody leads, or somebody who will never land.
            _ => {
                let (number, overdue) = flights.take_off(place, (self.context, thread), now);
                drop(flights);
                wake(py, overdue);
                Ok(Role::Lead(number))
            }
        }
    }

    /// Begins to run the function: what is stored for the key from here on is stored with the ticket. Within a
    /// fill of the same key, it is but a part of that one's value.
    pub(super) fn begin(
        self,
        py: Python<'py>,
        mut claim: Claim,
        flight: Option<u64>,
    ) -> PyResult<Filling<'py>> {
        let around = self.around.as_ref().map(Bound::get);
        if let Some(whole) = around.and_then(|fill| fill.ticket_for(&claim.place)) {
            claim.ticket = claim.ticket.as_part_of(whole);
        }
        AIRBORNE.fetch_add(1, Ordering::Relaxed);
        let landing = Landing {
            py,
            place: claim.place.clone(),
            flight,
            stored: None,
        };
        let fill = Fill {
            context: self.context,
            claim,
            returned: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            around: self.around.map(Bound::unbind),
        };
        let fill = Bound::new(py, fill)?;
        let token = FILL_CONTEXT
            .get(py)?
            .call_method1(intern!(py, "set"), (&fill,))?;
        Ok(Filling {
            token,
            fill,
            landing,
        })
    }
}

/// The function is running. When this is dropped it no longer is.
pub(super) struct Filling<'py> {
    token: Bound<'py, PyAny>,
    fill: Bound<'py, Fill>,
    landing: Landing<'py>,
}

/// Ends a flight when it is dropped, whatever happened.
struct Landing<'py> {
    py: Python<'py>,
    place: Place,
    flight: Option<u64>,
    /// Was anything stored? None if that is not known.
    stored: Option<bool>,
}

impl Filling<'_> {
    /// The function has returned, or raised; was anything stored?
    pub(super) fn finish(mut self, stored: bool) {
        self.landing.stored = Some(stored);
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let py = self.landing.py;
        // Threads and tasks that began meanwhile may have copies of the context.
        self.fill.get().over.store(true, Ordering::Relaxed);
        // Fails only in another context than it was set in, where there is nothing to reset.
        drop(
            FILL_CONTEXT
                .get(py)
                .and_then(|variable| variable.call_method1(intern!(py, "reset"), (&self.token,))),
        );
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        AIRBORNE.fetch_sub(1, Ordering::Relaxed);
        if let Some(number) = self.flight {
            land(self.py, &self.place, number, self.stored == Some(false));
        } else if self.stored == Some(true) {
            // Who runs alone has a say in it, too.
            FLIGHTS.lock().forget_fruitless(&self.place);
        }
    }
}

/// Ends a flight, if it is still this one, and lets its followers go.
fn land(py: Python<'_>, place: &Place, number: u64, fruitless: bool) {
    let now = coarse_now();
    let mut flights = FLIGHTS.lock();
    let own = flights
        .in_the_air
        .get(place)
        .is_some_and(|flight| flight.number == number);
    let landed = own.then(|| flights.in_the_air.remove(place)).flatten();
    // A leader that was given up, and replaced, has no say in it.
    if own && fruitless {
        flights.remember_fruitless(place, now);
    } else if own {
        flights.forget_fruitless(place);
    }
    drop(flights);
    wake(py, landed);
}

/// Lets the followers of a flight go. Out of every lock: this runs Python code.
fn wake(py: Python<'_>, flight: Option<Flight>) {
    for lock in flight.into_iter().flat_map(|flight| flight.locks) {
        if let Err(error) = call_method(lock.bind(py), intern!(py, "release"), ()) {
            error.write_unraisable(py, None);
        }
    }
}

/// A caller that waits.
pub(super) struct Follower<'py> {
    lock: Option<Bound<'py, PyAny>>,
    context: u64,
}

impl<'py> Follower<'py> {
    fn begin(py: Python<'py>, place: &Place, number: u64, context: u64) -> PyResult<Role<'py>> {
        // From here on the context is taken off the list of those who wait when this is dropped.
        let mut follower = Self {
            lock: None,
            context,
        };
        if call_function(IN_EVENT_LOOP.get(py)?, ())?.is_truthy()? {
            // Waiting would stop every other task of the loop, the leader perhaps among them.
            return Ok(Role::Alone);
        }
        // Late-bound: gevent patches it.
        let made = call_method(py.import("threading")?.as_any(), intern!(py, "Lock"), ())?;
        call_method(&made, intern!(py, "acquire"), ())?;
        let mut flights = FLIGHTS.lock();
        if let Some(flight) = flights.in_the_air.get_mut(place)
            && flight.number == number
        {
            flight.locks.push(made.clone().unbind());
            follower.lock = Some(made);
        }
        drop(flights);
        Ok(Role::Follow(follower))
    }

    /// Waits until the leader has landed, or for so many seconds. Raises what a signal handler raises.
    pub(super) fn wait(&self, seconds: f64) -> PyResult<()> {
        // None if it landed before we could begin to wait.
        match &self.lock {
            Some(lock) => call_function(WAIT_FOR.get(lock.py())?, (lock, seconds)).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        let mut flights = FLIGHTS.lock();
        if let Some(callers) = flights.waiting.get_mut(&self.context) {
            *callers -= 1;
            if *callers == 0 {
                flights.waiting.remove(&self.context);
            }
        }
    }
}

/// The innermost fill that the present context leads.
fn current_fill(py: Python<'_>) -> PyResult<Option<Bound<'_, Fill>>> {
    let fill = ffi::context_value(FILL_CONTEXT.get(py)?)?;
    let fill = fill.and_then(|fill| fill.cast_into::<Fill>().ok());
    Ok(fill.and_then(Fill::running))
}

/// The same, at the price of one load while nothing is in the air.
#[inline]
pub(super) fn fill_to_store_for(py: Python<'_>) -> PyResult<Option<Bound<'_, Fill>>> {
    if AIRBORNE.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    current_fill(py)
}

/// The function of the innermost fill has returned, and its value is about to be stored under this key; or it
/// is not any more.
#[pyfunction]
#[pyo3(signature = (key, yes=true))]
pub(super) fn _fill_returned(key: &Bound<'_, PyAny>, yes: bool) -> PyResult<()> {
    if let Some(fill) = current_fill(key.py())?
        && let Ok(text) = key.cast::<PyString>()
        && *text_bytes(text)? == *fill.get().claim.place.key
    {
        fill.get().set_returned(yes);
    }
    Ok(())
}

/// How many forks led to this process, and, in the lower half, the system's number for it.
static PROCESS: AtomicU64 = AtomicU64::new(0);

/// Tells a process from those that it was forked from, and from others forked from them.
pub(super) fn process_number() -> u64 {
    PROCESS.load(Ordering::Relaxed)
}

/// In a forked child: its parent's other threads, and what they led, are not here.
///
/// What was being run stays counted, as greenlets, and code in another context, go on with it here. What threads ran
/// is counted for ever: while there is any, each `set` looks for its fill.
#[pyfunction]
pub(super) fn _forget_fills() {
    let forks = (process_number() >> 32) + 1;
    let number = forks << 32 | u64::from(std::process::id());
    PROCESS.store(number, Ordering::Relaxed);
    let mut flights = FLIGHTS.lock();
    let forgotten = std::mem::take(&mut *flights);
    // Whoever goes on still has the number of its flight: no other is to have it.
    flights.last = forgotten.last;
    drop(flights);
    drop(forgotten);
}
