//! Memory as O_DIRECT wants it.

/// Alignment of memory, positions and lengths.
pub(super) const BLOCK: usize = 4096;

/// A larger vector, of which an aligned part is used. Its memory stays where it is when the buffer is moved.
pub(super) struct AlignedBuffer {
    memory: Vec<u8>,
    begin: usize,
    len: usize,
}

impl AlignedBuffer {
    pub(super) fn new(len: usize, fill: u8) -> Self {
        let memory = vec![fill; len + BLOCK];
        let begin = memory.as_ptr().align_offset(BLOCK);
        Self { memory, begin, len }
    }

    /// Bytes that no drive makes smaller; each seed gives others.
    pub(super) fn incompressible(len: usize, seed: u64) -> Self {
        let mut buffer = Self::new(len, 0);
        let mut random = Random::new(seed);
        for eight in buffer.bytes_mut().chunks_mut(8) {
            let bytes = random.next().to_le_bytes();
            eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
        buffer
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(self.begin..self.begin + self.len).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.begin..self.begin + self.len).unwrap_or_default()
    }
}

/// Xorshift: repeatable, and no part of what is measured.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
