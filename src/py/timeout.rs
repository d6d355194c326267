//! Timeouts as Python callers give them, and lifetimes as the core takes them.

use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyFloat, PyInt};

use super::daemon::call_method;
use super::errors::Error;
use super::once::intern;
use crate::core::{Instant, Lifetime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How long an entry is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeout {
    /// Until it is removed or evicted (0, `False`, `timedelta(0)`, infinity).
    Never,
    /// For this many nanoseconds, at least one.
    Nanos(u64),
    /// Not at all (negative): what is stored under it is gone at once.
    Past,
}

impl Timeout {
    /// Reads seconds from an int, a float or a `timedelta`; CONTRACT: sub-second precision, huge values
    /// saturate to "never".
    ///
    /// Raises `TypeError` for any other type (str included) and `ValueError` for nan.
    pub(super) fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::read(value, "timeout", Error::TimeoutType)
    }

    /// The same for a store's default, which None cannot stand for.
    pub(super) fn from_default(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::read(value, "default_timeout", Error::DefaultTimeoutType)
    }

    fn read(
        value: &Bound<'_, PyAny>,
        setting: &'static str,
        problem: fn(String) -> Error,
    ) -> PyResult<Self> {
        if let Ok(int) = value.cast::<PyInt>() {
            return Self::from_int(int);
        }
        let seconds = if let Ok(float) = value.cast::<PyFloat>() {
            float.value()
        } else if value.is_instance_of::<PyDelta>() {
            call_method(value, intern!(value.py(), "total_seconds"), ())?.extract()?
        } else {
            return Err(problem(value.get_type().name()?.to_string()).into());
        };
        if seconds.is_nan() {
            return Err(Error::TimeoutNan(setting).into());
        }
        Ok(Self::from_seconds(seconds))
    }

    fn from_int(int: &Bound<'_, PyInt>) -> PyResult<Self> {
        Ok(match int.extract::<i64>() {
            Ok(0) => Self::Never,
            Ok(seconds) if seconds < 0 => Self::Past,
            Ok(seconds) => Self::Nanos(seconds.unsigned_abs().saturating_mul(NANOS_PER_SECOND)),
            // Beyond 64 bits: the sign is all that matters.
            Err(_) if int.lt(0)? => Self::Past,
            Err(_) => Self::Never,
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "positive here, and `as` saturates, which is what a huge timeout asks for"
    )]
    fn from_seconds(seconds: f64) -> Self {
        if seconds == 0.0 || seconds == f64::INFINITY {
            Self::Never
        } else if seconds < 0.0 {
            Self::Past
        } else {
            Self::Nanos(((seconds * NANOS_PER_SECOND as f64) as u64).max(1))
        }
    }

    /// The lifetime that begins now; None when there is nothing to store.
    #[inline]
    pub(super) fn lifetime(self, now: Instant) -> Option<Lifetime> {
        match self {
            Self::Never => Some(Lifetime::NEVER),
            Self::Nanos(nanos) => Some(Lifetime::until(now.saturating_add(nanos))),
            Self::Past => None,
        }
    }

    /// One machine word, for keeping a timeout in an atomic.
    pub(super) const fn to_bits(self) -> u64 {
        match self {
            Self::Never => u64::MAX,
            Self::Nanos(nanos) => nanos,
            Self::Past => 0,
        }
    }

    /// The reverse of [`Self::to_bits`].
    #[inline]
    pub(super) const fn from_bits(bits: u64) -> Self {
        match bits {
            u64::MAX => Self::Never,
            0 => Self::Past,
            nanos => Self::Nanos(nanos),
        }
    }
}

/// Seconds as nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates: a negative time is none, a huge one for ever"
)]
pub(super) fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
