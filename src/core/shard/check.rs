//! Is a shard sound?

use super::Shard;
use crate::core::entry::Entry;
use crate::core::incoming::Hashed;

impl<V> Shard<V> {
    /// Recomputes every invariant.
    pub(in crate::core) fn validate(&self) -> Result<(), String> {
        self.slab.validate()?;
        self.policy.validate(&self.slab)?;
        self.expiry.validate(&self.slab)?;
        self.tags.validate(&self.slab)?;
        self.order.validate(&self.slab)?;
        if self.table.len() != self.slab.len() {
            return Err(format!(
                "table {}, slab {} entries",
                self.table.len(),
                self.slab.len()
            ));
        }
        let found = |token, e: &Entry<V>| {
            self.find(Hashed {
                hash: e.hash,
                bytes: &e.key,
            }) == Some(token)
        };
        if let Some((token, _)) = self
            .slab
            .iter()
            .find(|(token, entry)| !found(*token, entry))
        {
            return Err(format!("slot {token} is not found by its key"));
        }
        let weight: usize = self.slab.iter().map(|(_, entry)| entry.weight).sum();
        if weight != self.weight {
            let counted = self.weight;
            return Err(format!("entries weigh {weight}, the shard says {counted}"));
        }
        let (expected, held) = (self.stats.expected_entries(), self.slab.len() as u64);
        if expected != held {
            return Err(format!(
                "counters account for {expected} entries, {held} are held"
            ));
        }
        Ok(())
    }
}
