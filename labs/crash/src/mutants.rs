//! Planted faults: each leaves one rule out of the core, and the programs of this crate must see it.
//!
//! The figures and the list come from the protocol's first model: its planted faults, one for each of the seventeen holes it found in the
//! rules as first written, and what that model did not have: creation, trimming, poison, full durability, pins.

use crate::lean::Lean;
use crate::{creation, run};
use rfmalloc_core::mutants::{Planted, plant, short_leases, sparse_sequences};
use std::time::Instant;

/// What is expected of a fault.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// Caught at the scale of CI.
    Caught,
    /// The same, in histories that lean to what it takes.
    With(Lean),
    /// The same, where sequences share their low bits.
    Sparse(Lean),
    /// Caught by the images of files in the making.
    InCreation,
    /// Rare: caught at night, within about so many images.
    Nightly(Lean, u64),
    /// No fault as things are; why.
    Equivalent(&'static str),
}

use Expect::{Caught, Equivalent, InCreation, Nightly, Sparse, With};

const TABLE: &[(Planted, &str, Expect)] = &[
    (Planted::ReuseEarly, "rule 11: destroyed bytes are reused before the death is durable", Caught),
    (
        Planted::DeathIgnoresSyncInFlight,
        "rules 2, 9: a death does not know of the sync in flight",
        With(Lean::Syncs),
    ),
    (
        Planted::ChangeIgnoresSyncInFlight,
        "rules 2, 8, hole 3: a change does not know of it",
        With(Lean::Syncs),
    ),
    (Planted::NoB1, "rule 13: D without the barrier of the body", Caught),
    (Planted::NoB2, "rule 13, hole 5: D without its own barrier", Caught),
    (Planted::DBeforeB1, "rule 13: D before the barrier of the body", Caught),
    (Planted::OnlyDurableBodyOverwritten, "rule 8: the only durable body is written over", Caught),
    (Planted::SuperblockToTheSameCopy, "rule 5: always the same copy", Caught),
    (Planted::NoSuperblockBarrier, "rule 5: no barrier", Caught),
    (Planted::SuperblockBeforeSync, "rule 12: synced_seq before the bytes", Caught),
    (Planted::NumbersTakenAfterSync, "rule 12: N taken after the barrier", With(Lean::Syncs)),
    (Planted::RecoveryDoesNotWrite, "rule 3b: what was dropped is not written so", Caught),
    (
        Planted::RecoveryWithoutBarrier,
        "rule 3b: no barrier behind it",
        Equivalent(
            "what it decided stays above synced_seq, or durable, until the next whole sync, which covers the words as well",
        ),
    ),
    (
        Planted::RecoveryWithoutSuperblock,
        "rule 3c: no superblock behind it",
        Equivalent(
            "the first sequence taken extends the lease, and that writes it before the record that needs it",
        ),
    ),
    (
        Planted::RecoveryKeepsDeadWords,
        "rule 3b: a dead word whose dead_seq was lost stays",
        With(Lean::Syncs),
    ),
    (Planted::RecoveryKeepsZeroWords, "rule 3b: a skipped slot keeps the word 0", With(Lean::Segments)),
    (
        Planted::KeptWordKeepsOtherD,
        "rule 3b: the D of a dropped body stays",
        Equivalent("a body with D counts, so the one that is dropped has none"),
    ),
    (Planted::LeaseNotUsedAtReopen, "rule 6: sequences start behind synced_seq", Caught),
    (Planted::LeaseNotAhead, "rule 6: the lease is not written ahead", Caught),
    (Planted::GenerationUnchecked, "rule 1: a body of another object counts", Caught),
    (Planted::FallbackNotInMap, "rule 4: the durable other body is not in the map", With(Lean::Names)),
    (Planted::UndoableDeathsNotInMap, "rule 4: deaths that may be undone are not in the map", Caught),
    (
        Planted::UndoableDeathsWithBothBodies,
        "rule 4, hole 12: both bodies of such a death are",
        With(Lean::Names),
    ),
    (Planted::NoFallback, "rule 1: no other body", Caught),
    (Planted::DeadBeforeDeadSeq, "rule 9: DEAD before dead_seq", With(Lean::Kills)),
    (Planted::LinkNotInB1, "rule 13: a new segment's link is not in B1", With(Lean::Segments)),
    (Planted::BootIdIgnored, "rule 1: every version counts after a power cut", Caught),
    (Planted::OldBootIdKept, "rule 5: the boot id is not renewed", Caught),
    (Planted::TombstoneBeforeSuccessor, "rule 10: the old dies first", Caught),
    (Planted::CloseWithoutSync, "rule 17: no sync", Caught),
    (Planted::CleanBeforeSync, "rule 17: clean before the sync", Caught),
    (Planted::BodyCrcIgnored, "rule 1: a body's checksum is not looked at", Caught),
    (Planted::PairUnchecked, "rule 1, hole 1: word and body of different versions", With(Lean::Names)),
    (
        Planted::PairMayRepeat,
        "rule 6, hole 9: a body gets the low bits of what it overwrites",
        Sparse(Lean::Names),
    ),
    (
        Planted::CacheTrustedAfterKill,
        "rule 3a, hole 2: no barrier before the first change",
        With(Lean::Kills),
    ),
    (Planted::WordsTrustedAfterKill, "rule 3a, hole 2: only the superblocks'", With(Lean::Kills)),
    (Planted::DForChangedBody, "rule 13, hole 4: D for a body changed meanwhile", With(Lean::Syncs)),
    (Planted::AtOnceWithoutBarrier, "rules 9, 10, hole 6: freed at once without a barrier", Caught),
    (Planted::StaleDeadSeq, "rule 9, hole 7: a stale dead_seq stays", With(Lean::Ends)),
    (
        Planted::LinkBeforeZeros,
        "rule 14, hole 8: the link before the zeros are durable",
        With(Lean::Segments),
    ),
    (Planted::AbandonedBody, "rule 8, hole 9: an abandoned body is not barriered", Sparse(Lean::Kills)),
    (Planted::DeadSeqBeforeHead, "rule 7, hole 10: dead_seq before id and generation", Caught),
    (Planted::HeadBeforeFreeWord, "rule 7, hole 11: the head before the free word", With(Lean::Kills)),
    (Planted::FallbackForgottenAtDeath, "rule 9, hole 12: the durable other body is forgotten", Caught),
    (Planted::OldLeaseAfterSync, "rule 5, hole 13: a sync writes the lease of its start", With(Lean::Syncs)),
    (Planted::SyncBlessesDropped, "rule 12, hole 14: a sync moves synced_seq over what was dropped", Caught),
    (Planted::LosersNotSettled, "rule 15: names that stand twice stay", With(Lean::Names)),
    (Planted::EveryLoserDies, "rule 15: who lost a name dies of it", With(Lean::Twice)),
    (Planted::NameOrderByGeneration, "rule 15, hole iii: the younger object has the name", With(Lean::Names)),
    (Planted::FullDeathVolatile, "rule 9, hole 17: a death under full durability is not durable", Caught),
    (
        Planted::FullCommitVolatile,
        "rule 13: nor is a commit, and nothing is hardened before it is overwritten",
        Caught,
    ),
    (Planted::CutBeforeSuperblock, "rule 17: the file is cut before the superblock says so", Caught),
    (
        Planted::OneCopyAtClose,
        "rule 17: one copy is enough at close",
        Equivalent(
            "no crash harms the newer copy, since the older is written over next; recovery.rs flips every byte of either",
        ),
    ),
    (Planted::CreationSuperblockFirst, "rule 18: superblocks before the segment", InCreation),
    (Planted::CreationLinkedUnsynced, "rule 18: linked before it is on disk", InCreation),
    (Planted::PoisonMarkNotWritten, "rule 19: no mark", With(Lean::Faults)),
    (Planted::FailedBarrierIgnored, "rule 19: a sync completes over a failed barrier", With(Lean::Faults)),
    (
        Planted::HeaderForgotten,
        "rule 19: the mark is forgotten with the cache",
        Nightly(Lean::Faults, 100_000),
    ),
    (
        Planted::HeaderNotWrittenAgain,
        "rule 19: recovery decides by a superblock that only the cache has",
        With(Lean::Marks),
    ),
    (
        Planted::MetadataNotStoredAgain,
        "rule 3a: after a kill, a page whose barrier failed unmarked is not stored again",
        With(Lean::Restarts),
    ),
    (Planted::PoisonBelieved, "rule 19: the mark is not heeded", With(Lean::Faults)),
    (
        Planted::FileLenNotSynced,
        "rule 12: the length is not in the superblock",
        Equivalent("it says that a file was cut, which no crash of ours does"),
    ),
    (Planted::ZeroingSkipped, "rules 7, 14: recycled space is not zeroed", Caught),
    (Planted::PinsIgnored, "rule 11: bytes are reused while somebody holds them", Caught),
    (Planted::SyncCoversOneMore, "rule 12: N is one too high", Caught),
    (Planted::DeadSlotReusedEarly, "rule 11: a slot is reused before its death is durable", Caught),
    (Planted::ResetVolatile, "rule 10: under full durability a reset is not durable", Caught),
    (Planted::ResetKeepsSealed, "a reset leaves something", Caught),
    (
        Planted::KeptWithoutBarrier,
        "rule 23: what was kept counts as synced without a barrier",
        With(Lean::Faults),
    ),
    (Planted::KeptOverOthers, "rule 23: two kept versions on the same bytes", With(Lean::Churn)),
    (
        Planted::KeptWhereMoved,
        "rule 23: elements that were moved count where no barrier covers them",
        Nightly(Lean::Churn, 200_000),
    ),
    (
        Planted::KeptUnderOtherName,
        "rule 23: a version counts with older attributes at the same place",
        Nightly(Lean::Churn, 200_000),
    ),
];

/// Holes of the rules that have no fault here: 16 is about HELD, which these histories do not set.
pub const NOT_PLANTED: &str = "hole 16 (HELD is distrusted after a machine crash): these histories make no lists; tests/lists.rs looks at every crash of some";

/// Plants each fault (or the one with this name) and looks for it in at most `images` images; passed and failed.
pub fn all(images: u64, nightly: bool, only: Option<&str>) -> (u64, u64) {
    std::panic::set_hook(Box::new(|_| {}));
    let (mut passed, mut failed) = (0, 0);
    for (fault, what, expect) in TABLE {
        let name = format!("{fault:?}");
        if only.is_some_and(|o| o != name) {
            continue;
        }
        let most = match expect {
            Caught | With(_) | Sparse(_) | InCreation => images,
            Nightly(_, most) if nightly => *most,
            // Whether they are equivalent is an argument, not a search; a short look keeps the argument honest.
            Nightly(..) | Equivalent(_) => images / 20,
        };
        let from = Instant::now();
        let found = look_for(*fault, *expect, most);
        let secs = from.elapsed().as_secs_f64();
        let caught = found.why.is_some();
        let (good, verdict) = match (expect, caught) {
            (Caught | With(_) | Sparse(_) | InCreation, true) => (true, "caught"),
            (Caught | With(_) | Sparse(_) | InCreation, false) => (false, "NOT CAUGHT"),
            (Nightly(..), true) => (true, "caught (rare)"),
            (Nightly(..), false) if nightly => (false, "NOT CAUGHT at night"),
            (Nightly(..), false) => (true, "rare, left to the night"),
            (Equivalent(_), false) => (true, "equivalent"),
            (Equivalent(_), true) => (false, "CAUGHT, but thought equivalent"),
        };
        println!(
            "{name:<30} {verdict:<24} {:>7} images, seed {:>5}, {secs:>5.1} s  {what}",
            found.images, found.seed
        );
        match (expect, &found.why) {
            (Equivalent(reason), _) => println!("    {reason}"),
            (_, Some(why)) => println!("    {}", why.chars().take(200).collect::<String>()),
            _ => {}
        }
        if good {
            passed += 1;
        } else {
            failed += 1;
        }
    }
    println!("not planted: {NOT_PLANTED}");
    (passed, failed)
}

fn lean(expect: Expect) -> Option<Lean> {
    match expect {
        With(lean) | Sparse(lean) | Nightly(lean, _) => Some(lean),
        _ => None,
    }
}

struct Found {
    images: u64,
    seed: u64,
    why: Option<String>,
}

fn look_for(fault: Planted, expect: Expect, most: u64) -> Found {
    plant(Some(fault));
    sparse_sequences(Some(matches!(expect, Sparse(_))));
    let mut found = Found { images: 0, seed: 0, why: None };
    while found.why.is_none() && found.images < most {
        found.seed += 1;
        if matches!(expect, InCreation) {
            let made = creation::all(found.seed);
            found.images += made.images;
            found.why = made.failure;
        } else {
            // Every other history has leases of a few sequences.
            short_leases(Some(found.seed.is_multiple_of(2)));
            let run = run::leaning_history(found.seed, lean(expect), false);
            found.images += run.images.0;
            found.why = run.failure;
        }
    }
    short_leases(Some(false));
    sparse_sequences(Some(false));
    plant(None);
    found
}

/// One history under a planted fault, with what happens in it.
pub fn replay(name: &str, seed: u64) -> Option<run::Run> {
    let (fault, _, expect) = TABLE.iter().find(|(f, ..)| format!("{f:?}") == name)?;
    plant(Some(*fault));
    sparse_sequences(Some(matches!(expect, Sparse(_))));
    short_leases(Some(seed.is_multiple_of(2)));
    let run = run::leaning_history(seed, lean(*expect), true);
    plant(None);
    Some(run)
}
