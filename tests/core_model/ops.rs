//! What is done to the store, and how often.

use flask_rustcache::core::When;
use proptest::prelude::*;

/// More than one call clears away, so that some expired entries stay for a while.
pub(crate) const KEYS: u8 = 60;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Insert(u8, usize, Option<Ttl>, When),
    Read(u8),
    Replace(u8, usize),
    Contains(u8),
    Peek(u8),
    Remove(u8),
    Clear,
    Purge,
    Len,
    Keys,
    Bound(usize),
    /// In bytes.
    Weight(usize),
    Forward(u64),
    Back(u64),
}

/// Fresh for so long, then stale for so long; both 0 is expired already.
pub(crate) type Ttl = (u64, u64);

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let ttl = prop_oneof![
        1 => Just(None),
        1 => Just(Some((0, 0))),
        3 => Just(Some((10, 0))),
        3 => (0..30_u64, 0..10_u64).prop_map(Some),
    ];
    let when = prop_oneof![3 => Just(When::Always), 1 => Just(When::IfAbsent)];
    prop_oneof![
        30 => (0..KEYS, weight(), ttl, when)
            .prop_map(|(key, weight, ttl, when)| Op::Insert(key, weight, ttl, when)),
        15 => (0..KEYS).prop_map(Op::Read),
        8 => (0..KEYS, weight()).prop_map(|(key, weight)| Op::Replace(key, weight)),
        5 => (0..KEYS).prop_map(Op::Contains),
        3 => (0..KEYS).prop_map(Op::Peek),
        6 => (0..KEYS).prop_map(Op::Remove),
        1 => Just(Op::Clear),
        2 => Just(Op::Purge),
        2 => Just(Op::Len),
        2 => Just(Op::Keys),
        1 => (1..48_usize).prop_map(Op::Bound),
        1 => max_weight().prop_map(Op::Weight),
        8 => (1..8_u64).prop_map(Op::Forward),
        1 => (30..50_u64).prop_map(Op::Forward),
        2 => (1..30_u64).prop_map(Op::Back),
    ]
}

/// A value's weight in bytes: none, about that of the store's own, or much more.
fn weight() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 6 => 0..400_usize, 1 => 1_000..8_000_usize]
}

/// A bound in bytes: none, or that of a few entries.
pub(crate) fn max_weight() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(usize::MAX), 3 => 1..12_000_usize]
}
