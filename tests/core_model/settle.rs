//! What comes out of the store, and whether it was allowed to.

use flask_rustcache::core::{Evicted, RemovalCause};

use crate::{Held, Model, Tracked};

/// What an operation may throw out, apart from what has expired.
#[derive(Copy, Clone, PartialEq)]
pub(crate) enum May {
    Nothing,
    /// The entry of this key, asked for.
    Remove(u8),
    /// The entry of this key, for a new value of that weight; and others, as long as that is too much.
    Overwrite(u8, usize),
    /// Entries of the policy's choice, as long as there is no room for another of that weight.
    MakeRoom(usize),
    /// Entries of the policy's choice, while too many or too much is held.
    Shrink,
    /// Everything.
    Clear,
}

impl Model {
    /// Takes what came out, in its order, and checks that each entry was allowed to.
    pub(crate) fn settle(&mut self, evicted: Evicted<Tracked>, may: May) {
        for removed in evicted {
            let cause = removed.cause;
            let key = match may {
                May::Overwrite(key, _) if cause == RemovalCause::Replaced => key,
                _ => removed.key[0],
            };
            let lacks_entries = self.lacks_entries(may);
            let full = lacks_entries || self.lacks_weight(may);
            let held = self.held.remove(&key).unwrap();
            assert_eq!(held.id, removed.value.id);
            let expired = held.lifetime.stale_until <= self.now();
            match cause {
                RemovalCause::Expired => assert!(expired, "key {key} had not expired"),
                RemovalCause::Explicit => assert!(may == May::Clear || may == May::Remove(key)),
                RemovalCause::Replaced => {
                    assert!(matches!(may, May::Overwrite(own, _) if own == key) && !expired);
                }
                RemovalCause::Size => {
                    assert!(full, "there was room");
                    self.stats.evictions_by_weight += u64::from(!lacks_entries);
                    assert!(
                        self.shards > 1 || may == May::Shrink || self.expired() == 0,
                        "an expired one goes first"
                    );
                }
            }
            self.count(cause);
        }
    }

    /// Is it for want of an entry that another has to go?
    fn lacks_entries(&self, may: May) -> bool {
        match may {
            May::MakeRoom(_) => self.held.len() >= self.bound,
            May::Overwrite(key, _) => {
                !self.held.contains_key(&key) && self.held.len() >= self.bound
            }
            May::Shrink => self.held.len() > self.bound,
            _ => false,
        }
    }

    /// And for want of bytes?
    fn lacks_weight(&self, may: May) -> bool {
        let weight = |key| self.held.get(key).map_or(0, |held: &Held| held.weight);
        let more = match may {
            May::MakeRoom(weight) => weight,
            May::Overwrite(key, new) => new.saturating_sub(weight(&key)),
            May::Shrink => 0,
            _ => return false,
        };
        self.weight().saturating_add(more) > self.max_weight
    }

    pub(crate) fn weight(&self) -> usize {
        self.held.values().map(|held| held.weight).sum()
    }

    pub(crate) fn expired(&self) -> usize {
        let now = self.now();
        self.held
            .values()
            .filter(|held| held.lifetime.stale_until <= now)
            .count()
    }

    fn count(&mut self, cause: RemovalCause) {
        let stats = &mut self.stats;
        *match cause {
            RemovalCause::Expired => &mut stats.expirations,
            RemovalCause::Explicit => &mut stats.removals,
            RemovalCause::Replaced => &mut stats.replacements,
            RemovalCause::Size => &mut stats.evictions,
        } += 1;
    }
}
