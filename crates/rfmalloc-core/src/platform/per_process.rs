//! A process-wide value that a forked child does not inherit.
//!
//! `fork` copies a mutex as it is at that moment. One that another thread of the parent held stays locked in the child for ever, and what
//! it guards may be half changed; so the child starts with a fresh value and never looks at the parent's.

use super::process_epoch;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// One `T` for each process, made when it is first asked for and never freed.
pub(crate) struct PerProcess<T> {
    current: AtomicPtr<(u64, T)>,
}

impl<T: Default + Send + Sync + 'static> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        Self { current: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The value of this process. Takes no lock.
    pub(crate) fn get(&self) -> &'static T {
        let epoch = process_epoch();
        loop {
            let found = self.current.load(Ordering::Acquire);
            // SAFETY: 1. what is stored here came from `Box::into_raw` below and is never freed; 2. it was published by a release store and is
            // only shared from then on.
            if let Some((of, value)) = unsafe { found.as_ref::<'static>() }
                && *of == epoch
            {
                return value;
            }
            let made = Box::into_raw(Box::new((epoch, T::default())));
            if self.current.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire).is_err() {
                // SAFETY: another thread was quicker; nobody has seen ours.
                drop(unsafe { Box::from_raw(made) });
            }
        }
    }
}
