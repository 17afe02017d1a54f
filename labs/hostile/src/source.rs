//! Where decisions come from: a seeded generator, or the bytes of a fuzzer's input.

/// A stream of decisions.
pub enum Source<'a> {
    /// Endless; the same seed gives the same stream.
    Seeded(u64),
    /// These bytes, then zeros.
    Bytes(&'a [u8]),
}

impl Source<'_> {
    /// The stream of one numbered file of a run.
    #[must_use]
    pub fn of_file(seed: u64, index: u64) -> Self {
        let mut s = Self::Seeded(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        // Neighbouring indices must not give neighbouring streams.
        s.word();
        s.word();
        s
    }

    /// All bits random.
    pub fn word(&mut self) -> u64 {
        match self {
            Self::Seeded(state) => {
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                z ^ (z >> 31)
            }
            Self::Bytes(rest) => {
                let mut b = [0; 8];
                let n = rest.len().min(8);
                b[..n].copy_from_slice(&rest[..n]);
                *rest = &rest[n..];
                u64::from_le_bytes(b)
            }
        }
    }

    /// 0 to `n` − 1.
    pub fn below(&mut self, n: u64) -> u64 {
        let n = n.max(1);
        match self {
            Self::Seeded(_) => self.word() % n,
            // As few bytes as the range needs, so that a fuzzer's change of one byte changes one decision.
            Self::Bytes(rest) => {
                let want = if n <= 1 << 8 {
                    1
                } else if n <= 1 << 16 {
                    2
                } else {
                    4
                };
                let take = rest.len().min(want);
                let mut v = 0u64;
                for b in &rest[..take] {
                    v = v << 8 | u64::from(*b);
                }
                *rest = &rest[take..];
                v % n
            }
        }
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == n - 1
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}
