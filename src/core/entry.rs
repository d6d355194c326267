//! What the store holds per key.

use super::clock::Instant;
use super::tags::Tag;

/// A key as the store keeps it: its bytes and nothing else.
pub type Key = Box<[u8]>;

/// How long a value may be served: fresh, then stale, then not at all (RFC 5861's words).
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// From this moment on the value is stale.
    pub fresh_until: Instant,
    /// From this moment on the entry is expired: as good as absent.
    pub stale_until: Instant,
}

/// What may be done with a value at some moment.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Freshness {
    /// Serve it.
    Fresh,
    /// Serve it while a new one is fetched.
    Stale,
    /// It is as good as absent.
    Expired,
}

impl Lifetime {
    /// A value that never expires.
    pub const NEVER: Self = Self::until(Instant::NEVER);

    /// A value that is fresh until `deadline` and expired from then on.
    #[must_use]
    pub const fn until(deadline: Instant) -> Self {
        Self {
            fresh_until: deadline,
            stale_until: deadline,
        }
    }

    /// What may be done with the value at `now`.
    #[must_use]
    pub const fn freshness(self, now: Instant) -> Freshness {
        if self.is_expired(now) {
            Freshness::Expired
        } else if self.fresh_until.is_due(now) {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }

    /// Whether the value is as good as absent at `now`: exactly when `now >= stale_until`.
    #[inline]
    #[must_use]
    pub const fn is_expired(self, now: Instant) -> bool {
        self.stale_until.is_due(now)
    }
}

/// Names one stored value of a key: whoever stores another value under the key gives it another
/// version, also after a removal in between. Versions of different keys cannot be compared.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Version(u64);

impl Version {
    pub(super) const fn from_count(count: u64) -> Self {
        Self(count)
    }
}

/// No token: the end of a queue.
pub(super) const NIL: u32 = u32::MAX;

/// How many orders an entry is part of.
pub(super) const LINKS: usize = 2;
/// The policy's queues.
pub(super) const POLICY: usize = 0;
/// The expiry's runs.
pub(super) const EXPIRY: usize = 1;

/// An entry's neighbours in one queue.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Link {
    pub(super) previous: u32,
    pub(super) next: u32,
}

impl Link {
    pub(super) const UNLINKED: Self = Self {
        previous: NIL,
        next: NIL,
    };
}

/// One key with its value, and its place in every order that it is part of.
///
/// What a hit touches comes first and fills one cache line (for a value of two words); without that a hit is a
/// twentieth slower, in return for 40 bytes an entry.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) key: Key,
    pub(super) hash: u64,
    pub(super) value: V,
    pub(super) lifetime: Lifetime,
    /// The expiry's run; of no meaning for an entry that never expires.
    pub(super) run: u32,
    /// Which of its queues the policy keeps the entry in.
    pub(super) queue: u8,
    /// Accesses that the policy has seen and not yet spent.
    pub(super) frequency: u8,
    /// Whether one of `tags` says what it belongs to, for hits to see.
    pub(super) is_owned: bool,
    pub(super) version: Version,
    /// What it takes, in bytes: key, value, tags, and the store's own.
    pub(super) weight: usize,
    /// Up to what value of the policy's clock it stays.
    pub(super) credit: u64,
    /// Neighbours in the policy's queue and in the expiry's run.
    pub(super) links: [Link; LINKS],
    /// What it is let go by, together with others; None for most.
    pub(super) tags: Option<Box<[Tag]>>,
}

impl<V> Entry<V> {
    #[inline]
    pub(super) fn new(
        key: Key,
        hash: u64,
        (value, weight): (V, usize),
        lifetime: Lifetime,
        version: Version,
    ) -> Self {
        let links = [Link::UNLINKED; LINKS];
        Self {
            key,
            hash,
            value,
            lifetime,
            version,
            weight,
            credit: 0,
            tags: None,
            links,
            run: 0,
            queue: 0,
            frequency: 0,
            is_owned: false,
        }
    }

    /// The tags that it carries.
    pub(super) fn tags(&self) -> &[Tag] {
        self.tags.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_goes_from_fresh_over_stale_to_expired() {
        let at = Instant::from_nanos;
        let lifetime = Lifetime {
            fresh_until: at(10),
            stale_until: at(20),
        };
        let expected = [
            (9, Freshness::Fresh),
            (10, Freshness::Stale),
            (19, Freshness::Stale),
            (20, Freshness::Expired),
        ];
        for (nanos, freshness) in expected {
            assert_eq!(lifetime.freshness(at(nanos)), freshness, "at {nanos}");
        }
    }

    #[test]
    fn never_is_fresh_at_the_end_of_time() {
        assert_eq!(Lifetime::NEVER.freshness(Instant::NEVER), Freshness::Fresh);
    }
}
