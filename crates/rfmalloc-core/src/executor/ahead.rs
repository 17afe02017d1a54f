//! Reading ahead of work on file-backed memory, and letting go of what is done: advice on the pages of stretches, never a change of a byte.

use crate::region::{PageAdvice, Span};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, scope};

/// What one request for reading ahead covers, in bytes: Linux reads no more for one than the device takes at once.
const PIECE: u64 = 512 << 10;

fn read(stretches: &[Span], is_over: &AtomicBool) {
    for stretch in stretches {
        for off in (0..stretch.nbytes()).step_by(PIECE as usize) {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            // Advice only: what was not read ahead is read when it is used.
            let _ = stretch.part(off, PIECE).advise(PageAdvice::WillNeed);
        }
    }
}

/// Lets the pages of a stretch of a file's mapping leave the resident set, and of so many bytes `around` it in `whole`. What others wrote there stays
/// in the file.
pub(super) fn release(stretch: Span, around: u64, whole: Span) {
    let _ = stretch.widened(around, whole).advise(PageAdvice::DontNeed);
}

/// The thread that reads ahead.
pub(super) struct Ahead<'a> {
    thread: Option<Sender<Vec<Span>>>,
    is_over: &'a AtomicBool,
}

impl Ahead<'_> {
    /// Has the stretches read, in order; returns at once if there is a thread for it.
    pub(super) fn ask(&self, stretches: Vec<Span>) {
        let unsent = match &self.thread {
            Some(thread) => thread.send(stretches).err().map(|e| e.0),
            None => Some(stretches),
        };
        if let Some(stretches) = unsent {
            read(&stretches, self.is_over);
        }
    }
}

/// Runs `work` beside a thread that reads ahead; without one if the system gives none. The thread ends with the work, whatever it is at.
pub(super) fn with_ahead<R>(work: impl FnOnce(&Ahead<'_>) -> R) -> R {
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        let (to, from) = channel::<Vec<Span>>();
        let _over = Over(&is_over);
        let serve = || from.into_iter().for_each(|stretches| read(&stretches, &is_over));
        let started = Builder::new().name("rfmalloc-ahead".into()).spawn_scoped(scope, serve);
        work(&Ahead { thread: started.is_ok().then_some(to), is_over: &is_over })
    })
}
