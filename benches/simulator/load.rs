//! What the policies are tried on: the recorded traces, and loads made by rule.

use std::path::Path;
use std::process::Command;

use crate::lifelike;

/// The same on every run, and spread well enough for this.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

/// Requests, as numbers from 0 without large gaps.
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) requests: Vec<u32>,
    /// The numbers of entries it is tried at.
    pub(crate) sizes: Vec<usize>,
    /// Recorded, not made.
    pub(crate) is_trace: bool,
}

/// The number that all keys are below.
pub(crate) fn keys(requests: &[u32]) -> usize {
    requests.iter().max().map_or(0, |&key| key as usize + 1)
}

/// A recorded trace: little-endian int32, compressed by xz.
fn trace(folder: &Path, name: &str) -> std::io::Result<Vec<u32>> {
    let path = folder.join(format!("{name}.i32.xz"));
    let out = Command::new("xz").arg("-dc").arg(&path).output()?;
    if !out.status.success() {
        return Err(std::io::Error::other(format!(
            "xz cannot read {}",
            path.display()
        )));
    }
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    Ok(out.stdout.chunks_exact(4).map(word).collect())
}

/// Draws ranks by Zipf's law.
pub(crate) struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(keys: usize, exponent: f64) -> Self {
        let mut total = 0.0;
        let sums = (1..=keys)
            .map(|rank| {
                total += (rank as f64).powf(-exponent);
                total
            })
            .collect();
        Self { sums }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let at = random.unit() * self.sums[self.sums.len() - 1];
        self.sums.partition_point(|&sum| sum <= at) as u32
    }
}

fn zipf(keys: usize, exponent: f64, length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(1));
    (0..length).map(|_| law.draw(&mut random)).collect()
}

fn cycle(keys: u32, length: usize) -> Vec<u32> {
    (0..length).map(|i| i as u32 % keys).collect()
}

/// Every `phase` requests the popular keys are others.
fn phases(keys: usize, exponent: f64, phase: usize, length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(2));
    let key = |i: usize, rank: u32| (rank as usize + i / phase * 7_919) % (keys * 4);
    (0..length)
        .map(|i| key(i, law.draw(&mut random)) as u32)
        .collect()
}

/// Popular keys, and now and then a run of keys that never come again.
fn scans(keys: usize, exponent: f64, run: usize, length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(3));
    let mut fresh = keys as u32;
    let mut all = Vec::with_capacity(length);
    while all.len() < length {
        (0..run * 2).for_each(|_| all.push(law.draw(&mut random)));
        for _ in 0..run {
            all.push(fresh);
            fresh += 1;
        }
    }
    all
}

/// Loops of several lengths side by side, among popular keys: as in the traces of LIRS's paper.
fn loops_and_zipf(length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(5_000, 0.9), Random::new(4));
    let loops = [(5_000_u32, 300_u32), (5_300, 900), (6_200, 2_500)];
    let mut at = [0_u32; 3];
    let mut all = Vec::with_capacity(length);
    while all.len() < length {
        let which = random.below(5);
        for _ in 0..50 {
            if let Some(&(start, len)) = loops.get(which) {
                all.push(start + at[which] % len);
                at[which] += 1;
            } else {
                all.push(law.draw(&mut random));
            }
        }
    }
    all
}

/// What LRU is made for: a request is for the key `d` others ago, `d` long-tailed, or for a new key.
fn recent(tail: f64, new: f64, length: usize) -> Vec<u32> {
    let mut random = Random::new(5);
    let mut stack: Vec<u32> = Vec::new();
    let mut fresh = 0;
    let mut all = Vec::with_capacity(length);
    for _ in 0..length {
        let depth = (random.unit().powf(-1.0 / tail) * 20.0 - 20.0) as usize;
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
        all.push(key);
    }
    all
}

/// Each key is asked for a few times within a short while, then no more; among popular keys.
fn bursts(length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(3_000, 0.9), Random::new(6));
    let mut fresh = 3_000;
    let mut pending = std::collections::VecDeque::new();
    let mut all = Vec::with_capacity(length);
    while all.len() < length {
        if random.unit() < 0.5 {
            all.push(law.draw(&mut random));
            continue;
        }
        if random.unit() < 0.4 || pending.len() < 60 {
            pending.push_back((fresh, 2));
            all.push(fresh);
            fresh += 1;
            continue;
        }
        let at = random.below(60);
        let (key, left) = pending[at];
        all.push(key);
        if left == 1 {
            pending.remove(at);
        } else {
            pending[at].1 -= 1;
        }
    }
    all
}

/// A hot set asked for evenly, with a long scan of one-off keys in between (one request in two).
fn hot_and_scan(length: usize) -> Vec<u32> {
    let mut random = Random::new(7);
    let key = |i: usize, random: &mut Random| {
        let scanning = i > length / 4 && i.is_multiple_of(2);
        if scanning {
            400 + i as u32
        } else {
            random.below(400) as u32
        }
    };
    (0..length).map(|i| key(i, &mut random)).collect()
}

/// Each key is asked for again, once, some `later` others later; one request in three is for a popular key.
fn twice(later: usize, length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(1_000, 1.0), Random::new(9));
    let mut all = Vec::with_capacity(length);
    let mut fresh = 1_000_usize;
    while all.len() < length {
        all.push(law.draw(&mut random));
        all.push(fresh as u32);
        all.push(
            fresh
                .saturating_sub(later / 2 + random.below(later))
                .max(1_000) as u32,
        );
        fresh += 1;
    }
    all
}

/// Popularity drifts: every request for a rank may swap it with another.
fn drift(keys: usize, exponent: f64, length: usize) -> Vec<u32> {
    let (law, mut random) = (Zipf::new(keys, exponent), Random::new(8));
    let mut names: Vec<u32> = (0..keys as u32).collect();
    let mut all = Vec::with_capacity(length);
    for _ in 0..length {
        all.push(names[law.draw(&mut random) as usize]);
        if random.unit() < 0.1 {
            let (a, b) = (law.draw(&mut random) as usize, random.below(keys));
            names.swap(a, b);
        }
    }
    all
}

/// The recorded traces, if there are any, at the sizes that figures are known for and at round ones.
fn recorded(folder: &Path) -> std::io::Result<Vec<Load>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let sizes: [(&str, &[usize]); 3] = [
        ("web07", &[100, 500, 1_000, 2_000, 10_000]),
        ("multi3", &[100, 400, 500, 600, 2_000, 10_000]),
        ("cloudphysics", &[100, 500, 2_000, 8_000, 10_000]),
    ];
    let load = |(name, sizes): (&str, &[usize])| {
        Ok(Load {
            name: name.to_owned(),
            requests: trace(folder, name)?,
            sizes: sizes.to_vec(),
            is_trace: true,
        })
    };
    sizes.into_iter().map(load).collect()
}

/// All loads: what was recorded comes first.
pub(crate) fn all(folder: &Path) -> std::io::Result<Vec<Load>> {
    let mut loads = recorded(folder)?;
    loads.extend(made());
    loads.extend(lifelike::seen());
    Ok(loads)
}

/// The loads made by rule.
fn made() -> Vec<Load> {
    let long = 150_000;
    let make = |name: &str, sizes: &[usize], requests| Load {
        name: name.to_owned(),
        requests,
        sizes: sizes.to_vec(),
        is_trace: false,
    };
    let sizes = [100, 500, 2_000];
    vec![
        make("zipf 0.6", &sizes, zipf(20_000, 0.6, long)),
        make("zipf 0.8", &sizes, zipf(20_000, 0.8, long)),
        make("zipf 1.0", &sizes, zipf(20_000, 1.0, long)),
        make("zipf 1.2", &sizes, zipf(20_000, 1.2, long)),
        make("phases", &sizes, phases(5_000, 1.0, 20_000, long)),
        make("drift", &sizes, drift(20_000, 1.0, long)),
        make("zipf+scans", &sizes, scans(5_000, 0.9, 2_000, long)),
        make("loops+zipf", &sizes, loops_and_zipf(long)),
        make("recent 0.5", &sizes, recent(0.5, 0.1, long / 2)),
        make("recent 1.0", &sizes, recent(1.0, 0.1, long / 2)),
        make("bursts", &sizes, bursts(long)),
        make("hot+scan", &sizes, hot_and_scan(long)),
        make("twice 60", &sizes, twice(60, long)),
        make("twice 300", &sizes, twice(300, long)),
        make("twice 1200", &sizes, twice(1_200, long)),
        make("loop 600", &[100, 500], cycle(600, long)),
        make("loop 1011", &[500], cycle(1_011, long)),
        make("loop 3000", &[500, 2_000], cycle(3_000, long)),
    ]
}
