//! A key and a value on their way into a shard.

use super::account::Room;
use super::entry::Lifetime;
use super::generations::Ticket;
use super::slab::Slab;

/// What an entry takes beside its slot, its key and its value, in bytes: a place in a table that is as empty
/// as it gets (12), the most that the policy remembers for it (64), and what an allocator adds to a key (16).
const BESIDE: usize = 92;
/// What a tag takes in an entry beside its text, should no other entry carry it: two words (16), a place in a table
/// (36), and two counts (16).
const TAG: usize = 68;

/// On what condition a value is inserted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum When {
    /// In any case: the value takes the place of one that is there.
    Always,
    /// Only if no live entry is there. An expired one counts as absent.
    IfAbsent,
    /// As `Always`, but only if since the ticket was handed out the key was not removed, nor given a value
    /// in any other way, and none of the ticket's tags was let go. The value may have more tags behind those.
    IfTicket(Ticket),
}

impl When {
    pub(super) const fn overwrites(self) -> bool {
        matches!(self, Self::Always | Self::IfTicket(_))
    }
}

/// A key with its hash.
#[derive(Copy, Clone, Debug)]
pub(super) struct Hashed<'a> {
    pub(super) hash: u64,
    pub(super) bytes: &'a [u8],
}

/// A value to be stored, and how.
#[derive(Debug)]
pub struct Offer<'a, V> {
    /// The value.
    pub value: V,
    /// What the value takes, in bytes. Key, tags and what the store itself needs for an entry are added.
    pub weight: usize,
    /// How long it may be served.
    pub lifetime: Lifetime,
    /// On what condition it is stored.
    pub when: When,
    /// What it is let go by, each once; they take the place of those of a value that it replaces.
    pub tags: &'a [&'a [u8]],
}

/// A value on its way in.
#[derive(Debug)]
pub(super) struct Incoming<'a, V> {
    pub(super) key: Hashed<'a>,
    /// Until it is stored or left to the caller.
    pub(super) value: Option<V>,
    /// What its entry will take, in bytes.
    pub(super) weight: usize,
    pub(super) lifetime: Lifetime,
    pub(super) when: When,
    /// What the entry is to be let go by.
    pub(super) tags: &'a [Hashed<'a>],
    /// What has been set aside for it in the account.
    pub(super) room: Room,
}

impl<'a, V> Incoming<'a, V> {
    #[inline]
    pub(super) fn new(key: Hashed<'a>, offer: Offer<'_, V>, tags: &'a [Hashed<'a>]) -> Self {
        let weight = entry_weight::<V>(key.bytes, offer.weight).saturating_add(tags_weight(tags));
        Self {
            key,
            value: Some(offer.value),
            weight,
            lifetime: offer.lifetime,
            when: offer.when,
            tags,
            room: Room::for_entry(weight),
        }
    }
}

/// What an entry without tags takes, in bytes.
#[inline]
pub(super) const fn entry_weight<V>(key: &[u8], value: usize) -> usize {
    let own = Slab::<V>::SLOT + BESIDE + key.len();
    own.saturating_add(value)
}

/// What tags take in an entry, in bytes.
#[inline]
pub(super) fn tags_weight<T: AsRef<[u8]>>(tags: &[T]) -> usize {
    tags.iter().map(|tag| TAG + tag.as_ref().len()).sum()
}

impl AsRef<[u8]> for Hashed<'_> {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}

/// What came of a value on its way in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Stored,
    /// For good: the value is left to the caller.
    Declined,
    /// The same, as it would take more than the whole store may.
    Refused,
    /// The store is full, and this shard has given up its part: the value is where it was.
    NoRoom,
}
