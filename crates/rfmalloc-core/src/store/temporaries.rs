//! Temporaries that are filled before anybody knows them: reserved and written on any thread, cut to what was needed, then taken over.

use super::StoreWork;
use super::handle::Handle;
use super::objects::Fate;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::format::{Extent, UNIT};

impl StoreWork {
    /// As [`Store::reserve`](super::Store::reserve).
    pub(crate) fn reserve(&self, dtype: Dtype, len: u64, zeroed: bool) -> Result<Handle> {
        self.0.reserve(dtype, len, zeroed)
    }
}

impl Handle {
    /// Gives back what a temporary has behind its first `len` elements.
    pub(crate) fn shorten(&mut self, len: u64) -> Result<()> {
        let nbytes = len.saturating_mul(self.facts.dtype.width());
        let keep = nbytes.next_multiple_of(UNIT);
        let sh = std::sync::Arc::clone(&self.shared);
        let mut inner = sh.lock_open()?;
        let gone = self.destroyed_error();
        let Some(o) = inner.objects.get(self.key, self.serial).filter(|o| o.alive) else { return Err(gone) };
        if o.committed || len > o.len {
            return Err(Error::new(Code::Internal, "only temporaries are cut, and never made longer"));
        }
        let (old, off) = (o.payload, o.payload.off);
        o.len = len;
        o.payload = if keep == 0 { Extent::EMPTY } else { Extent { off, nbytes: keep } };
        self.facts = o.facts();
        // Padding is zero.
        let padding = sh.seam.region.span(off + nbytes, keep - nbytes);
        padding.zero();
        sh.seam.announce(off + nbytes, keep - nbytes);
        let tail = Extent { off: off + keep, nbytes: old.nbytes - keep };
        inner.objects.temporary_bytes = inner.objects.temporary_bytes.saturating_sub(tail.nbytes);
        if tail.is_empty() { Ok(()) } else { inner.give_back(tail, Fate::Free) }
    }

    /// The same hold as the calling thread's.
    pub(crate) fn taken_over(mut self) -> Self {
        self.change_thread();
        self
    }
}
