//! What a thread says of its acts: fixed records in a file of its own, written by one system call each, so that they outlive the process.
//!
//! An act is announced before it begins and acknowledged after it returned. Both carry a number from a counter that all threads of the
//! process share: an act that was acknowledged before another was announced has the smaller one.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

static ORDER: AtomicU64 = AtomicU64::new(1);

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A new object, named or not.
    Create,
    /// A temporary that is filled and then kept.
    Keep,
    /// A new object in the place of `old`, which had the name.
    Replace,
    /// Another name, or none.
    Name,
    /// The name of `old`, which dies of it.
    Steal,
    /// An ordinary death.
    Destroy,
    /// A death whose bytes come free at once.
    DestroyAtOnce,
    /// Bytes written in place.
    Write,
    Sync,
    SyncObject,
    Compact,
    Close,
}

const KINDS: [Kind; 12] = [
    Kind::Create,
    Kind::Keep,
    Kind::Replace,
    Kind::Name,
    Kind::Steal,
    Kind::Destroy,
    Kind::DestroyAtOnce,
    Kind::Write,
    Kind::Sync,
    Kind::SyncObject,
    Kind::Compact,
    Kind::Close,
];

/// One act; what it does not use is 0. Names are numbers, 0: no name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    pub(crate) kind: Kind,
    pub(crate) generation: u64,
    pub(crate) id: u64,
    pub(crate) old: u64,
    pub(crate) name: u64,
    pub(crate) dtype: u64,
    pub(crate) len: u64,
    pub(crate) seed: u64,
    pub(crate) start: u64,
}

impl Act {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, generation: 0, id: 0, old: 0, name: 0, dtype: 0, len: 0, seed: 0, start: 0 }
    }
}

/// An act with its two numbers; `acknowledged` is `None` for the one the thread died in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) act: Act,
    pub(crate) announced: u64,
    pub(crate) acknowledged: Option<u64>,
}

const WORDS: usize = 12;

pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn create(path: &Path) -> Self {
        Self(File::create(path).expect("journal"))
    }

    fn write(&mut self, phase: u64, act: &Act) {
        let kind = KINDS.iter().position(|k| *k == act.kind).unwrap_or(0) as u64;
        let order = ORDER.fetch_add(1, Ordering::SeqCst);
        let words: [u64; WORDS] = [
            order,
            phase,
            kind,
            act.generation,
            act.id,
            act.old,
            act.name,
            act.dtype,
            act.len,
            act.seed,
            act.start,
            !order,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.0.write_all(&bytes).expect("journal");
    }

    pub(crate) fn announce(&mut self, act: &Act) {
        self.write(0, act);
    }

    pub(crate) fn acknowledge(&mut self, act: &Act) {
        self.write(1, act);
    }
}

/// The acts of one thread in their order; only the last may be without acknowledgement.
pub(crate) fn read(path: &Path) -> Vec<Told> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut told: Vec<Told> = Vec::new();
    for record in bytes.chunks_exact(8 * WORDS) {
        let w: Vec<u64> =
            record.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("eight"))).collect();
        assert_eq!(w[11], !w[0], "a torn journal");
        let act = Act {
            kind: KINDS[w[2] as usize],
            generation: w[3],
            id: w[4],
            old: w[5],
            name: w[6],
            dtype: w[7],
            len: w[8],
            seed: w[9],
            start: w[10],
        };
        match (w[1], told.last_mut()) {
            (1, Some(t)) => {
                t.act = act;
                t.acknowledged = Some(w[0]);
            }
            _ => told.push(Told { act, announced: w[0], acknowledged: None }),
        }
    }
    told
}
