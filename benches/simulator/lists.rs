//! Doubly linked lists of keys, which are small numbers: a key is in one list at most.

pub(crate) const NONE: u32 = u32::MAX;

#[derive(Copy, Clone)]
struct Node {
    previous: u32,
    next: u32,
    list: u8,
}

struct Ends {
    head: u32,
    tail: u32,
    len: usize,
}

/// `N` lists over the same keys. The head is the oldest.
pub(crate) struct Lists<const N: usize> {
    nodes: Vec<Node>,
    ends: [Ends; N],
}

/// The list of a key that is in none.
pub(crate) const NOWHERE: u8 = u8::MAX;

impl<const N: usize> Lists<N> {
    pub(crate) fn new(keys: usize) -> Self {
        let node = Node {
            previous: NONE,
            next: NONE,
            list: NOWHERE,
        };
        let ends = std::array::from_fn(|_| Ends {
            head: NONE,
            tail: NONE,
            len: 0,
        });
        Self {
            nodes: vec![node; keys],
            ends,
        }
    }

    pub(crate) fn list(&self, key: u32) -> u8 {
        self.nodes[key as usize].list
    }

    pub(crate) fn len(&self, list: u8) -> usize {
        self.ends[list as usize].len
    }

    pub(crate) fn head(&self, list: u8) -> Option<u32> {
        Some(self.ends[list as usize].head).filter(|&key| key != NONE)
    }

    pub(crate) fn tail(&self, list: u8) -> Option<u32> {
        Some(self.ends[list as usize].tail).filter(|&key| key != NONE)
    }

    /// The neighbour on the newer side.
    pub(crate) fn newer(&self, key: u32) -> Option<u32> {
        Some(self.nodes[key as usize].next).filter(|&key| key != NONE)
    }

    pub(crate) fn push(&mut self, list: u8, key: u32) {
        let ends = &mut self.ends[list as usize];
        let previous = ends.tail;
        self.nodes[key as usize] = Node {
            previous,
            next: NONE,
            list,
        };
        if previous == NONE {
            ends.head = key;
        } else {
            self.nodes[previous as usize].next = key;
        }
        ends.tail = key;
        ends.len += 1;
    }

    pub(crate) fn unlink(&mut self, key: u32) {
        let Node {
            previous,
            next,
            list,
        } = self.nodes[key as usize];
        let ends = &mut self.ends[list as usize];
        if previous == NONE {
            ends.head = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next == NONE {
            ends.tail = previous;
        } else {
            self.nodes[next as usize].previous = previous;
        }
        ends.len -= 1;
        self.nodes[key as usize].list = NOWHERE;
    }

    pub(crate) fn shift(&mut self, list: u8, key: u32) {
        self.unlink(key);
        self.push(list, key);
    }

    pub(crate) fn pop(&mut self, list: u8) -> Option<u32> {
        let key = self.head(list)?;
        self.unlink(key);
        Some(key)
    }
}
