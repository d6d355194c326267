//! The limit: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal, 1966.

use std::collections::BTreeSet;

/// The most hits there can be with so much room: it knows the future, and never keeps what is needed last.
pub(crate) fn hits(requests: &[u32], keys: usize, capacity: usize) -> usize {
    let mut next = vec![usize::MAX; requests.len()];
    let mut seen = vec![usize::MAX; keys];
    for (i, &key) in requests.iter().enumerate().rev() {
        next[i] = std::mem::replace(&mut seen[key as usize], i);
    }
    let mut held = BTreeSet::new();
    let mut due = vec![None; keys];
    let mut hits = 0;
    for (i, &key) in requests.iter().enumerate() {
        if let Some(at) = due[key as usize].take() {
            held.remove(&(at, key));
            hits += 1;
        } else if held.len() == capacity {
            // The key that came may be the one not worth keeping.
            let last = held.last().copied().filter(|&(at, _)| at > next[i]);
            let Some(last) = last else { continue };
            held.remove(&last);
            due[last.1 as usize] = None;
        }
        held.insert((next[i], key));
        due[key as usize] = Some(next[i]);
    }
    hits
}
