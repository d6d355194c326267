//! The one budget of a store's prototypes, in bytes, and who gives way when it is spent.
//!
//! A prototype that was not used since it was last looked at gives way to a new one (second chance: the
//! clock algorithm, Corbató 1968, over the order in which prototypes were made).

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::codec::container::Copied;
use crate::core::sync::{AtomicUsize, Mutex};

/// How many prototypes are looked at to make room for one.
const LOOKS: usize = 8;

/// Bytes for prototypes: a limit, what is used, and who uses it.
#[derive(Default)]
pub(super) struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
    leases: AtomicUsize,
    holders: Mutex<VecDeque<Weak<Copied>>>,
}

/// Bytes of the budget, given back when dropped.
pub(super) struct Lease {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.leases.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// The most that prototypes may take, in bytes; 0 turns them off. What is beyond it now stays until it goes.
    pub(super) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// The limit in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// What prototypes take now, in bytes.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Is there room for `bytes`, after unused prototypes have given way? Asked before the work of making one.
    pub(super) fn make_room(&self, bytes: usize) -> bool {
        let limit = self.limit();
        if bytes > limit {
            return false;
        }
        for _ in 0..LOOKS {
            if self.used() + bytes <= limit {
                return true;
            }
            self.look_at_oldest();
        }
        self.used() + bytes <= limit
    }

    /// Sets `bytes` aside; None if they are not to be had.
    pub(super) fn lease(self: &Arc<Self>, bytes: usize) -> Option<Lease> {
        let limit = self.limit();
        let room = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .ok()?;
        self.leases.fetch_add(1, Ordering::Relaxed);
        Some(Lease {
            budget: Arc::clone(self),
            bytes,
        })
    }

    /// Puts a new holder at the end of the queue. Holders that are gone are swept out whenever they
    /// could be the larger part of it, so the queue is never much longer than what it stands for.
    pub(super) fn remember(&self, holder: &Arc<Copied>) {
        let mut holders = self.holders.lock();
        if holders.len() > 2 * self.leases.load(Ordering::Relaxed) + 16 {
            holders.retain(|holder| holder.strong_count() > 0);
        }
        holders.push_back(Arc::downgrade(holder));
    }

    /// Lets the oldest prototype go if it was not used since it was last looked at; else it is the newest.
    fn look_at_oldest(&self) {
        let Some(holder) = self.oldest() else {
            return;
        };
        if holder.take_used() {
            self.holders.lock().push_back(Arc::downgrade(&holder));
        } else {
            // Out of every lock: its objects are freed here.
            drop(holder.cool_down());
        }
    }

    fn oldest(&self) -> Option<Arc<Copied>> {
        let mut holders = self.holders.lock();
        while let Some(oldest) = holders.pop_front() {
            if let Some(holder) = oldest.upgrade() {
                return Some(holder);
            }
        }
        None
    }
}
