//! Reading ahead of work on file-backed memory, and letting go of what is done: advice on the pages of stretches, never a change of a byte.

use crate::region::{PageAdvice, Span};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, scope};

/// What one request for reading ahead covers, in bytes: Linux reads no more for one than the device takes at once.
const PIECE: u64 = 512 << 10;

fn read(stretches: &[Span]) {
    for stretch in stretches {
        let pieces = (0..stretch.nbytes()).step_by(PIECE as usize);
        for piece in pieces.map(|off| stretch.part(off, PIECE)) {
            // Advice only: what was not read ahead is read when it is used.
            let _ = piece.advise(PageAdvice::WillNeed);
        }
    }
}

/// Lets the pages of stretches of a file's mapping leave the resident set. What others wrote there stays in the file.
pub(super) fn release(stretches: &[Span]) {
    for stretch in stretches {
        let _ = stretch.advise(PageAdvice::DontNeed);
    }
}

/// The thread that reads ahead.
pub(super) struct Ahead(Option<Sender<Vec<Span>>>);

impl Ahead {
    /// Has the stretches read, in order; returns at once if there is a thread for it.
    pub(super) fn ask(&self, stretches: Vec<Span>) {
        match &self.0 {
            Some(thread) => {
                if let Err(unsent) = thread.send(stretches) {
                    read(&unsent.0);
                }
            }
            None => read(&stretches),
        }
    }
}

/// Runs `work` beside a thread that reads ahead; without one if the system gives none.
pub(super) fn with_ahead<R>(work: impl FnOnce(&Ahead) -> R) -> R {
    scope(|scope| {
        let (to, from) = channel::<Vec<Span>>();
        let thread = Builder::new().name("rfmalloc-ahead".into());
        let started = thread.spawn_scoped(scope, move || from.iter().for_each(|stretches| read(&stretches)));
        let ahead = Ahead(started.is_ok().then_some(to));
        work(&ahead)
    })
}
