//! Running a body under many schedules, and the store that it is about.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use flask_rustcache::core::{Instant, Lifetime, Offer, Stats, Store, StoreConfig, When};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, MaxSteps, Runner};

pub(crate) const NOW: Instant = Instant::from_nanos(1_000);
pub(crate) const LATER: Instant = Instant::from_nanos(2_000);
/// Far beyond what any schedule here takes: whoever gets there goes round for ever.
const MOST_STEPS: usize = 20_000;
/// Changes of mind within one schedule of the second scheduler: bugs need two or three.
const DEPTH: usize = 3;

#[expect(
    clippy::print_stdout,
    reason = "it is shown when the test fails, and says how to run it again"
)]
fn say(text: &str) {
    println!("{text}");
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs a body under so many schedules: first of a scheduler that draws lots at each step, then of one that
/// lets the most important thread run and changes its mind a few times.
///
/// SEED and SCHEDULES in the environment are the seed and the number; without a seed each run has another. A
/// failure prints the seed, which finds it again.
pub(crate) fn explore(body: impl Fn() + Clone + Send + Sync + 'static) {
    let seed = variable("SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let schedules = usize::try_from(variable("SCHEDULES").unwrap_or(1_000)).unwrap();
    say(&format!(
        "to run it again: SEED={seed} SCHEDULES={schedules}"
    ));
    run(
        RandomScheduler::new_from_seed(seed, schedules),
        body.clone(),
    );
    run(
        PctScheduler::new_from_seed(seed, DEPTH, schedules),
        body.clone(),
    );
}

fn run(scheduler: impl Scheduler + 'static, body: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    // What it warns of stands at the head of main.rs.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(body);
}

/// A store whose values are counted.
pub(crate) struct World {
    pub(crate) store: Store<Arc<usize>>,
    /// Its count is one more than the number of values in existence.
    pub(crate) value: Arc<usize>,
}

impl World {
    pub(crate) fn new(max_entries: usize, shards: usize) -> Arc<Self> {
        Self::weighing((max_entries, usize::MAX), shards)
    }

    /// The same with a bound in bytes behind that on entries.
    pub(crate) fn weighing((max_entries, max_weight): (usize, usize), shards: usize) -> Arc<Self> {
        let store = Store::with_exact_shards(StoreConfig {
            max_entries,
            max_weight,
            shards,
        });
        Arc::new(Self {
            store: store.unwrap(),
            value: Arc::new(0),
        })
    }

    pub(crate) fn insert_until(&self, key: u8, until: Instant, when: When) -> bool {
        let value = Arc::clone(&self.value);
        let inserted = self
            .store
            .insert(&[key], value, Lifetime::until(until), NOW, when);
        inserted.stored
    }

    pub(crate) fn insert(&self, key: u8) {
        assert!(self.insert_until(key, Instant::NEVER, When::Always));
    }

    /// Stores a value that weighs something; was it stored?
    pub(crate) fn insert_heavy(&self, key: u8, weight: usize) -> bool {
        let offer = Offer {
            value: Arc::clone(&self.value),
            weight,
            lifetime: Lifetime::NEVER,
            when: When::Always,
            tags: &[],
        };
        self.store.put(&[key], offer, NOW).stored
    }

    pub(crate) fn insert_all(&self, keys: [u8; 3]) {
        for key in keys {
            self.insert(key);
        }
    }

    pub(crate) fn holds(&self, key: u8) -> bool {
        self.store.peek(&[key], NOW, |_, _| ()).is_some()
    }

    pub(crate) fn entries(&self) -> usize {
        self.store.stats().entries
    }

    /// What must be so when all is quiet. That the account is the entries is part of `validate`.
    pub(crate) fn settle(&self) -> Stats {
        self.store.validate().unwrap();
        let stats = self.store.stats();
        assert_eq!(
            Arc::strong_count(&self.value),
            stats.entries + 1,
            "values lost"
        );
        stats
    }
}

pub(crate) fn spawn<R: Send + 'static>(
    world: &Arc<World>,
    act: impl FnOnce(&World) -> R + Send + 'static,
) -> JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || act(&world))
}

pub(crate) fn join_all<R>(threads: impl IntoIterator<Item = JoinHandle<R>>) -> Vec<R> {
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}
