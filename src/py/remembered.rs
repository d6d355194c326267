//! What took long to find out, remembered: a bounded map from bytes to a key.
//!
//! Two generations: what is asked for lives in the young one; when that is full it becomes the old one, and what
//! was in the old one is forgotten, unless it was asked for meanwhile. So what is in use stays, whatever
//! else passes through (attackers choose query strings), and no more is held than twice the bound.

use std::collections::HashMap;

use ahash::RandomState;

use crate::core::sync::Arc;

type Map = HashMap<Box<[u8]>, Arc<str>, RandomState>;

/// See the module.
#[derive(Default)]
pub(super) struct Remembered {
    young: Map,
    old: Map,
}

impl Remembered {
    /// What was remembered under these bytes.
    #[inline]
    pub(super) fn find(&mut self, bytes: &[u8], bound: usize) -> Option<Arc<str>> {
        if let Some(key) = self.young.get(bytes) {
            return Some(Arc::clone(key));
        }
        let (bytes, key) = self.old.remove_entry(bytes)?;
        self.insert(bytes, Arc::clone(&key), bound);
        Some(key)
    }

    /// Remembers a key, and no more than twice `bound` of them.
    pub(super) fn remember(&mut self, bytes: &[u8], key: &Arc<str>, bound: usize) {
        self.insert(Box::from(bytes), Arc::clone(key), bound);
    }

    fn insert(&mut self, bytes: Box<[u8]>, key: Arc<str>, bound: usize) {
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

    fn key(number: u32) -> Arc<str> {
        Arc::from(number.to_string())
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut remembered = Remembered::default();
        remembered.remember(b"hot", &key(0), 4);
        for number in 1..100_u32 {
            remembered.remember(&number.to_le_bytes(), &key(number), 4);
            assert_eq!(remembered.find(b"hot", 4), Some(key(0)));
            assert!(remembered.young.len() + remembered.old.len() <= 8);
        }
        assert_eq!(remembered.find(&1_u32.to_le_bytes(), 4), None);
    }

    #[test]
    fn the_last_word_counts() {
        let mut remembered = Remembered::default();
        remembered.remember(b"a", &key(1), 1);
        remembered.remember(b"b", &key(2), 1);
        remembered.remember(b"a", &key(3), 1);
        assert_eq!(remembered.find(b"a", 1), Some(key(3)));
        remembered.clear();
        assert_eq!(remembered.find(b"a", 1), None);
    }
}
