//! Which keys were invalidated since when: what lets a value that was long in the making be stored only if it
//! is still wanted.
//!
//! A key is watched as long as a ticket for it is out. A removal, a `clear` or a newer value bumps its
//! generation; eviction and expiry do not, as they take nothing back. Other keys' traffic changes nothing, and
//! while nothing is watched a bump costs one comparison.

use ahash::HashMap;

/// A moment in the life of a key, and of its tags. It is good for as long as it is out: whoever was handed
/// one gives it back by [`Store::end_ticket`](super::Store::end_ticket).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(super) key: u32,
    pub(super) tags: u32,
}

#[derive(Debug, Default)]
struct Watch {
    generation: u32,
    tickets: u32,
}

/// What is watched of the keys, or of the tags, of one shard; by their hashes. Two of one hash can only err
/// to the safe side: a value that was still good is not stored.
#[derive(Debug, Default)]
pub(super) struct Generations(HashMap<u64, Watch>);

impl Generations {
    /// Begins to watch, or watches once more; the present generation.
    pub(super) fn watch(&mut self, hash: u64) -> u32 {
        let watch = self.0.entry(hash).or_default();
        watch.tickets += 1;
        watch.generation
    }

    /// Ends what one [`Self::watch`] began.
    pub(super) fn unwatch(&mut self, hash: u64) {
        if let Some(watch) = self.0.get_mut(&hash) {
            watch.tickets -= 1;
            if watch.tickets == 0 {
                self.0.remove(&hash);
            }
        }
    }

    /// Nothing that was handed a ticket before is wanted any more.
    #[inline]
    pub(super) fn bump(&mut self, hash: u64) {
        if !self.0.is_empty() {
            self.bump_watched(hash);
        }
    }

    #[cold]
    fn bump_watched(&mut self, hash: u64) {
        if let Some(watch) = self.0.get_mut(&hash) {
            watch.generation = watch.generation.wrapping_add(1);
        }
    }

    /// The same for all that is watched.
    pub(super) fn bump_all(&mut self) {
        for watch in self.0.values_mut() {
            watch.generation = watch.generation.wrapping_add(1);
        }
    }

    /// The present generation of what is watched; None if it is not.
    pub(super) fn at(&self, hash: u64) -> Option<u32> {
        self.0.get(&hash).map(|watch| watch.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bump_is_seen_by_those_who_watch_and_by_nobody_else() {
        let mut generations = Generations::default();
        let (first, second) = (generations.watch(1), generations.watch(2));
        generations.bump(1);
        generations.bump(3);
        assert_ne!(generations.at(1), Some(first));
        assert_eq!(generations.at(2), Some(second));
        generations.bump_all();
        assert_ne!(generations.at(2), Some(second));
    }

    #[test]
    fn nothing_is_left_of_what_nobody_watches() {
        let mut generations = Generations::default();
        let first = generations.watch(1);
        assert_eq!(generations.watch(1), first);
        generations.unwatch(1);
        assert_eq!(generations.at(1), Some(first));
        generations.unwatch(1);
        generations.unwatch(1);
        assert_eq!(generations.at(1), None);
        assert!(generations.0.is_empty());
    }
}
