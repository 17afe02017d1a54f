//! Planted faults, for proving that labs/crash sees what it should: each leaves one rule of the crash protocol out.
//!
//! Only with the feature `mutants`, which nothing that is published enables; without it [`planted!`] is the constant `false`. One fault at
//! most is active, chosen at run time, in the whole process.

#[cfg(not(feature = "mutants"))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}

#[cfg(feature = "mutants")]
macro_rules! planted {
    ($fault:ident) => {
        $crate::mutants::is_planted($crate::mutants::Planted::$fault)
    };
}

pub(crate) use planted;

#[cfg(feature = "mutants")]
pub use on::{Planted, is_planted, plant, short_leases, sparse_sequences};

#[cfg(feature = "mutants")]
mod on {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The faults. Each name says what is done wrong.
    #[expect(missing_docs, reason = "the names say it")]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Planted {
        ReuseEarly,
        DeathIgnoresSyncInFlight,
        ChangeIgnoresSyncInFlight,
        NoB1,
        NoB2,
        DBeforeB1,
        OnlyDurableBodyOverwritten,
        SuperblockToTheSameCopy,
        NoSuperblockBarrier,
        SuperblockBeforeSync,
        NumbersTakenAfterSync,
        RecoveryDoesNotWrite,
        RecoveryWithoutBarrier,
        RecoveryWithoutSuperblock,
        RecoveryKeepsDeadWords,
        RecoveryKeepsZeroWords,
        KeptWordKeepsOtherD,
        LeaseNotUsedAtReopen,
        LeaseNotAhead,
        GenerationUnchecked,
        FallbackNotInMap,
        UndoableDeathsNotInMap,
        UndoableDeathsWithBothBodies,
        NoFallback,
        DeadBeforeDeadSeq,
        LinkNotInB1,
        BootIdIgnored,
        OldBootIdKept,
        TombstoneBeforeSuccessor,
        CloseWithoutSync,
        CleanBeforeSync,
        BodyCrcIgnored,
        PairUnchecked,
        PairMayRepeat,
        CacheTrustedAfterKill,
        WordsTrustedAfterKill,
        DForChangedBody,
        AtOnceWithoutBarrier,
        StaleDeadSeq,
        LinkBeforeZeros,
        AbandonedBody,
        DeadSeqBeforeHead,
        HeadBeforeFreeWord,
        FallbackForgottenAtDeath,
        OldLeaseAfterSync,
        SyncBlessesDropped,
        LosersNotSettled,
        EveryLoserDies,
        NameOrderByGeneration,
        FullDeathVolatile,
        FullCommitVolatile,
        CutBeforeSuperblock,
        OneCopyAtClose,
        CreationSuperblockFirst,
        CreationLinkedUnsynced,
        PoisonMarkNotWritten,
        FailedBarrierIgnored,
        HeaderForgotten,
        HeaderNotWrittenAgain,
        MetadataNotStoredAgain,
        PoisonBelieved,
        FileLenNotSynced,
        ZeroingSkipped,
        PinsIgnored,
        SyncCoversOneMore,
        DeadSlotReusedEarly,
        ResetVolatile,
        ResetKeepsSealed,
        KeptWithoutBarrier,
        KeptOverOthers,
        KeptWhereMoved,
        KeptUnderOtherName,
    }

    static ACTIVE: AtomicUsize = AtomicUsize::new(usize::MAX);
    static SHORT_LEASES: AtomicBool = AtomicBool::new(false);
    static SPARSE_SEQUENCES: AtomicBool = AtomicBool::new(false);

    /// Activates one fault, or none, in every store of the process.
    pub fn plant(fault: Option<Planted>) {
        ACTIVE.store(fault.map_or(usize::MAX, |f| f as usize), Ordering::SeqCst);
    }

    /// Whether this fault is active.
    pub fn is_planted(fault: Planted) -> bool {
        ACTIVE.load(Ordering::Relaxed) == fault as usize
    }

    /// No fault: leases of a few sequences, so that they are extended, and exhausted inside a sync, within a few acts. `None`: asks only.
    pub fn short_leases(set: Option<bool>) -> bool {
        if let Some(short) = set {
            SHORT_LEASES.store(short, Ordering::SeqCst);
        }
        SHORT_LEASES.load(Ordering::Relaxed)
    }

    /// No fault: of 64 sequences one is used, so that the low eight bits have four values and recur within a few acts. `None`: asks only.
    pub fn sparse_sequences(set: Option<bool>) -> bool {
        if let Some(sparse) = set {
            SPARSE_SEQUENCES.store(sparse, Ordering::SeqCst);
        }
        SPARSE_SEQUENCES.load(Ordering::Relaxed)
    }
}
