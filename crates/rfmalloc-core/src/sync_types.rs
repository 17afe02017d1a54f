//! The locks, condition variables, atomics and threads whose interleavings matter: the standard library's, or shuttle's.
//!
//! Under `--cfg rfmalloc_shuttle` (labs/shuttle) one scheduler runs all threads, one at a time, and decides at every use of these types who
//! goes on; so a race is found by trying orders and is replayed from a seed. Nothing else about the store changes: the file, its mappings
//! and the system calls stay real. Locks that guard only a few lines without another of these types inside (`cells`) need not be here.

#[cfg(not(rfmalloc_shuttle))]
mod imp {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::{thread, thread_local};

    /// A static that each process makes for itself, with `get()`: see `platform::PerProcess`.
    macro_rules! per_process {
        (static $name:ident: $type:ty;) => {
            static $name: crate::platform::PerProcess<$type> = crate::platform::PerProcess::new();
        };
    }
    pub(crate) use per_process;

    /// A place where shuttle may let another thread go on: before an access to bytes that no lock guards.
    #[inline]
    pub(crate) fn step() {}
}

#[cfg(rfmalloc_shuttle)]
mod imp {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use shuttle::{thread, thread_local};

    /// A static that each execution makes for itself.
    pub(crate) struct PerExecution<T>(T);

    impl<T: Default> PerExecution<T> {
        pub(crate) fn new() -> Self {
            Self(T::default())
        }
        pub(crate) fn get(&self) -> &T {
            &self.0
        }
    }

    macro_rules! per_process {
        (static $name:ident: $type:ty;) => {
            shuttle::lazy_static! {
                static ref $name: crate::sync_types::PerExecution<$type> = crate::sync_types::PerExecution::new();
            }
        };
    }
    pub(crate) use per_process;

    /// See above. (Shuttle knows no time: sleeping is a change of threads and nothing else.)
    pub(crate) fn step() {
        thread::sleep(std::time::Duration::ZERO);
    }
}

pub(crate) use imp::*;
