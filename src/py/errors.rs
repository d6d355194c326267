//! The boundary's errors, and the one place where they become Python exceptions.

use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};

use crate::core::ConfigError;

/// What can be wrong with what a caller gave us. Exceptions raised by Python code travel as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Error {
    /// A timeout that is not a number of seconds; holds the name of its type.
    TimeoutType(String),
    /// The same of a store's default.
    DefaultTimeoutType(String),
    /// A timeout that is "not a number"; holds what it is the value of.
    TimeoutNan(&'static str),
    /// Tags that are one str; holds its repr.
    TagsText(String),
    /// Tags that are no iterable; holds the name of their type.
    TagsType(String),
    /// A tag that is no str; holds the name of its type.
    TagType(String),
    /// What is no str; holds what it is to be, and the name of its type.
    Text(&'static str, String),
    /// A clock that returned something other than a finite number of seconds.
    Clock(String),
    /// A clock that returned what cannot be seconds; holds its repr.
    ClockUnit(String),
    /// An item of a mapping that is no pair.
    Pair,
    /// The core's word on a setting.
    Config(ConfigError),
    /// The store's own bytes do not decode: a defect of ours, never of the caller.
    Corrupt,
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::TimeoutType(name) => PyTypeError::new_err(format!(
                "timeout must be an int, float or datetime.timedelta (seconds), or None for the \
                 default, got '{name}'"
            )),
            Error::DefaultTimeoutType(name) => PyTypeError::new_err(format!(
                "default_timeout must be an int, float or datetime.timedelta (seconds), got '{name}'; \
                 use 0 for entries that never expire"
            )),
            Error::TimeoutNan(setting) => PyValueError::new_err(format!(
                "{setting} must be a number of seconds, got nan; use 0 for an entry that never expires"
            )),
            Error::TagsText(text) => PyTypeError::new_err(format!(
                "tags must be an iterable of str, and not one str, whose letters would be the tags; \
                 use tags=[{text}]"
            )),
            Error::TagsType(name) => PyTypeError::new_err(format!(
                "tags must be an iterable of str, such as [\"users\"], or None, got '{name}'"
            )),
            Error::TagType(name) => {
                PyTypeError::new_err(format!("each of the tags must be a str, got '{name}'"))
            }
            Error::Text(what, name) => {
                PyTypeError::new_err(format!("{what} must be one str, got '{name}'"))
            }
            Error::Clock(what) => PyTypeError::new_err(format!(
                "clock must be a callable that returns a finite number of seconds, got {what}"
            )),
            Error::ClockUnit(what) => PyValueError::new_err(format!(
                "clock must return seconds, got {what}, which is beyond the year 9999; divide what counts \
                 milliseconds or nanoseconds"
            )),
            Error::Pair => PyValueError::new_err(
                "set_many takes a mapping: each of its items() must be a pair of key and value",
            ),
            Error::Config(error) => PyValueError::new_err(error.to_string()),
            Error::Corrupt => PyRuntimeError::new_err(
                "a cached value could not be decoded; please report this as a bug of flask-rustcache",
            ),
        }
    }
}
