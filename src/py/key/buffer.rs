//! Where a key's bytes are written: on the stack, as long as they fit.

/// Most keys are shorter.
const ON_THE_STACK: usize = 120;

/// See the module.
pub(in crate::py) struct Buffer {
    stack: [u8; ON_THE_STACK],
    used: usize,
    /// All of it, from when it no longer fits.
    heap: Vec<u8>,
}

impl Buffer {
    #[inline]
    pub(in crate::py) const fn new() -> Self {
        Self {
            stack: [0; ON_THE_STACK],
            used: 0,
            heap: Vec::new(),
        }
    }

    #[inline]
    pub(in crate::py) fn push(&mut self, bytes: &[u8]) {
        let end = self.used + bytes.len();
        if self.heap.is_empty() && end <= ON_THE_STACK {
            self.stack[self.used..end].copy_from_slice(bytes);
            self.used = end;
        } else {
            self.push_to_heap(bytes);
        }
    }

    #[cold]
    fn push_to_heap(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.stack[..self.used]);
        }
        self.heap.extend_from_slice(bytes);
    }

    /// Bytes with their number before them.
    #[inline]
    pub(in crate::py) fn push_sized(&mut self, bytes: &[u8]) {
        self.push(&bytes.len().to_le_bytes());
        self.push(bytes);
    }

    #[inline]
    pub(in crate::py) fn bytes(&self) -> &[u8] {
        if self.heap.is_empty() {
            &self.stack[..self.used]
        } else {
            &self.heap
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_whether_it_fits_or_not() {
        for size in [0, 1, 7, 60, 119, 120, 121, 500] {
            let (mut buffer, part) = (Buffer::new(), vec![7_u8; size]);
            let mut expected = Vec::new();
            for _ in 0..3 {
                buffer.push(&part);
                buffer.push(b"x");
                expected.extend_from_slice(&part);
                expected.push(b'x');
                assert_eq!(buffer.bytes(), expected);
            }
        }
    }
}
