//! Which keys were invalidated since when: what lets a value that was long in the making be stored only if it
//! is still wanted.
//!
//! A key is watched as long as a ticket for it is out. A removal, a `clear` or a newer value bumps its
//! generation; eviction and expiry do not, as they take nothing back. Other keys' traffic changes nothing, and
//! while nothing is watched a bump costs one comparison.

use ahash::HashMap;

use super::incoming::Hashed;

/// A moment in the life of a key, and of its tags. It is good for as long as it is out: whoever was handed
/// one gives it back by [`Store::end_ticket`](super::Store::end_ticket).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Ticket {
    pub(super) key: Moment,
    pub(super) tags: u32,
    /// How many tags it watches: the first ones that the value is then stored with.
    pub(super) watched: usize,
}

impl Ticket {
    /// This ticket for a part of what another one, of the same key, was taken for: the part is no later than
    /// the whole, which is stored over it.
    #[must_use]
    pub fn as_part_of(mut self, whole: Self) -> Self {
        self.key.number = self.key.number.min(whole.key.number);
        self
    }

    /// A ticket that nothing is stored with, whatever other tickets are out: no value has so many tags.
    #[must_use]
    pub const fn void(mut self) -> Self {
        self.watched = usize::MAX;
        self
    }
}

/// When a watch began.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) generation: u32,
    /// Which of the watches of its key it is.
    pub(super) number: u32,
}

#[derive(Debug, Default)]
struct Watch {
    generation: u32,
    tickets: u32,
    /// What is watched; None where two of one hash are.
    bytes: Option<Box<[u8]>>,
    /// The last that began.
    last: u32,
    /// The generation in which that was.
    last_generation: u32,
    /// The latest that something was stored with: older ones come too late.
    stored: u32,
}

/// What is watched of the keys, or of the tags, of one shard; by their hashes. Two of one hash can only err
/// to the safe side: a value that was still good is not stored.
#[derive(Debug, Default)]
pub(super) struct Generations(HashMap<u64, Watch>);

impl Generations {
    /// Begins to watch, or watches once more.
    pub(super) fn watch(&mut self, what: Hashed<'_>) -> Moment {
        let watch = self.0.entry(what.hash).or_insert_with(|| Watch {
            bytes: Some(what.bytes.into()),
            ..Watch::default()
        });
        if watch.bytes.as_deref() != Some(what.bytes) {
            watch.bytes = None;
        }
        watch.tickets += 1;
        watch.last = watch.last.wrapping_add(1);
        watch.last_generation = watch.generation;
        Moment {
            generation: watch.generation,
            number: watch.last,
        }
    }

    /// Something was stored for a watch that began then.
    pub(super) fn note_stored(&mut self, hash: u64, moment: Moment) {
        if let Some(watch) = self.0.get_mut(&hash) {
            watch.stored = moment.number;
        }
    }

    /// Was it not bumped since then?
    pub(super) fn is_valid(&self, hash: u64, moment: Moment) -> bool {
        self.at(hash) == Some(moment.generation)
    }

    /// Has nothing happened since then that makes what is to be stored unwanted?
    pub(super) fn is_good(&self, hash: u64, moment: Moment) -> bool {
        let watch = self.0.get(&hash);
        watch.is_some_and(|watch| {
            watch.generation == moment.generation && moment.number >= watch.stored
        })
    }

    /// Is it watched only by those who began before it was bumped?
    pub(super) fn is_spoiled(&self, hash: u64) -> bool {
        let watch = self.0.get(&hash);
        watch.is_some_and(|watch| watch.generation != watch.last_generation)
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

    /// The same for all that is watched from `from` on and before `to`.
    pub(super) fn bump_between(&mut self, from: &[u8], to: &[u8]) {
        let is_meant = |bytes: &[u8]| from <= bytes && bytes < to;
        for watch in self.0.values_mut() {
            if watch.bytes.as_deref().is_none_or(is_meant) {
                watch.generation = watch.generation.wrapping_add(1);
            }
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

    fn named(hash: u64, bytes: &[u8]) -> Hashed<'_> {
        Hashed { hash, bytes }
    }

    #[test]
    fn a_bump_is_seen_by_those_who_watch_and_by_nobody_else() {
        let mut generations = Generations::default();
        let first = generations.watch(named(1, b"a"));
        let second = generations.watch(named(2, b"b"));
        generations.bump(1);
        generations.bump(3);
        assert!(!generations.is_good(1, first) && generations.is_spoiled(1));
        assert!(generations.is_good(2, second) && !generations.is_spoiled(2));
        let later = generations.watch(named(1, b"a"));
        assert!(generations.is_good(1, later) && !generations.is_spoiled(1));
        generations.bump_all();
        assert!(!generations.is_good(2, second));
    }

    #[test]
    fn nothing_is_left_of_what_nobody_watches() {
        let mut generations = Generations::default();
        let first = generations.watch(named(1, b"a"));
        generations.watch(named(1, b"a"));
        generations.unwatch(1);
        assert!(generations.is_good(1, first));
        generations.unwatch(1);
        generations.unwatch(1);
        assert!(!generations.is_good(1, first));
        assert!(generations.0.is_empty());
    }

    #[test]
    fn a_range_ends_what_is_in_it_and_what_cannot_be_told_apart() {
        let mut generations = Generations::default();
        let before = generations.watch(named(1, b"a"));
        let within = generations.watch(named(2, b"bb"));
        let after = generations.watch(named(3, b"c"));
        let both = generations.watch(named(4, b"x"));
        generations.watch(named(4, b"y"));
        generations.bump_between(b"b", b"c");
        assert!(generations.is_valid(1, before));
        assert!(!generations.is_valid(2, within));
        assert!(generations.is_valid(3, after));
        assert!(!generations.is_valid(4, both));
    }

    #[test]
    fn who_began_earlier_does_not_store_over_who_began_later() {
        let mut generations = Generations::default();
        let old = generations.watch(named(1, b"a"));
        let new = generations.watch(named(1, b"a"));
        assert!(generations.is_good(1, old) && generations.is_good(1, new));
        generations.note_stored(1, old);
        assert!(generations.is_good(1, old) && generations.is_good(1, new));
        generations.note_stored(1, new);
        assert!(!generations.is_good(1, old) && generations.is_good(1, new));
    }

    #[test]
    fn a_part_is_no_later_than_the_whole() {
        let mut generations = Generations::default();
        let ticket = |key| Ticket {
            key,
            tags: 0,
            watched: 0,
        };
        let (old, whole) = (
            generations.watch(named(1, b"a")),
            generations.watch(named(1, b"a")),
        );
        let part = ticket(generations.watch(named(1, b"a"))).as_part_of(ticket(whole));
        generations.note_stored(1, part.key);
        assert!(generations.is_good(1, whole) && !generations.is_good(1, old));
        generations.bump(1);
        assert!(!generations.is_good(1, whole) && !generations.is_good(1, part.key));
    }
}
