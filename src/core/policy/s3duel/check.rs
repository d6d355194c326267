//! Is the policy sound?

use super::{MOST_FREQUENT, ON_TRIAL, S3Duel, SMALL, Weights};
use crate::core::slab::Slab;

impl S3Duel {
    /// Recomputes every invariant.
    pub(in crate::core) fn validate<V>(&self, slab: &Slab<V>) -> Result<(), String> {
        for (queue, is_small) in [(&self.small, true), (&self.main, false)] {
            let mut weight = 0;
            queue.validate(slab, |entry| {
                weight += entry.weight;
                if (entry.queue == SMALL) == is_small
                    && entry.queue <= ON_TRIAL
                    && entry.frequency <= MOST_FREQUENT
                {
                    return Ok(());
                }
                let name = if is_small { "small" } else { "main" };
                Err(format!("entry of queue {} in {name}", entry.queue))
            })?;
            let Weights { small, main, .. } = self.weights;
            if weight != (if is_small { small } else { main }) {
                return Err(format!("a queue weighs {weight}, not {small} or {main}"));
            }
        }
        let queued = self.population();
        if queued != slab.len() {
            return Err(format!("policy holds {queued} of {} entries", slab.len()));
        }
        if !self.balance.is_sound() {
            return Err("the small queue's share is out of range".to_owned());
        }
        if self.history.is_bounded(self.capacity) {
            return Ok(());
        }
        Err("the policy remembers too much".to_owned())
    }
}
