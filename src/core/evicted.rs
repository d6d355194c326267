//! What leaves the store, on its way to be dropped outside the locks.

use std::fmt;

use super::entry::Key;
use super::tags::Tag;

/// Why an entry left the store.
///
/// A word, as it travels between words: a single byte that was just written cannot be copied together with its
/// neighbours before it has reached the cache, and the copy waits.
#[repr(u64)]
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum RemovalCause {
    /// Its lifetime was over.
    Expired,
    /// Somebody asked for it to go: removed, cleared, or overwritten by a value already expired.
    Explicit,
    /// Another value took its place.
    Replaced,
    /// It had to make room.
    Size,
}

/// A value that left the store.
#[derive(Debug)]
pub struct Removed<V> {
    /// Its key; empty where the cause is [`RemovalCause::Replaced`], as then the key stays in the
    /// store with the new value (and the caller has just named it).
    pub key: Key,
    /// The value.
    pub value: V,
    /// Why it left.
    pub cause: RemovalCause,
}

/// Everything that an operation leaves for its caller to drop, out of the lock: what was removed
/// from the store, and the new value where it was not stored.
///
/// Iterate over it to see the removed entries, or let it fall. It allocates nothing for fewer than
/// two removed entries.
#[must_use = "dropping this is the caller's part, at a moment when a value's drop may do anything"]
pub struct Evicted<V> {
    removed: Entries<V>,
    /// Never read: it is here to be dropped where the rest is.
    unused: Option<V>,
    /// Boxed, as it is seldom there and travels with every result.
    #[expect(
        clippy::box_collection,
        reason = "a Vec would be three words in each result"
    )]
    emptied: Option<Box<Vec<Tag>>>,
}

enum Entries<V> {
    None,
    One(Removed<V>),
    Many(Vec<Removed<V>>),
}

impl<V> Evicted<V> {
    /// Nothing left.
    #[inline]
    pub const fn nothing() -> Self {
        Self {
            removed: Entries::None,
            unused: None,
            emptied: None,
        }
    }

    #[inline]
    pub(super) fn push(&mut self, removed: Removed<V>) {
        if matches!(self.removed, Entries::None) {
            self.removed = Entries::One(removed);
        } else {
            self.push_another(removed);
        }
    }

    #[cold]
    fn push_another(&mut self, removed: Removed<V>) {
        self.removed = match std::mem::replace(&mut self.removed, Entries::None) {
            Entries::None => Entries::One(removed),
            Entries::One(first) => Entries::Many(vec![first, removed]),
            Entries::Many(mut all) => {
                all.push(removed);
                Entries::Many(all)
            }
        };
    }

    /// Leaves the new value, which was not stored, to the caller.
    pub(super) fn leave_unused(&mut self, value: V) {
        debug_assert!(self.unused.is_none(), "an operation is given one value");
        self.unused = Some(value);
    }

    /// Nobody in the shard carries this tag any more.
    pub(super) fn push_emptied(&mut self, tag: Tag) {
        self.emptied.get_or_insert_default().push(tag);
    }

    /// Adds what a later part of the same operation left.
    pub fn append(&mut self, mut later: Self) {
        if let Some(value) = later.unused.take() {
            self.leave_unused(value);
        }
        for tag in later.emptied.take().into_iter().flat_map(|tags| *tags) {
            self.push_emptied(tag);
        }
        later.into_iter().for_each(|removed| self.push(removed));
    }

    /// The tags whose last entry in its shard left.
    #[must_use]
    pub fn emptied(&self) -> &[Tag] {
        self.emptied.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Whether there is nothing to drop.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.removed, Entries::None) && self.unused.is_none()
    }

    /// The number of removed entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.removed {
            Entries::None => 0,
            Entries::One(_) => 1,
            Entries::Many(all) => all.len(),
        }
    }

    /// The removed entries, in the order in which they left.
    pub fn iter(&self) -> std::slice::Iter<'_, Removed<V>> {
        match &self.removed {
            Entries::None => [].iter(),
            Entries::One(one) => std::slice::from_ref(one).iter(),
            Entries::Many(all) => all.iter(),
        }
    }
}

impl<V> fmt::Debug for Evicted<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values need not be printable.
        let causes = self.iter().map(|removed| removed.cause);
        write!(f, "Evicted(unused: {}, removed: ", self.unused.is_some())?;
        f.debug_list().entries(causes).finish()?;
        write!(f, ")")
    }
}

/// The removed entries, one by one; see [`Evicted`].
pub struct IntoIter<V>(Either<V>);

enum Either<V> {
    One(std::option::IntoIter<Removed<V>>),
    Many(std::vec::IntoIter<Removed<V>>),
}

impl<V> Iterator for IntoIter<V> {
    type Item = Removed<V>;

    fn next(&mut self) -> Option<Removed<V>> {
        match &mut self.0 {
            Either::One(one) => one.next(),
            Either::Many(many) => many.next(),
        }
    }
}

impl<V> IntoIterator for Evicted<V> {
    type Item = Removed<V>;
    type IntoIter = IntoIter<V>;

    /// Drops the unused new value, if any, and hands out the removed entries.
    fn into_iter(self) -> IntoIter<V> {
        IntoIter(match self.removed {
            Entries::None => Either::One(None.into_iter()),
            Entries::One(one) => Either::One(Some(one).into_iter()),
            Entries::Many(all) => Either::Many(all.into_iter()),
        })
    }
}

impl<'a, V> IntoIterator for &'a Evicted<V> {
    type Item = &'a Removed<V>;
    type IntoIter = std::slice::Iter<'a, Removed<V>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(value: u8) -> Removed<u8> {
        Removed {
            key: Key::default(),
            value,
            cause: RemovalCause::Size,
        }
    }

    #[test]
    fn entries_come_out_in_the_order_in_which_they_went_in() {
        for count in 0..4 {
            let mut evicted = Evicted::nothing();
            (0..count).for_each(|value| evicted.push(removed(value)));
            assert_eq!(evicted.len(), usize::from(count));
            assert_eq!(evicted.is_empty(), count == 0);
            assert!(evicted.iter().map(|r| r.value).eq(0..count));
            assert!(evicted.into_iter().map(|r| r.value).eq(0..count));
        }
    }

    #[test]
    fn an_unused_value_is_something_to_drop_but_no_entry() {
        let mut evicted = Evicted::nothing();
        evicted.leave_unused(1_u8);
        assert!(!evicted.is_empty());
        assert_eq!(evicted.len(), 0);
    }
}
