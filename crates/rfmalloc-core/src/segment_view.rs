//! A window on a store's address space for the facade's own element access: never given to users.
//!
//! It reaches scratch pages where the file has header, catalog or no bytes yet, so it can be made larger than the file and stays right
//! while the file grows.

use crate::error::Result;
use crate::region::Hold;
use crate::store::Store;
use std::sync::Arc;

/// Keeps a range of the data mapping valid; blank after the store is closed.
pub struct SegmentView {
    hold: Hold,
}

impl Store {
    /// The range `[off, off+nbytes)` of the data mapping.
    ///
    /// # Errors
    /// `TOO_LARGE`: beyond the reserved address space; `CLOSED`.
    pub fn segment_view(&self, off: u64, nbytes: u64) -> Result<SegmentView> {
        let shared = self.shared()?;
        let inner = shared.lock_open_for_elements()?;
        let region = Arc::clone(&shared.seam.region);
        drop(inner);
        let nbytes = nbytes.min(region.reserved().saturating_sub(off));
        Ok(SegmentView { hold: region.hold(off, nbytes)? })
    }
}

impl SegmentView {
    /// Address of the first byte.
    pub fn ptr(&self) -> *mut u8 {
        self.hold.ptr()
    }
    /// Bytes in the window.
    pub fn nbytes(&self) -> u64 {
        self.hold.nbytes()
    }
}
