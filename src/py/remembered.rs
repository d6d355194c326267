//! What took long to find out, remembered: a bounded map from bytes to a key.
//!
//! Two generations: what is asked for lives in the young one; when that is full it becomes the old one, and what
//! was in the old one is forgotten, unless it was asked for meanwhile. So what is in use stays, whatever
//! else passes through (attackers choose query strings), and no more is held than twice the bound.

use std::collections::HashMap;

use ahash::RandomState;

type Map = HashMap<Box<[u8]>, Box<str>, RandomState>;

/// See the module.
#[derive(Default)]
pub(super) struct Remembered {
    young: Map,
    old: Map,
}

impl Remembered {
    /// Shows what was remembered under these bytes to `view`; false if nothing was.
    #[inline]
    pub(super) fn find(&mut self, bytes: &[u8], bound: usize, view: impl FnOnce(&str)) -> bool {
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
    pub(super) fn remember(&mut self, bytes: &[u8], key: &str, bound: usize) {
        self.insert(Box::from(bytes), Box::from(key), bound);
    }

    fn insert(&mut self, bytes: Box<[u8]>, key: Box<str>, bound: usize) {
        if self.young.len() >= bound {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(bytes, key);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
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
    fn the_last_word_counts() {
        let mut remembered = Remembered::default();
        remembered.remember(b"a", "1", 1);
        remembered.remember(b"b", "2", 1);
        remembered.remember(b"a", "3", 1);
        assert_eq!(found(&mut remembered, b"a", 1).as_deref(), Some("3"));
        remembered.clear();
        assert_eq!(found(&mut remembered, b"a", 1), None);
    }
}
