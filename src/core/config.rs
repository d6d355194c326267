//! What a store is told when it is made, and the checks.

use std::fmt;

/// Below this many entries one shard serves better than several: a share of a few dozen entries is
/// too small a sample for an eviction policy.
const ENTRIES_WORTH_SHARDING: usize = 1_024;
/// The same of bytes: 1,024 entries of a page each.
const BYTES_WORTH_SHARDING: usize = 4_096 * ENTRIES_WORTH_SHARDING;

/// More shards than any machine has processors for; each takes memory of its own.
const MOST_SHARDS: usize = 4_096;

/// The settings of a [`Store`](super::Store).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct StoreConfig {
    /// The most entries held at any moment, expired ones included; at least 1. `usize::MAX` is no
    /// bound (short of the 4,294,967,294 entries that tokens can name).
    pub max_entries: usize,
    /// The most bytes held at any moment: see [`Offer::weight`](super::Offer); at least 1. `usize::MAX` is no bound.
    pub max_weight: usize,
    /// Parts with a lock each: a power of two, at most 4,096. One is right wherever one thread runs at a time.
    pub shards: usize,
}

/// A setting that no store can be made with.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ConfigError {
    /// `max_entries` is 0.
    MaxEntries,
    /// `max_weight` is 0.
    MaxWeight,
    /// `shards` is not a power of two, or too large; the number given.
    Shards(usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxEntries => write!(f, "max_entries must be at least 1, got 0"),
            Self::MaxWeight => write!(f, "max_weight must be at least 1, got 0"),
            Self::Shards(n) => write!(
                f,
                "shards must be a power of two (1, 2, 4, ... {MOST_SHARDS}), got {n}"
            ),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Whether a store can be bounded to `max_entries`.
pub(super) fn check_max_entries(max_entries: usize) -> Result<(), ConfigError> {
    if max_entries == 0 {
        Err(ConfigError::MaxEntries)
    } else {
        Ok(())
    }
}

/// Whether a store can be bounded to `max_weight` bytes.
pub(super) fn check_max_weight(max_weight: usize) -> Result<(), ConfigError> {
    if max_weight == 0 {
        Err(ConfigError::MaxWeight)
    } else {
        Ok(())
    }
}

impl StoreConfig {
    pub(super) fn check(self) -> Result<Self, ConfigError> {
        check_max_entries(self.max_entries)?;
        check_max_weight(self.max_weight)?;
        if !self.shards.is_power_of_two() || self.shards > MOST_SHARDS {
            return Err(ConfigError::Shards(self.shards));
        }
        Ok(self)
    }

    /// One shard where the entries, or their bytes, are too few to be worth sharing out.
    pub(super) fn with_sensible_shards(self) -> Self {
        let few =
            self.max_entries < ENTRIES_WORTH_SHARDING || self.max_weight < BYTES_WORTH_SHARDING;
        let shards = if few { 1 } else { self.shards };
        Self { shards, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn config(max_entries: usize, shards: usize) -> StoreConfig {
        StoreConfig {
            max_entries,
            max_weight: usize::MAX,
            shards,
        }
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        assert_eq!(config(0, 1).check(), Err(ConfigError::MaxEntries));
        let weightless = StoreConfig {
            max_weight: 0,
            ..config(1, 1)
        };
        assert_eq!(weightless.check(), Err(ConfigError::MaxWeight));
        for shards in [0, 3, 12] {
            assert_eq!(config(1, shards).check(), Err(ConfigError::Shards(shards)));
        }
        assert!(ConfigError::Shards(3).to_string().contains("got 3"));
    }

    #[test]
    fn good_settings_pass() {
        for shards in [1, 2, 16] {
            assert_eq!(config(1, shards).check(), Ok(config(1, shards)));
        }
    }

    #[test]
    fn few_entries_get_one_shard() {
        assert_eq!(config(1_023, 16).with_sensible_shards().shards, 1);
        assert_eq!(config(1_024, 16).with_sensible_shards().shards, 16);
    }

    #[test]
    fn few_bytes_get_one_shard() {
        for (max_weight, shards) in [(BYTES_WORTH_SHARDING - 1, 1), (BYTES_WORTH_SHARDING, 16)] {
            let config = StoreConfig {
                max_weight,
                ..config(1_024, 16)
            };
            assert_eq!(config.with_sensible_shards().shards, shards);
        }
    }
}
