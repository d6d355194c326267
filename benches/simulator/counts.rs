//! How often keys were asked for: a count-min sketch as in TinyLFU, and a table of fingerprints.

/// By hash, 15 at most.
pub(crate) enum Counts {
    Sketch(Sketch),
    Table(Table),
}

/// Four rows; halved every ten capacities, as in Caffeine.
pub(crate) struct Sketch {
    rows: Vec<[u8; 4]>,
    added: usize,
    sample: usize,
}

/// Blocks of fingerprints with a count each. What does not fit is forgotten, rarest first.
pub(crate) struct Table {
    blocks: Vec<Block>,
    epoch: u32,
    added: f64,
    sample: f64,
}

/// The epoch up to which it was halved, and the fingerprints with their counts, oldest first.
#[derive(Clone, Default)]
struct Block {
    epoch: u32,
    slots: Vec<(u32, u32)>,
}

const MOST: u32 = 15;
const SLOTS: usize = 15;

impl Counts {
    pub(crate) fn sketch(capacity: usize) -> Self {
        let rows = vec![[0; 4]; capacity.next_power_of_two() * 2];
        Self::Sketch(Sketch {
            rows,
            added: 0,
            sample: capacity * 10,
        })
    }

    /// For so many keys for each entry, halved after so many visits for each.
    pub(crate) fn tagged(capacity: usize, keys: f64, visits: f64) -> Self {
        let blocks = (capacity as f64 * keys / SLOTS as f64).ceil() as usize;
        let blocks = vec![Block::default(); blocks.max(1)];
        Self::Table(Table {
            blocks,
            epoch: 0,
            added: 0.0,
            sample: capacity as f64 * visits,
        })
    }

    pub(crate) fn get(&mut self, hash: u64) -> u32 {
        match self {
            Self::Sketch(sketch) => sketch.get(hash),
            Self::Table(table) => table.get(hash),
        }
    }

    pub(crate) fn add(&mut self, hash: u64, visits: u32) {
        match self {
            Self::Sketch(sketch) => sketch.add(hash, visits),
            Self::Table(table) => table.add(hash, visits),
        }
    }
}

impl Sketch {
    fn at(&self, hash: u64, row: u32) -> usize {
        (hash.rotate_left(row * 16) & (self.rows.len() as u64 - 1)) as usize
    }

    fn get(&self, hash: u64) -> u32 {
        let count = |row: u32| self.rows[self.at(hash, row)][row as usize];
        (0..4).map(count).min().unwrap_or(0).into()
    }

    fn add(&mut self, hash: u64, visits: u32) {
        for row in 0..4 {
            let at = self.at(hash, row);
            let count = &mut self.rows[at][row as usize];
            *count = (u32::from(*count) + visits).min(MOST) as u8;
        }
        self.added += visits as usize;
        if self.added >= self.sample {
            self.rows.iter_mut().flatten().for_each(|count| *count /= 2);
            self.added /= 2;
        }
    }
}

impl Table {
    fn block(&mut self, hash: u64) -> &mut Vec<(u32, u32)> {
        let (epoch, len) = (self.epoch, self.blocks.len() as u64);
        let block = &mut self.blocks[(((hash >> 32) * len) >> 32) as usize];
        while block.epoch < epoch {
            block.epoch += 1;
            block.slots.iter_mut().for_each(|slot| slot.1 /= 2);
            block.slots.retain(|slot| slot.1 > 0);
        }
        &mut block.slots
    }

    fn get(&mut self, hash: u64) -> u32 {
        let found = self.block(hash).iter().find(|slot| slot.0 == hash as u32);
        found.map_or(0, |slot| slot.1)
    }

    fn add(&mut self, hash: u64, visits: u32) {
        let slots = self.block(hash);
        let mut before = 0;
        if let Some(at) = slots.iter().position(|slot| slot.0 == hash as u32) {
            before = slots.remove(at).1;
        } else if slots.len() == SLOTS {
            let rarest = (0..SLOTS).min_by_key(|&at| slots[at].1);
            slots.remove(rarest.unwrap_or(0));
        }
        slots.push((hash as u32, (before + visits).min(MOST)));
        self.added += f64::from(visits);
        if self.added >= self.sample {
            self.added /= 2.0;
            self.epoch += 1;
        }
    }
}
