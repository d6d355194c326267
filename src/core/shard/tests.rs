use super::*;
use crate::core::entry::Lifetime;
use crate::core::incoming::{Incoming, Offer, Outcome, When};

const SOON: Instant = Instant::from_nanos(10);

fn shard(bound: usize) -> Shard<u8> {
    Shard::new(Arc::new(Account::new(bound, usize::MAX)), bound, true)
}

fn incoming(key: &[u8; 1], lifetime: Lifetime) -> Incoming<'_, u8> {
    let key = Hashed {
        hash: u64::from(key[0]),
        bytes: key,
    };
    let offer = Offer {
        value: 0,
        weight: 0,
        lifetime,
        tags: &[],
        when: When::Always,
    };
    Incoming::new(key, offer, &[])
}

fn put(shard: &mut Shard<u8>, key: u8, lifetime: Lifetime) {
    let (key, mut evicted) = ([key], Evicted::nothing());
    let outcome = shard.insert(
        &mut incoming(&key, lifetime),
        Instant::from_nanos(0),
        &mut evicted,
    );
    assert!(outcome == Outcome::Stored && evicted.is_empty());
    shard.validate().expect("a sound shard");
}

#[test]
fn what_has_expired_is_handed_over_first_and_stays_reserved() {
    let mut shard = shard(3);
    put(&mut shard, 1, Lifetime::NEVER);
    put(&mut shard, 2, Lifetime::until(SOON));
    let (mut room, mut evicted) = (Room::default(), Evicted::nothing());
    let mut hand_over = || shard.hand_over(&mut room, SOON, &mut evicted);
    assert!(hand_over().is_some() && hand_over().is_some() && hand_over().is_none());
    assert_eq!(room.entries, 2);
    let left: Vec<_> = evicted
        .iter()
        .map(|removed| (removed.key[0], removed.cause))
        .collect();
    assert_eq!(left, [(2, RemovalCause::Expired), (1, RemovalCause::Size)]);
    assert_eq!(shard.account.held(), 2);
}

#[test]
fn an_empty_shard_of_a_full_store_sends_the_value_back() {
    let mut shard = shard(1);
    let mut elsewhere = Room::for_entry(0);
    assert!(shard.account.fill(&mut elsewhere));
    let mut evicted = Evicted::nothing();
    let mut sent = incoming(b"a", Lifetime::NEVER);
    let outcome = shard.insert(&mut sent, SOON, &mut evicted);
    assert_eq!((outcome, sent.value), (Outcome::NoRoom, Some(0)));
    sent.room.entries = std::mem::take(&mut elsewhere.entries);
    let outcome = shard.insert(&mut sent, SOON, &mut evicted);
    assert_eq!(outcome, Outcome::Stored);
    shard.validate().expect("a sound shard");
    assert_eq!((shard.account.held(), evicted.is_empty()), (1, true));
}

#[test]
fn a_call_clears_away_a_few_and_a_purge_the_memory_too() {
    let mut shard = shard(20);
    (0..20).for_each(|key| put(&mut shard, key, Lifetime::until(SOON)));
    let mut evicted = Evicted::nothing();
    assert_eq!(shard.begin_call(SOON, &mut evicted), 1);
    assert_eq!(evicted.len(), RECLAIMED_PER_CALL);
    shard.shrink_if_empty();
    assert_eq!(shard.stats().entries, 20 - RECLAIMED_PER_CALL);
    while shard.reclaim(SOON, &mut evicted) {}
    shard.shrink_if_empty();
    assert_eq!((shard.slab.slots(), shard.table.capacity()), (0, 0));
    shard.validate().expect("a sound shard");
    put(&mut shard, 1, Lifetime::until(SOON));
}
