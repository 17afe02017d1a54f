//! What a history does more of than others: the weights of its acts.

/// What a history does more of than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lean {
    /// Nothing.
    General,
    /// The catalog's first segment is nearly full.
    Segments,
    /// Processes die.
    Kills,
    /// Barriers fail.
    Faults,
    /// Two names, many namings.
    Names,
    /// Work falls into syncs.
    Syncs,
}

impl Lean {
    /// Simple, sync, sync during work, harden, the same during work, close, kill, power cut, arm, fill, fork, compact, copy.
    pub(crate) fn acts(self) -> [u32; 13] {
        match self {
            Self::General | Self::Segments => [60, 7, 5, 6, 3, 3, 3, 3, 3, 1, 3, 4, 1],
            Self::Kills => [40, 7, 3, 7, 2, 2, 22, 6, 1, 0, 2, 1, 0],
            Self::Faults => [40, 8, 4, 6, 2, 6, 4, 2, 24, 1, 1, 3, 1],
            Self::Names => [50, 4, 3, 12, 4, 2, 5, 8, 1, 0, 4, 1, 0],
            Self::Syncs => [40, 4, 22, 6, 8, 2, 4, 4, 2, 0, 2, 2, 0],
        }
    }

    /// Create, keep, reserve, write, rename, unname, destroy, hold, let go, seal.
    pub(crate) fn simple_acts(self) -> [u32; 10] {
        match self {
            Self::Names => [20, 3, 1, 2, 30, 8, 6, 1, 1, 2],
            Self::Kills => [20, 4, 2, 4, 12, 4, 20, 2, 2, 3],
            _ => [20, 6, 3, 9, 10, 3, 10, 4, 3, 3],
        }
    }
}
