//! What nobody sensible passes in: settings, times, keys, ranges, weights and tickets of any kind. Nothing
//! panics, and every invariant holds after each step.
use flask_rustcache::core::{
    ConfigError, Instant, Lifetime, Offer, Store, StoreConfig, Ticket, Version, When,
};
use proptest::prelude::*;

/// Numbers at which something overflows, if it does, and their neighbours.
fn extreme() -> impl Strategy<Value = u64> {
    let edges = (0..64_u32, 0..3_u64)
        .prop_map(|(bits, less)| (1_u64 << bits).wrapping_mul(2).wrapping_sub(less));
    prop_oneof![edges, u64::MAX - 300.., any::<u64>(), 0..100_u64]
}

fn size() -> impl Strategy<Value = usize> {
    extreme().prop_map(|number| usize::try_from(number).unwrap_or(usize::MAX))
}

fn at() -> impl Strategy<Value = Instant> {
    extreme().prop_map(Instant::from_nanos)
}

/// Not even in order: stale before it was fresh.
fn lifetime() -> impl Strategy<Value = Lifetime> {
    (at(), at()).prop_map(|(fresh_until, stale_until)| Lifetime {
        fresh_until,
        stale_until,
    })
}

/// Few, so that they meet, and some of them long.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(vec![0_u8, 1, 255]), 0..3),
        any::<u8>().prop_map(|byte| vec![byte; 70_000]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, usize, Lifetime, u8, Vec<Vec<u8>>),
    Read(Vec<u8>),
    Replace(Vec<u8>, usize),
    AddTags(Vec<u8>, Vec<Vec<u8>>),
    Touch(Vec<u8>, Lifetime),
    Remove(Vec<u8>),
    RemoveTag(Vec<u8>),
    RemoveBetween(Vec<u8>, Vec<u8>),
    Ticket(Vec<u8>, Vec<Vec<u8>>),
    EndTicket(Vec<u8>, Vec<Vec<u8>>),
    Bounds(usize, usize),
    Purge,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    // Each once, as the boundary sees to.
    let tags =
        || prop::collection::btree_set(bytes(), 0..3).prop_map(|tags| tags.into_iter().collect());
    prop_oneof![
        6 => (bytes(), size(), lifetime(), 0..3_u8, tags())
            .prop_map(|(key, weight, life, when, tags)| Step::Put(key, weight, life, when, tags)),
        2 => bytes().prop_map(Step::Read),
        2 => (bytes(), size()).prop_map(|(key, weight)| Step::Replace(key, weight)),
        1 => (bytes(), tags()).prop_map(|(key, tags)| Step::AddTags(key, tags)),
        1 => (bytes(), lifetime()).prop_map(|(key, life)| Step::Touch(key, life)),
        1 => bytes().prop_map(Step::Remove),
        1 => bytes().prop_map(Step::RemoveTag),
        1 => (bytes(), bytes()).prop_map(|(from, to)| Step::RemoveBetween(from, to)),
        1 => (bytes(), tags()).prop_map(|(key, tags)| Step::Ticket(key, tags)),
        1 => (bytes(), tags()).prop_map(|(key, tags)| Step::EndTicket(key, tags)),
        1 => (size(), size()).prop_map(|(entries, weight)| Step::Bounds(entries, weight)),
        1 => Just(Step::Purge),
        1 => Just(Step::Clear),
    ]
}

fn slices(all: &[Vec<u8>]) -> Vec<&[u8]> {
    all.iter().map(Vec::as_slice).collect()
}

/// A store, and what was last handed out by it, for whatever key: it is given back for any other.
struct World {
    store: Store<u8>,
    ticket: Option<Ticket>,
    version: Option<Version>,
}

impl World {
    fn put(
        &self,
        key: &[u8],
        (weight, lifetime, when): (usize, Lifetime, u8),
        tags: &[Vec<u8>],
        now: Instant,
    ) {
        let when = match (when, self.ticket) {
            (0, _) => When::Always,
            (1, Some(ticket)) => When::IfTicket(ticket),
            _ => When::IfAbsent,
        };
        let offer = Offer {
            value: 0,
            weight,
            lifetime,
            when,
            tags: &slices(tags),
        };
        drop(self.store.put(key, offer, now));
    }

    fn read(&mut self, key: &[u8], now: Instant) {
        let (seen, _) = self.store.read_versioned(key, now, |_| ());
        self.version = seen.map(|((), version)| version).or(self.version);
    }

    fn apply(&mut self, step: &Step, now: Instant) {
        let store = &self.store;
        match step {
            Step::Put(key, weight, lifetime, when, tags) => {
                self.put(key, (*weight, *lifetime, *when), tags, now);
            }
            Step::Read(key) => self.read(key, now),
            Step::Replace(key, weight) => {
                if let Some(version) = self.version {
                    drop(store.replace(key, version, (1, *weight), now));
                }
            }
            Step::AddTags(key, tags) => drop(store.add_tags(key, &slices(tags), now)),
            Step::Touch(key, lifetime) => drop(store.touch(key, *lifetime, now)),
            Step::Remove(key) => drop(store.remove(key, now)),
            Step::RemoveTag(tag) => drop(store.remove_tag(tag, now)),
            Step::RemoveBetween(from, to) => drop(store.remove_between(from, to, now)),
            Step::Ticket(key, tags) => self.ticket = Some(store.ticket(key, &slices(tags))),
            // More often than they were handed out, too.
            Step::EndTicket(key, tags) => store.end_ticket(key, &slices(tags)),
            Step::Bounds(entries, weight) => {
                drop(store.set_max_entries(*entries));
                drop(store.set_max_weight(*weight));
            }
            Step::Purge => drop(store.purge_expired(now)),
            Step::Clear => drop(store.clear()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_panics_and_every_invariant_holds(
        shards in prop::sample::select(vec![1_usize, 2, 16]),
        max_entries in size().prop_map(|size| size.max(1)),
        max_weight in size().prop_map(|size| size.max(1)),
        // Time goes any way it likes.
        steps in prop::collection::vec((step(), at()), 0..60),
    ) {
        let config = StoreConfig { max_entries, max_weight, shards };
        let store = Store::with_exact_shards(config).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut world = World { store, ticket: None, version: None };
        for (step, now) in steps {
            world.apply(&step, now);
            world.store.validate().map_err(TestCaseError::fail)?;
            let stats = world.store.stats();
            prop_assert!(stats.entries <= world.store.max_entries());
            prop_assert!(stats.weight <= world.store.max_weight());
        }
    }

    #[test]
    fn a_store_is_made_or_refused_by_name(max_entries in size(), max_weight in size(), shards in size()) {
        let config = StoreConfig { max_entries, max_weight, shards };
        let error = Store::<u8>::with_exact_shards(config).err();
        let expected = if max_entries == 0 {
            Some(ConfigError::MaxEntries)
        } else if max_weight == 0 {
            Some(ConfigError::MaxWeight)
        } else {
            (!shards.is_power_of_two() || shards > 4_096).then_some(ConfigError::Shards(shards))
        };
        prop_assert_eq!(error, expected);
    }
}
