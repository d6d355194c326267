//! Groups of entries that are let go together: which entries of a shard carry which tags.
//!
//! A tag is known as long as an entry carries it. Letting a tag go takes time in proportion to the entries that
//! carry it, and ends the fills under way that would store another: see [`Generations`].

use ahash::{HashMap, HashSet};

use super::entry::Entry;
use super::generations::Generations;
use super::incoming::Hashed;
use super::slab::Slab;
use super::steps;
use super::sync::Arc;

/// A tag as the entries that carry it hold it.
pub type Tag = Arc<[u8]>;

/// See the module.
#[derive(Debug)]
pub(super) struct Tags {
    members: HashMap<Tag, HashSet<u32>>,
    generations: Generations,
}

impl Tags {
    pub(super) fn new() -> Self {
        Self {
            members: HashMap::default(),
            generations: Generations::default(),
        }
    }

    /// Forgets who carries what. Fills under way stay as they are.
    pub(super) fn clear(&mut self) {
        self.members = HashMap::default();
    }

    /// An entry carries these from now on.
    pub(super) fn add(&mut self, token: u32, tags: &[Hashed<'_>]) -> Box<[Tag]> {
        tags.iter()
            .map(|tag| self.add_one(token, tag.bytes))
            .collect()
    }

    fn add_one(&mut self, token: u32, name: &[u8]) -> Tag {
        steps::count();
        let tag = match self.members.get_key_value(name) {
            Some((tag, _)) => Arc::clone(tag),
            None => Arc::from(name),
        };
        self.members
            .entry(Arc::clone(&tag))
            .or_default()
            .insert(token);
        tag
    }

    /// An entry no longer carries these; `emptied` is told of each that nobody carries any more.
    pub(super) fn remove(&mut self, token: u32, tags: &[Tag], mut emptied: impl FnMut(Tag)) {
        for tag in tags {
            steps::count();
            let Some(tokens) = self.members.get_mut(tag) else {
                continue;
            };
            tokens.remove(&token);
            if tokens.is_empty()
                && let Some((tag, _)) = self.members.remove_entry(tag)
            {
                emptied(tag);
            }
        }
    }

    /// Those who carry a tag, in no order.
    pub(super) fn members(&self, tag: &[u8]) -> Vec<u32> {
        let tokens = self.members.get(tag);
        tokens.map_or_else(Vec::new, |tokens| tokens.iter().copied().collect())
    }

    /// Does anybody carry it?
    pub(super) fn contains(&self, tag: &[u8]) -> bool {
        self.members.contains_key(tag)
    }

    /// Begins to watch these tags; a moment in the life of them all.
    pub(super) fn watch(&mut self, tags: &[Hashed<'_>]) -> u32 {
        // Each of them only ever grows, so the sum tells of any.
        tags.iter().fold(0, |sum: u32, tag| {
            sum.wrapping_add(self.generations.watch(*tag).generation)
        })
    }

    /// Was any of them let go after the last watch of it began?
    pub(super) fn are_spoiled(&self, tags: &[Hashed<'_>]) -> bool {
        tags.iter().any(|tag| self.generations.is_spoiled(tag.hash))
    }

    /// Ends what one [`Self::watch`] began.
    pub(super) fn unwatch(&mut self, tags: &[Hashed<'_>]) {
        for tag in tags {
            self.generations.unwatch(tag.hash);
        }
    }

    /// The present moment of tags that are all watched.
    pub(super) fn at(&self, tags: &[Hashed<'_>]) -> Option<u32> {
        tags.iter().try_fold(0, |sum: u32, tag| {
            Some(sum.wrapping_add(self.generations.at(tag.hash)?))
        })
    }

    /// No fill that has begun is to store a value with this tag.
    pub(super) fn end_tickets(&mut self, tag: Hashed<'_>) {
        self.generations.bump(tag.hash);
    }

    /// Recomputes every invariant.
    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        let carried: usize = slab.iter().map(|(_, entry)| entry.tags().len()).sum();
        let known: usize = self.members.values().map(HashSet::len).sum();
        if known != carried {
            return Err(format!("{known} tags are known, entries carry {carried}"));
        }
        let stray = |token: u32, entry: &Entry<V>| {
            let mut tags = entry.tags().iter();
            tags.any(|tag| !self.members.get(tag).is_some_and(|t| t.contains(&token)))
        };
        if let Some((token, _)) = slab.iter().find(|(token, entry)| stray(*token, entry)) {
            return Err(format!("slot {token} is not known under its tags"));
        }
        if self.members.values().any(HashSet::is_empty) {
            return Err("a tag that nobody carries is known".to_owned());
        }
        Ok(())
    }
}
