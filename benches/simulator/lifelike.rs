//! Loads by rule that are like those of databases, key-value stores, networks of caches and disks: what we have no
//! recorded traces of.
//!
//! The policy's constants were chosen with the first set in view. The second was made at the same time, from the
//! same rules with other numbers and from mixtures, and was looked at only when the choice was made.

use std::collections::{HashMap, VecDeque};

use crate::load::{Load, Random, Zipf};

const LONG: usize = 150_000;

/// Numbers keys from 0 without gaps.
fn dense(keys: Vec<u64>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let mut number = |key| {
        let next = numbers.len() as u32;
        *numbers.entry(key).or_insert(next)
    };
    keys.into_iter().take(LONG).map(&mut number).collect()
}

/// Twelve draws add up to a nearly normal one; this is the power of it.
fn log_normal(median: f64, spread: f64, random: &mut Random) -> f64 {
    let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    median * (spread * normal).exp()
}

/// LRU's own: a request is for the key that was asked for so many others ago, or for a new one.
fn stack(mut depth: impl FnMut(&mut Random) -> f64, new: f64, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let mut stack: Vec<u32> = Vec::new();
    let mut fresh = 0;
    let mut request = || {
        let depth = depth(&mut random) as usize;
        let key = if random.unit() < new || depth >= stack.len() {
            fresh += 1;
            fresh - 1
        } else {
            stack.remove(stack.len() - 1 - depth)
        };
        stack.push(key);
        if stack.len() > 15_000 {
            stack.remove(0);
        }
        key
    };
    (0..LONG).map(|_| request()).collect()
}

fn normal_stack(median: f64, spread: f64, new: f64, seed: u64) -> Vec<u32> {
    stack(|random| log_normal(median, spread, random), new, seed)
}

fn long_tailed_stack(tail: f64, scale: f64, new: f64, seed: u64) -> Vec<u32> {
    let depth = |random: &mut Random| random.unit().powf(-1.0 / tail) * scale - scale;
    stack(depth, new, seed)
}

/// News: what is asked for was made lately.
fn news(median: f64, spread: f64, rate: f64, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let mut newest = 1_000.0_f64;
    let mut request = || {
        if random.unit() < rate {
            newest += 1.0;
            return newest as u64;
        }
        (newest - log_normal(median, spread, &mut random)).max(0.0) as u64
    };
    dense((0..LONG).map(|_| request()).collect())
}

/// Popular keys that give way to new ones, and a part that is asked for once.
fn churn(keys: usize, exponent: f64, rate: f64, once: f64, seed: u64) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(seed));
    let mut names: Vec<u64> = (0..keys as u64).collect();
    let mut fresh = keys as u64;
    let mut request = || {
        if random.unit() < once {
            fresh += 1;
            return fresh;
        }
        let key = names[law.draw(&mut random) as usize];
        if random.unit() < rate {
            fresh += 1;
            names[law.draw(&mut random) as usize] = fresh;
        }
        key
    };
    dense((0..LONG).map(|_| request()).collect())
}

/// Transactions on rows with an index above them, some of which append and read what was appended; now and then a
/// table is scanned, one of three.
fn transactions(
    rows: usize,
    exponent: f64,
    scan: (usize, u64),
    append: f64,
    seed: u64,
) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(rows, exponent), Random::new(seed));
    let (mut all, mut tail, mut scanned, mut table) = (Vec::new(), 10_000_000, 0, 0);
    while all.len() < LONG {
        if all.len() - scanned > scan.0 {
            scanned = all.len();
            table = (table + 1) % 3;
            all.extend((0..scan.1).map(|page| 20_000_000 + table * 100_000 + page));
        }
        let row = u64::from(law.draw(&mut random)) * 7_919 % rows as u64;
        all.extend([30_000_000 + row / 4_000, 31_000_000 + row / 60, row / 4]);
        if random.unit() < append {
            tail += u64::from(random.unit() < 0.3);
            let back = (random.unit().powf(-1.0 / 1.2) * 4.0) as u64;
            all.extend([tail, tail.saturating_sub(back).max(10_000_000)]);
        }
    }
    dense(all)
}

/// Each visit repeats up to so many times within a short distance, which says nothing of the next visit.
fn correlated(keys: usize, exponent: f64, repeats: usize, distance: usize, seed: u64) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(seed));
    let mut later: VecDeque<Option<u32>> = vec![None; distance + 1].into();
    let mut request = || {
        later.push_back(None);
        if let Some(Some(key)) = later.pop_front() {
            return key;
        }
        let key = law.draw(&mut random);
        for _ in 0..random.below(repeats + 1) {
            later[random.below(distance)].get_or_insert(key);
        }
        key
    };
    let keys: Vec<u32> = (0..LONG).map(|_| request()).collect();
    dense(keys.into_iter().map(u64::from).collect())
}

/// Files of log-normal length that are read from the beginning to the end, six at a time, some again soon.
fn files(files: usize, exponent: f64, median: f64, again: f64, seed: u64) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(files, exponent), Random::new(seed));
    let lengths: Vec<u64> = (0..files)
        .map(|_| log_normal(median, 1.2, &mut random).clamp(1.0, 5_000.0) as u64)
        .collect();
    let (mut open, mut recent, mut all) = (Vec::new(), VecDeque::new(), Vec::new());
    while all.len() < LONG {
        if open.len() < 6 {
            let is_again = random.unit() < again && !recent.is_empty();
            let file = if is_again {
                recent[random.below(recent.len())]
            } else {
                law.draw(&mut random) as usize
            };
            recent.push_back(file);
            if recent.len() > 30 {
                recent.pop_front();
            }
            open.push((file, 0));
        }
        let at = random.below(open.len());
        let (file, read) = open[at];
        let end = lengths[file].min(read + 8);
        all.extend((read..end).map(|page| file as u64 * 10_000 + page));
        open[at].1 = end;
        if end == lengths[file] {
            open.swap_remove(at);
        }
    }
    dense(all)
}

/// Visitors come, ask for a few keys of their own again and again, and leave; some requests are for common keys.
fn sessions(visitors: usize, exponent: f64, active: usize, own: usize, seed: u64) -> Vec<u32> {
    let (law, common) = (Zipf::new(visitors, exponent), Zipf::new(500, 0.8));
    let mut random = Random::new(seed);
    let mut here = Vec::new();
    let mut request = || {
        if random.unit() < 0.3 {
            return u64::from(common.draw(&mut random));
        }
        if here.len() < active {
            here.push((law.draw(&mut random), 1 + random.below(16)));
        }
        let at = random.below(here.len());
        let (visitor, left) = here[at];
        here[at].1 = left - 1;
        if left == 1 {
            here.swap_remove(at);
        }
        1_000_000 + u64::from(visitor) * 16 + random.below(own) as u64
    };
    dense((0..LONG).map(|_| request()).collect())
}

/// Loads side by side, each with its weight, or in turns of so many requests if that is not 0.
fn mixed(loads: &[(f64, Vec<u32>)], turn: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let total: f64 = loads.iter().map(|(weight, _)| weight).sum();
    let mut at = vec![0; loads.len()];
    let mut request = |i: usize| {
        let mut draw = random.unit() * total;
        let by_weight = loads.iter().position(|(weight, _)| {
            draw -= weight;
            draw < 0.0
        });
        let by_turn = i.checked_div(turn).map(|turns| turns % loads.len());
        let which = by_turn.or(by_weight).unwrap_or(0);
        let load = &loads[which].1;
        at[which] += 1;
        (which as u64) << 32 | u64::from(load[(at[which] - 1) % load.len()])
    };
    dense((0..LONG).map(&mut request).collect())
}

fn load(name: &str, sizes: &[usize], requests: Vec<u32>) -> Load {
    Load {
        name: name.to_owned(),
        requests,
        sizes: sizes.to_vec(),
        is_trace: false,
    }
}

/// Those that the policy was made with.
pub(crate) fn seen() -> Vec<Load> {
    let few: &[usize] = &[100, 500, 2_000];
    let all: &[usize] = &[100, 500, 2_000, 10_000];
    vec![
        load("stack 100", few, normal_stack(100.0, 1.5, 0.05, 11)),
        load("stack 1000", all, normal_stack(1_000.0, 1.5, 0.1, 12)),
        load("long-tailed", all, long_tailed_stack(0.3, 20.0, 0.1, 13)),
        load("news", few, news(300.0, 1.5, 0.1, 14)),
        load("churn", all, churn(10_000, 0.9, 0.1, 0.0, 15)),
        load("one-offs", all, churn(20_000, 0.8, 0.02, 0.25, 16)),
        load(
            "transactions",
            all,
            transactions(40_000, 0.9, (20_000, 3_000), 0.5, 17),
        ),
        load("correlated", few, correlated(20_000, 0.8, 3, 60, 18)),
        load("files", all, files(3_000, 0.8, 40.0, 0.3, 19)),
        load("sessions", few, sessions(20_000, 0.6, 40, 4, 20)),
    ]
}

/// Those that were held out.
pub(crate) fn held_out() -> Vec<Load> {
    let all: &[usize] = &[50, 200, 1_000, 5_000];
    let turns = [
        (1.0, news(150.0, 1.0, 0.1, 121)),
        (1.0, (0..LONG as u32).map(|i| i % 1_200).collect()),
        (1.0, churn(10_000, 0.9, 0.0, 0.0, 122)),
    ];
    let sides = [
        (0.4, files(2_000, 0.7, 20.0, 0.2, 123)),
        (0.6, churn(30_000, 0.9, 0.1, 0.1, 124)),
    ];
    let recent = [
        (0.6, news(600.0, 0.5, 0.45, 126)),
        (0.4, normal_stack(60.0, 1.3, 0.1, 128)),
    ];
    vec![
        load("stack 40", all, normal_stack(40.0, 2.0, 0.1, 111)),
        load("stack 400", all, normal_stack(400.0, 1.0, 0.2, 112)),
        load(
            "long-tailed 2",
            all,
            long_tailed_stack(0.7, 60.0, 0.05, 113),
        ),
        load("news 1000", all, news(1_000.0, 1.2, 0.3, 114)),
        load("churn 2", all, churn(30_000, 1.0, 0.3, 0.1, 115)),
        load("one-offs 2", all, churn(30_000, 0.7, 0.05, 0.35, 116)),
        load(
            "transactions 2",
            all,
            transactions(100_000, 0.8, (35_000, 1_500), 0.8, 117),
        ),
        load(
            "transactions 3",
            all,
            transactions(20_000, 1.0, (10_000, 800), 0.2, 127),
        ),
        load("correlated 2", all, correlated(10_000, 0.6, 2, 200, 118)),
        load("files 2", all, files(800, 0.9, 100.0, 0.5, 119)),
        load("sessions 2", all, sessions(50_000, 0.3, 200, 3, 120)),
        load("turns", all, mixed(&turns, 12_000, 0)),
        load("files+churn", all, mixed(&sides, 0, 125)),
        load("news+stack", all, mixed(&recent, 0, 129)),
    ]
}
