//! Where entries live: slots named by token (slot number), and queues linked through the slots.

use super::entry::{Entry, Link, NIL};
use super::steps;

#[derive(Debug)]
enum Slot<V> {
    Full(Entry<V>),
    /// Holds the next free slot.
    Free(u32),
}

/// Entries by token. A freed slot is the next to be used: it is still in the processor's cache.
#[derive(Debug)]
pub(super) struct Slab<V> {
    slots: Vec<Slot<V>>,
    first_free: u32,
    len: usize,
}

impl<V> Slab<V> {
    /// What a slot takes, in bytes.
    pub(super) const SLOT: usize = size_of::<Slot<V>>();

    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            first_free: NIL,
            len: 0,
        }
    }

    /// The number of entries.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The number of slots, free ones included: tokens are below it.
    pub(super) const fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Puts an entry into a free slot. The account bounds the number of entries, so that tokens
    /// never run out.
    ///
    /// It is made where it is to be: there is nothing to be moved then, and nothing that waits for half-written words.
    #[inline]
    pub(super) fn insert(&mut self, make: impl FnOnce() -> Entry<V>) -> u32 {
        self.len += 1;
        if self.first_free == NIL {
            self.first_free = slot_token(self.slots.len());
            self.slots.push(Slot::Free(NIL));
        }
        let token = self.first_free;
        let slot = &mut self.slots[token as usize];
        match slot {
            Slot::Free(next) => self.first_free = *next,
            Slot::Full(_) => unreachable!("the free list led to a full slot"),
        }
        *slot = Slot::Full(make());
        token
    }

    /// Takes an entry out, which must be in no queue any more.
    pub(super) fn remove(&mut self, token: u32) -> Entry<V> {
        steps::count();
        let slot = &mut self.slots[token as usize];
        match std::mem::replace(slot, Slot::Free(self.first_free)) {
            Slot::Full(entry) => {
                self.first_free = token;
                self.len -= 1;
                entry
            }
            Slot::Free(_) => unreachable!("token of a free slot"),
        }
    }

    /// The entry in a slot, if there is one.
    #[inline]
    pub(super) fn get(&self, token: u32) -> Option<&Entry<V>> {
        steps::count();
        match self.slots.get(token as usize) {
            Some(Slot::Full(entry)) => Some(entry),
            _ => None,
        }
    }

    /// The entry of a token that is known to name one.
    #[inline]
    pub(super) fn entry(&self, token: u32) -> &Entry<V> {
        steps::count();
        match &self.slots[token as usize] {
            Slot::Full(entry) => entry,
            Slot::Free(_) => unreachable!("token of a free slot"),
        }
    }

    /// Its hash, for a table that grows: that is no step.
    pub(super) fn hash(&self, token: u32) -> u64 {
        match &self.slots[token as usize] {
            Slot::Full(entry) => entry.hash,
            Slot::Free(_) => unreachable!("token of a free slot"),
        }
    }

    /// An entry to be changed.
    #[inline]
    pub(super) fn entry_mut(&mut self, token: u32) -> &mut Entry<V> {
        steps::count();
        match &mut self.slots[token as usize] {
            Slot::Full(entry) => entry,
            Slot::Free(_) => unreachable!("token of a free slot"),
        }
    }

    /// All entries with their tokens, in no order of any meaning.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry<V>)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| match slot {
                Slot::Full(entry) => Some((slot_token(index), entry)),
                Slot::Free(_) => None,
            })
    }

    /// All entries, taken out.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry<V>> {
        self.slots.into_iter().filter_map(|slot| match slot {
            Slot::Full(entry) => Some(entry),
            Slot::Free(_) => None,
        })
    }

    /// Follows the free list and counts.
    pub(super) fn validate(&self) -> Result<(), String> {
        let full = self.iter().count();
        let mut free = 0;
        let mut token = self.first_free;
        while token != NIL && free <= self.slots.len() {
            let Some(Slot::Free(next)) = self.slots.get(token as usize) else {
                return Err(format!(
                    "free list leads to slot {token}, which is not free"
                ));
            };
            token = *next;
            free += 1;
        }
        if full == self.len && full + free == self.slots.len() {
            return Ok(());
        }
        Err(format!(
            "{full} full + {free} free of {} slots, len {}",
            self.slots.len(),
            self.len
        ))
    }
}

fn slot_token(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NIL)
}

/// A doubly linked queue through the entries' `links[LINK]`: in at the back, out anywhere.
#[derive(Debug)]
pub(super) struct Queue<const LINK: usize> {
    head: u32,
    tail: u32,
    len: usize,
}

impl<const LINK: usize> Queue<LINK> {
    pub(super) const fn new() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The oldest entry.
    pub(super) const fn head(&self) -> Option<u32> {
        if self.head == NIL {
            None
        } else {
            Some(self.head)
        }
    }

    /// The newest entry.
    pub(super) const fn tail(&self) -> Option<u32> {
        if self.tail == NIL {
            None
        } else {
            Some(self.tail)
        }
    }

    /// Appends an entry that is in no queue of this kind.
    pub(super) fn push_back<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let previous = self.tail;
        slab.entry_mut(token).links[LINK] = Link {
            previous,
            next: NIL,
        };
        if previous == NIL {
            self.head = token;
        } else {
            slab.entry_mut(previous).links[LINK].next = token;
        }
        self.tail = token;
        self.len += 1;
    }

    /// Takes out an entry that is in this queue.
    pub(super) fn unlink<V>(&mut self, slab: &mut Slab<V>, token: u32) {
        let link = &mut slab.entry_mut(token).links[LINK];
        let Link { previous, next } = std::mem::replace(link, Link::UNLINKED);
        if previous == NIL {
            self.head = next;
        } else {
            slab.entry_mut(previous).links[LINK].next = next;
        }
        if next == NIL {
            self.tail = previous;
        } else {
            slab.entry_mut(next).links[LINK].previous = previous;
        }
        self.len -= 1;
    }

    /// Walks the queue, checks every link and shows each entry to `visit`.
    pub(super) fn validate<V>(
        &self,
        slab: &Slab<V>,
        mut visit: impl FnMut(&Entry<V>) -> Result<(), String>,
    ) -> Result<(), String> {
        let (mut previous, mut token, mut count) = (NIL, self.head, 0);
        while token != NIL {
            let entry = slab
                .get(token)
                .ok_or(format!("queue {LINK} holds free slot {token}"))?;
            if entry.links[LINK].previous != previous || count == self.len {
                return Err(format!("queue {LINK} is broken at slot {token}"));
            }
            visit(entry)?;
            (previous, token, count) = (token, entry.links[LINK].next, count + 1);
        }
        if (previous, count) == (self.tail, self.len) {
            return Ok(());
        }
        Err(format!(
            "queue {LINK} says {} entries, holds {count}",
            self.len
        ))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::entry::{Lifetime, POLICY, Version};

    pub(in crate::core) fn entry(value: u32, lifetime: Lifetime) -> Entry<u32> {
        let version = Version::from_count(0);
        Entry::new(
            Box::new(value.to_le_bytes()),
            u64::from(value),
            (value, 0),
            lifetime,
            version,
        )
    }

    fn values(queue: &Queue<POLICY>, slab: &Slab<u32>) -> Vec<u32> {
        let mut values = Vec::new();
        let seen = queue.validate(slab, |entry| {
            values.push(entry.value);
            Ok(())
        });
        seen.expect("a sound queue");
        values
    }

    #[test]
    fn freed_slots_are_used_again_latest_first() {
        let mut slab = Slab::new();
        let tokens: Vec<_> = (0..3)
            .map(|v| slab.insert(|| entry(v, Lifetime::NEVER)))
            .collect();
        assert_eq!(slab.remove(tokens[0]).value, 0);
        assert_eq!(slab.remove(tokens[2]).value, 2);
        assert_eq!(slab.insert(|| entry(3, Lifetime::NEVER)), tokens[2]);
        assert_eq!(slab.insert(|| entry(4, Lifetime::NEVER)), tokens[0]);
        assert_eq!((slab.len(), slab.slots()), (3, 3));
        assert!(slab.iter().map(|(_, e)| e.value).eq([4, 1, 3]));
        slab.validate().expect("a sound slab");
        assert!(slab.into_entries().map(|e| e.value).eq([4, 1, 3]));
    }

    #[test]
    fn entries_leave_a_queue_from_anywhere() {
        let mut slab = Slab::new();
        let mut queue = Queue::<POLICY>::new();
        let tokens: Vec<_> = (0..5)
            .map(|v| slab.insert(|| entry(v, Lifetime::NEVER)))
            .collect();
        for &token in &tokens {
            queue.push_back(&mut slab, token);
        }
        for (out, left) in [(2, vec![0, 1, 3, 4]), (0, vec![1, 3, 4]), (4, vec![1, 3])] {
            queue.unlink(&mut slab, tokens[out]);
            assert_eq!(values(&queue, &slab), left);
        }
        assert_eq!(
            (queue.head(), queue.tail()),
            (Some(tokens[1]), Some(tokens[3]))
        );
        queue.push_back(&mut slab, tokens[2]);
        assert_eq!(values(&queue, &slab), [1, 3, 2]);
    }

    #[test]
    fn a_broken_queue_is_noticed() {
        let mut slab = Slab::new();
        let mut queue = Queue::<POLICY>::new();
        let tokens: Vec<_> = (0..3)
            .map(|v| slab.insert(|| entry(v, Lifetime::NEVER)))
            .collect();
        for &token in &tokens {
            queue.push_back(&mut slab, token);
        }
        slab.entry_mut(tokens[1]).links[POLICY].previous = NIL;
        assert!(queue.validate(&slab, |_| Ok(())).is_err());
    }
}
