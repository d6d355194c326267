//! Groups of entries that are let go together: which entries of a shard carry which tags.
//!
//! A tag is known as long as an entry carries it. Letting a tag go takes time in proportion to the entries that
//! carry it, and ends the fills under way that would store another: see [`Generations`].

use std::collections::hash_map::Entry as Place;

use ahash::{HashMap, HashSet};

use super::entry::Entry;
use super::generations::Generations;
use super::incoming::Hashed;
use super::slab::Slab;
use super::steps;
use super::sync::Arc;

/// A tag as the entries that carry it hold it.
pub type Tag = Arc<[u8]>;

/// What a user's tag begins with: anything may be given one, so it does not say what an entry belongs to.
pub const USERS: u8 = 0xfe;

/// Does one of these say what the entry belongs to?
pub(super) fn any_tells_owner(tags: &[Tag]) -> bool {
    tags.iter().any(|tag| tag.first() != Some(&USERS))
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tags {
    members: HashMap<Tag, Members>,
    generations: Generations,
}

/// Who carries a tag: at least one.
#[derive(Debug)]
enum Members {
    /// Most tags that are made of a user or a page are carried by one entry, and a set takes a hundred bytes more.
    One(u32),
    Many(Box<HashSet<u32>>),
}

impl Members {
    fn add(&mut self, token: u32) {
        match self {
            Self::One(only) if *only == token => {}
            Self::One(only) => *self = Self::Many(Box::new([*only, token].into_iter().collect())),
            Self::Many(tokens) => drop(tokens.insert(token)),
        }
    }

    /// Is nobody left?
    fn remove(&mut self, token: u32) -> bool {
        match self {
            Self::One(only) => *only == token,
            Self::Many(tokens) => {
                tokens.remove(&token);
                tokens.is_empty()
            }
        }
    }

    fn contains(&self, token: u32) -> bool {
        match self {
            Self::One(only) => *only == token,
            Self::Many(tokens) => tokens.contains(&token),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(tokens) => tokens.len(),
        }
    }

    fn list(&self) -> Vec<u32> {
        match self {
            Self::One(only) => vec![*only],
            Self::Many(tokens) => tokens.iter().copied().collect(),
        }
    }
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
        match self.members.entry(Arc::clone(&tag)) {
            Place::Occupied(mut members) => members.get_mut().add(token),
            Place::Vacant(place) => drop(place.insert(Members::One(token))),
        }
        tag
    }

    /// An entry no longer carries these; `emptied` is told of each that nobody carries any more.
    pub(super) fn remove(&mut self, token: u32, tags: &[Tag], mut emptied: impl FnMut(Tag)) {
        for tag in tags {
            steps::count();
            let Some(members) = self.members.get_mut(tag) else {
                continue;
            };
            if members.remove(token)
                && let Some((tag, _)) = self.members.remove_entry(tag)
            {
                emptied(tag);
            }
        }
    }

    /// Those who carry a tag, in no order.
    pub(super) fn members(&self, tag: &[u8]) -> Vec<u32> {
        self.members.get(tag).map_or_else(Vec::new, Members::list)
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
        let known: usize = self.members.values().map(Members::len).sum();
        if known != carried {
            return Err(format!("{known} tags are known, entries carry {carried}"));
        }
        let stray = |token: u32, entry: &Entry<V>| {
            let mut tags = entry.tags().iter();
            let is_told = entry.is_owned == any_tells_owner(entry.tags());
            !is_told
                || tags.any(|tag| {
                    !self
                        .members
                        .get(tag)
                        .is_some_and(|members| members.contains(token))
                })
        };
        if let Some((token, _)) = slab.iter().find(|(token, entry)| stray(*token, entry)) {
            return Err(format!("slot {token} is not known under its tags"));
        }
        if self.members.values().any(|members| members.len() == 0) {
            return Err("a tag that nobody carries is known".to_owned());
        }
        Ok(())
    }
}
