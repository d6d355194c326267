//! Entries in the order of their keys: what finds all of a range without a look at the others.
//!
//! An order costs each insertion and removal a search, so a shard has one only while ranges are removed: the
//! first removal has it made, block by block. After as many changes as there are entries, without another
//! removal, it is given up again: by then they have cost more than it takes to make another.
//!
//! Slots are divided into blocks, and the entries of each are sorted by themselves. So an insertion moves a few
//! kilobytes at most, however many entries there are, and comparing keys touches memory that lies together; in
//! return a range is searched for in every block. Of each entry the order holds the token alone, four bytes.

use super::slab::Slab;

/// The slots of a block. More of them make a search cheaper, and an insertion dearer.
pub(super) const SLOTS: u32 = 4096;
/// Changes that an order outlives without being asked for, besides one for each entry.
const SPARE_CHANGES: usize = 4096;

/// See the module.
#[derive(Debug)]
pub(super) struct Order {
    /// Tokens by key, for the first blocks of slots; what is in the others is in no order yet.
    blocks: Vec<Vec<u32>>,
    /// Insertions and removals since it was last asked for.
    changes: usize,
}

impl Order {
    pub(super) const fn new() -> Self {
        Self {
            blocks: Vec::new(),
            changes: 0,
        }
    }

    /// An entry is in the slab from now on.
    #[inline]
    pub(super) fn insert<V>(&mut self, slab: &Slab<V>, token: u32) {
        if !self.blocks.is_empty() {
            self.change(slab, token, |block, index| block.insert(index, token));
        }
    }

    /// An entry is about to leave the slab.
    #[inline]
    pub(super) fn remove<V>(&mut self, slab: &Slab<V>, token: u32) {
        if !self.blocks.is_empty() {
            self.change(slab, token, |block, index| {
                block.remove(index);
            });
        }
    }

    #[cold]
    fn change<V>(&mut self, slab: &Slab<V>, token: u32, act: impl FnOnce(&mut Vec<u32>, usize)) {
        let Some(block) = self.blocks.get_mut((token / SLOTS) as usize) else {
            return;
        };
        let index = place(slab, block, &slab.entry(token).key);
        act(block, index);
        self.changes += 1;
        if self.changes > SPARE_CHANGES + slab.len() {
            *self = Self::new();
        }
    }

    /// The first entries of a block with keys from `from` on and before `to`, at most so many. None if there is
    /// no such block: to be asked for one after the other.
    pub(super) fn between<V>(
        &mut self,
        slab: &Slab<V>,
        block: usize,
        (from, to): (&[u8], &[u8]),
        most: usize,
    ) -> Option<Vec<u32>> {
        self.changes = 0;
        let slots = slots_of(block)?;
        if slots.start as usize >= slab.slots() {
            return None;
        }
        if self.blocks.len() <= block {
            // Given up meanwhile, perhaps: then those before it are to be made, too.
            for block in self.blocks.len()..=block {
                self.blocks.push(sorted(slab, block));
            }
        }
        let block = &self.blocks[block];
        let meant = block[place(slab, block, from)..].iter().take(most);
        let meant = meant.take_while(|token| *slab.entry(**token).key < *to);
        Some(meant.copied().collect())
    }

    /// Recomputes every invariant.
    pub(super) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        for (block, tokens) in self.blocks.iter().enumerate() {
            if *tokens != sorted(slab, block) {
                return Err(format!("block {block} of the order is none"));
            }
        }
        Ok(())
    }
}

/// Where in a block a key is, or would be.
fn place<V>(slab: &Slab<V>, block: &[u32], key: &[u8]) -> usize {
    block.partition_point(|token| *slab.entry(*token).key < *key)
}

fn slots_of(block: usize) -> Option<std::ops::Range<u32>> {
    let start = u32::try_from(block).ok()?.checked_mul(SLOTS)?;
    Some(start..start.saturating_add(SLOTS))
}

/// The entries of a block by key.
fn sorted<V>(slab: &Slab<V>, block: usize) -> Vec<u32> {
    let slots = slots_of(block).unwrap_or_default();
    let mut tokens: Vec<u32> = slots.filter(|token| slab.get(*token).is_some()).collect();
    tokens.sort_unstable_by(|one, other| slab.entry(*one).key.cmp(&slab.entry(*other).key));
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::entry::{Entry, Lifetime, Version};

    const ALL: (&[u8], &[u8]) = (&[], &[0xff; 5]);

    fn fill(slab: &mut Slab<()>, order: &mut Order, keys: impl Iterator<Item = u32>) {
        for key in keys {
            let key = key.to_be_bytes().into();
            let version = Version::from_count(0);
            let token = slab.insert(|| Entry::new(key, 0, ((), 0), Lifetime::NEVER, version));
            order.insert(slab, token);
        }
    }

    fn empty(slab: &mut Slab<()>, order: &mut Order, tokens: impl Iterator<Item = u32>) {
        for token in tokens {
            order.remove(slab, token);
            slab.remove(token);
        }
    }

    fn count(slab: &Slab<()>, order: &mut Order, range: (&[u8], &[u8])) -> usize {
        let blocks = (0..).map_while(|block| order.between(slab, block, range, usize::MAX));
        blocks.map(|tokens| tokens.len()).sum()
    }

    /// Other keys for each `from`, in no order.
    fn scattered(from: u32) -> impl Iterator<Item = u32> {
        (from..from + 5_000).map(|number| number.wrapping_mul(0x9E37_79B1))
    }

    #[test]
    fn it_is_made_when_asked_for_and_kept_from_then_on() {
        let (mut slab, mut order) = (Slab::new(), Order::new());
        let half: (&[u8], &[u8]) = (&[0x40], &[0xc0]);
        let is_meant = |key: &u32| (0x4000_0000..0xc000_0000).contains(key);
        fill(&mut slab, &mut order, scattered(0));
        assert!(order.blocks.is_empty());
        let meant = scattered(0).filter(is_meant).count();
        assert_eq!(count(&slab, &mut order, half), meant);
        fill(&mut slab, &mut order, scattered(5_000));
        order.validate(&slab).expect("a sound order");
        let more = scattered(5_000).filter(is_meant).count();
        assert_eq!(count(&slab, &mut order, half), meant + more);
        empty(&mut slab, &mut order, 1..9_999);
        order.validate(&slab).expect("a sound order");
        assert_eq!(count(&slab, &mut order, ALL), 2);
    }

    #[test]
    fn it_gives_no_more_than_asked_for_and_in_order() {
        let (mut slab, mut order) = (Slab::new(), Order::new());
        fill(&mut slab, &mut order, (0..10).rev());
        let range: (&[u8], &[u8]) = (&[0, 0, 0, 3], &[0, 0, 0, 9]);
        assert_eq!(order.between(&slab, 0, range, 4), Some(vec![6, 5, 4, 3]));
        assert_eq!(order.between(&slab, 1, range, 4), None);
    }

    #[test]
    fn it_is_given_up_when_nobody_asks_and_made_anew() {
        let (mut slab, mut order) = (Slab::new(), Order::new());
        fill(&mut slab, &mut order, scattered(0));
        assert_eq!(count(&slab, &mut order, ALL), 5_000);
        for key in 0..5_000 {
            empty(&mut slab, &mut order, std::iter::once(0));
            fill(&mut slab, &mut order, std::iter::once(key));
        }
        assert!(order.blocks.is_empty());
        // Somebody was at the second block when that happened.
        assert_eq!(
            order.between(&slab, 1, ALL, 9).map(|tokens| tokens.len()),
            Some(9)
        );
        order.validate(&slab).expect("a sound order");
        assert_eq!(count(&slab, &mut order, ALL), 5_000);
    }
}
