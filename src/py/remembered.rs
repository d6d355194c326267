//! What took long to find out, remembered: a bounded map from bytes to a key.
//!
//! Two generations: what is asked for lives in the young one; when that is full it becomes the old one, and what
//! was in the old one is forgotten, unless it was asked for meanwhile. So what is in use stays, whatever
//! else passes through (attackers choose query strings), and no more is held than twice the bound.

use std::collections::HashMap;

use ahash::RandomState;

use super::key::buffer::Buffer;

type Map = HashMap<Box<[u8]>, Box<str>, RandomState>;

/// Bytes that are worth remembering a key for.
const MOST_BYTES: usize = 1024;

/// Keys that hold as long as a state does.
#[derive(Default)]
pub(super) struct Memory<S> {
    pub(super) state: S,
    keys: Remembered,
}

impl<S> Memory<S> {
    /// Forgets the keys of the old state, which is for the caller to drop.
    #[must_use = "it may have to be dropped out of a lock"]
    pub(super) fn restart(&mut self, state: S) -> S {
        self.keys = Remembered::default();
        std::mem::replace(&mut self.state, state)
    }

    /// Writes the key that was made for these bytes; false if none was.
    #[inline]
    pub(super) fn write(&mut self, bytes: &Buffer, to: &mut Buffer, bound: usize) -> bool {
        self.keys
            .find(bytes.bytes(), bound, |key| to.push(key.as_bytes()))
    }

    /// Remembers the key that was made for these bytes.
    pub(super) fn remember(&mut self, bytes: &Buffer, key: &Buffer, bound: usize) {
        if let Ok(key) = std::str::from_utf8(key.bytes())
            && bytes.bytes().len() <= MOST_BYTES
        {
            self.keys.remember(bytes.bytes(), key, bound);
        }
    }
}

/// See the module.
#[derive(Default)]
struct Remembered {
    young: Map,
    old: Map,
}

impl Remembered {
    /// Shows what was remembered under these bytes to `view`; false if nothing was.
    #[inline]
    fn find(&mut self, bytes: &[u8], bound: usize, view: impl FnOnce(&str)) -> bool {
        if let Some(key) = self.young.get(bytes) {
            view(key);
            return true;
        }
        let Some((bytes, key)) = self.old.remove_entry(bytes) else {
            return false;
        };
        view(&key);
        self.insert(bytes, key, bound);
        true
    }

    /// Remembers a key, and no more than twice `bound` of them.
    fn remember(&mut self, bytes: &[u8], key: &str, bound: usize) {
        self.insert(Box::from(bytes), Box::from(key), bound);
    }

    fn insert(&mut self, bytes: Box<[u8]>, key: Box<str>, bound: usize) {
        if self.young.len() >= bound {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(bytes, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(remembered: &mut Remembered, bytes: &[u8], bound: usize) -> Option<String> {
        let mut seen = None;
        remembered.find(bytes, bound, |key| seen = Some(key.to_owned()));
        seen
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut remembered = Remembered::default();
        remembered.remember(b"hot", "0", 4);
        for number in 1..100_u32 {
            remembered.remember(&number.to_le_bytes(), "other", 4);
            assert_eq!(found(&mut remembered, b"hot", 4).as_deref(), Some("0"));
            assert!(remembered.young.len() + remembered.old.len() <= 8);
        }
        assert_eq!(found(&mut remembered, &1_u32.to_le_bytes(), 4), None);
    }

    #[test]
    fn another_state_has_no_keys() {
        let mut memory = Memory::<u8>::default();
        let (mut bytes, mut key, mut to) = (Buffer::new(), Buffer::new(), Buffer::new());
        bytes.push(b"call");
        key.push(b"key");
        memory.remember(&bytes, &key, 4);
        assert!(memory.write(&bytes, &mut to, 4));
        assert_eq!(to.bytes(), b"key");
        assert_eq!(memory.restart(1), 0);
        assert!(!memory.write(&bytes, &mut to, 4));
    }

    #[test]
    fn the_last_word_counts() {
        let mut remembered = Remembered::default();
        remembered.remember(b"a", "1", 1);
        remembered.remember(b"b", "2", 1);
        remembered.remember(b"a", "3", 1);
        assert_eq!(found(&mut remembered, b"a", 1).as_deref(), Some("3"));
    }
}
