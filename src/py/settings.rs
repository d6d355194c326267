//! What a store's Python attributes and class say, read once and kept in machine words.
//!
//! `serializer`, `default_timeout`, `clock` and the methods are ordinary Python attributes, so that subclasses,
//! instances and tests may replace them at any time. Reading them on each call would cost more than
//! the call, so a summary is kept; see `current.rs`.

use std::sync::atomic::Ordering;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;

use super::clock::{Clock, Source};
use super::current::Current;
use super::daemon::call_method;
use super::imports::SIMPLE_SERIALIZER;
use super::store::Store;
use super::timeout::Timeout;
use crate::core::sync::{AtomicBool, AtomicU8, AtomicU64};
use crate::py::once::intern;

/// The methods that other methods must go through when a subclass or a patch overrides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overrides(u8);

impl Overrides {
    pub(super) const GET: Self = Self(1);
    pub(super) const SET: Self = Self(2);
    pub(super) const HAS: Self = Self(4);
    pub(super) const DELETE: Self = Self(8);
    pub(super) const GET_MANY: Self = Self(16);
    const SET_MANY: Self = Self(32);
    const DELETE_MANY: Self = Self(64);

    const NAMES: [(&'static str, Self); 7] = [
        ("get", Self::GET),
        ("set", Self::SET),
        ("has", Self::HAS),
        ("delete", Self::DELETE),
        ("get_many", Self::GET_MANY),
        ("set_many", Self::SET_MANY),
        ("delete_many", Self::DELETE_MANY),
    ];

    /// None at all?
    pub(super) const fn are_none(self) -> bool {
        self.0 == 0
    }

    /// Any of these two?
    pub(super) const fn any(self, one: Self, other: Self) -> bool {
        self.0 & (one.0 | other.0) != 0
    }
}

/// The summary.
pub(super) struct Settings {
    current: Current,
    overrides: AtomicU8,
    custom_serializer: AtomicBool,
    default_timeout: AtomicU64,
    /// Does the class compute one of the two? Then they are asked for again wherever they are wanted.
    computed: AtomicBool,
    clock_is_new: AtomicBool,
    pub(super) clock: Clock,
}

impl Settings {
    pub(super) fn new() -> Self {
        Self {
            current: Current::default(),
            overrides: AtomicU8::new(0),
            custom_serializer: AtomicBool::new(false),
            default_timeout: AtomicU64::new(Timeout::Past.to_bits()),
            computed: AtomicBool::new(false),
            clock_is_new: AtomicBool::new(false),
            clock: Clock::new(),
        }
    }

    /// An attribute of the instance was set or deleted.
    pub(super) fn touch(&self) {
        self.current.touch();
    }

    /// Makes sure that the summary tells the truth. Raises what reading the attributes raises.
    #[inline]
    pub(super) fn ensure(&self, store: &Bound<'_, Store>) -> PyResult<()> {
        if self.current.is_so(store) {
            return Ok(());
        }
        self.refresh(store)
    }

    #[cold]
    fn refresh(&self, store: &Bound<'_, Store>) -> PyResult<()> {
        let reading = self.current.begin(store)?;
        let overrides = overrides(store)?;
        let custom_serializer = has_custom_serializer(store)?;
        let default_timeout = default_timeout(store)?;
        self.refresh_clock(store)?;
        let computed = has_computed(store)?;
        self.current.end(store, &reading, !computed, || {
            self.computed.store(computed, Ordering::Relaxed);
            self.overrides.store(overrides.0, Ordering::Relaxed);
            self.custom_serializer
                .store(custom_serializer, Ordering::Relaxed);
            self.default_timeout
                .store(default_timeout.to_bits(), Ordering::Relaxed);
        });
        Ok(())
    }

    /// Switches the clock if its source changed, or somebody set another one.
    fn refresh_clock(&self, store: &Bound<'_, Store>) -> PyResult<()> {
        let source = clock_source(store)?;
        let is_new = self.clock_is_new.swap(false, Ordering::Relaxed);
        if is_new || source != self.clock.source() {
            let switched = self.clock.switch(store, source, is_new);
            return switched.inspect_err(|_| self.expect_clock());
        }
        Ok(())
    }

    /// The instance's clock is about to be set: its summary will have to be made anew.
    pub(super) fn expect_clock(&self) {
        self.clock_is_new.store(true, Ordering::Relaxed);
    }

    /// The methods that are not the native ones.
    #[inline]
    pub(super) fn overrides(&self) -> Overrides {
        Overrides(self.overrides.load(Ordering::Relaxed))
    }

    /// Do values go through a serializer that is not cachelib's own default? Raises what reading it raises.
    #[inline]
    pub(super) fn custom_serializer(&self, store: &Bound<'_, Store>) -> PyResult<bool> {
        if self.computed.load(Ordering::Relaxed) {
            return has_custom_serializer(store);
        }
        Ok(self.custom_serializer.load(Ordering::Relaxed))
    }

    /// What a timeout means; None is the default. Raises what reading that raises, or `TypeError` for no timeout.
    #[inline]
    pub(super) fn timeout(
        &self,
        store: &Bound<'_, Store>,
        given: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Timeout> {
        given.map_or_else(|| self.default_timeout(store), Timeout::from_python)
    }

    #[inline]
    fn default_timeout(&self, store: &Bound<'_, Store>) -> PyResult<Timeout> {
        if self.computed.load(Ordering::Relaxed) {
            return default_timeout(store);
        }
        let bits = self.default_timeout.load(Ordering::Relaxed);
        Ok(Timeout::from_bits(bits))
    }
}

fn overrides(store: &Bound<'_, Store>) -> PyResult<Overrides> {
    let native = store.py().get_type::<Store>();
    let class = store.get_type();
    let own = store.getattr("__dict__").ok();
    let mut found = Overrides(0);
    for (name, bit) in Overrides::NAMES {
        let same = class.getattr(name)?.is(&native.getattr(name)?);
        let patched = own
            .as_ref()
            .is_some_and(|own| own.contains(name).unwrap_or(false));
        if !same || patched {
            found.0 |= bit.0;
        }
    }
    Ok(found)
}

/// Is one of the attributes computed by the class (a property, say)? Then no summary of it can be kept.
fn has_computed(store: &Bound<'_, Store>) -> PyResult<bool> {
    let class = store.get_type();
    for name in ["serializer", "default_timeout"] {
        if let Ok(attribute) = class.getattr(name)
            && attribute.get_type().hasattr("__get__")?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_custom_serializer(store: &Bound<'_, Store>) -> PyResult<bool> {
    match store.getattr(intern!(store.py(), "serializer")) {
        Ok(serializer) => Ok(!SIMPLE_SERIALIZER.is(&serializer.get_type())?),
        // The bare native class has none.
        Err(error) if error.is_instance_of::<PyAttributeError>(store.py()) => Ok(false),
        Err(error) => Err(error),
    }
}

fn default_timeout(store: &Bound<'_, Store>) -> PyResult<Timeout> {
    Timeout::from_default(&store.getattr(intern!(store.py(), "default_timeout"))?)
}

/// An explicit `clock` wins; else Python's side says whether this process may have frozen its time.
fn clock_source(store: &Bound<'_, Store>) -> PyResult<Source> {
    let py = store.py();
    if !store.getattr(intern!(py, "clock"))?.is_none() {
        return Ok(Source::Callable);
    }
    let wall = call_method(store, intern!(py, "_follows_wall_clock"), ())?;
    Ok(if wall.extract()? {
        Source::Wall
    } else {
        Source::Native
    })
}
