//! A key and a value on their way into a shard.

use super::entry::Lifetime;
use super::generations::Ticket;

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

/// A value on its way in.
#[derive(Debug)]
pub(super) struct Incoming<'a, V> {
    pub(super) key: Hashed<'a>,
    /// Until it is stored or left to the caller.
    pub(super) value: Option<V>,
    pub(super) lifetime: Lifetime,
    pub(super) when: When,
    /// What the entry is to be let go by.
    pub(super) tags: &'a [Hashed<'a>],
    /// Whether an entry has been reserved for it in the account.
    pub(super) reserved: bool,
}

/// What came of a value on its way in.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Stored,
    /// For good: the value is left to the caller.
    Declined,
    /// The store is full and this shard is empty: the value is where it was.
    NoRoom,
}
