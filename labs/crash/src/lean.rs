//! What a history does more of than others: the weights of its acts, and where its names and faults fall.

use crate::recorder::{Fault, Kind};

/// See the module.
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
    /// Objects of few sizes come and go unsynced, so that one's bytes are soon another's.
    Churn,
    /// A name is given up and taken by another object, which alone is made durable: after a power cut it stands twice.
    Twice,
    /// Of syncs the last barrier fails and that of the mark, so that only the cache has the superblock.
    Marks,
    /// Synced objects are destroyed and replaced by processes that are killed over it.
    Ends,
    /// Killed processes, and barriers that fail in the first change of the next one.
    Restarts,
}

const EIO: i32 = 5;

impl Lean {
    /// Simple, sync, sync during work, harden, the same during work, close, kill, power cut, arm, fill, fork, compact, copy, reset.
    pub(crate) fn acts(self) -> [u32; 14] {
        match self {
            Self::General | Self::Segments => [60, 7, 5, 6, 3, 3, 3, 3, 3, 1, 3, 4, 1, 1],
            Self::Kills => [40, 7, 3, 7, 2, 2, 22, 6, 1, 0, 2, 1, 0, 1],
            Self::Faults => [40, 8, 4, 6, 2, 6, 4, 2, 24, 1, 1, 3, 1, 1],
            Self::Names => [50, 4, 3, 12, 4, 2, 5, 8, 1, 0, 4, 1, 0, 1],
            Self::Syncs => [40, 4, 22, 6, 8, 2, 4, 4, 2, 0, 2, 2, 0, 1],
            Self::Churn => [80, 2, 0, 2, 0, 1, 3, 6, 0, 0, 0, 5, 0, 1],
            Self::Twice => [50, 4, 1, 25, 2, 2, 3, 12, 0, 0, 0, 0, 0, 0],
            Self::Marks => [40, 25, 0, 4, 0, 4, 4, 4, 18, 0, 0, 0, 0, 0],
            Self::Ends => [35, 16, 1, 4, 0, 1, 34, 7, 0, 0, 1, 0, 0, 0],
            Self::Restarts => [35, 4, 0, 3, 0, 2, 28, 4, 22, 0, 0, 0, 0, 0],
        }
    }

    /// Create, keep, reserve, write, rename, unname, destroy, hold, let go, seal.
    pub(crate) fn simple_acts(self) -> [u32; 10] {
        match self {
            Self::Names => [20, 3, 1, 2, 30, 8, 6, 1, 1, 2],
            Self::Kills => [20, 4, 2, 4, 12, 4, 20, 2, 2, 3],
            Self::Churn => [40, 1, 1, 2, 20, 5, 40, 1, 1, 1],
            Self::Twice => [16, 1, 0, 1, 45, 25, 3, 0, 0, 1],
            Self::Marks => [45, 2, 1, 2, 25, 2, 10, 0, 0, 2],
            Self::Ends => [45, 1, 1, 2, 10, 1, 30, 0, 0, 0],
            Self::Restarts => [25, 2, 1, 4, 10, 2, 40, 0, 0, 2],
            _ => [20, 6, 3, 9, 10, 3, 10, 4, 3, 3],
        }
    }

    /// How many names there are.
    pub(crate) fn names(self) -> u64 {
        match self {
            Self::Names | Self::Marks | Self::Ends => 2,
            Self::Twice => 3,
            _ => u64::MAX,
        }
    }

    /// A name that is taken is taken over once in so many times.
    pub(crate) fn replaces_one_in(self) -> u64 {
        match self {
            Self::Twice => 8,
            Self::Marks | Self::Ends => 1,
            _ => 2,
        }
    }

    /// The fault that is armed; `None`: any.
    pub(crate) fn fault(self) -> Option<Fault> {
        let (kind, after, burst) = match self {
            Self::Marks => (Kind::SyncAll, 1, 2),
            Self::Restarts => (Kind::Barrier, 2, 3),
            _ => return None,
        };
        Some(Fault { kind, after, burst, errno: EIO })
    }
}
