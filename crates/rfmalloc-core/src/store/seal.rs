//! Sealing: the elements of an object are immutable from now on, and checksums of them stand in its attributes.
//!
//! The order (rule 22): first nobody can write any more, in this process and through no buffer; then the checksums are made from the file;
//! then the record changes (rule 8). All writes precede the change, so its sequence is higher than any moment at which an element was
//! written, and a sync that covers it covers them. The payload is read without the store mutex.

use super::change::Attributes;
use super::handle::Handle;
use super::objects::Elements;
use super::{Inner, Mode, Operation, Shared, Store};
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::aux::SEAL_BLOCK;
use crate::seam::Seam;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

impl Store {
    /// Makes the object's elements immutable and stores checksums of them. Handles of all threads notice; buffers made from now on are
    /// private memory. Nothing changes where an object is sealed already; under full durability the call makes that durable too.
    ///
    /// # Errors
    /// `BUSY`: a buffer over the elements is alive, or an operation runs on the object; `ARGUMENT`: a temporary, or an object of another
    /// store; `NO_SPACE`, `READ_ONLY`, `POISONED`, `IO`, `DESTROYED`, `CLOSED`.
    pub fn seal(&self, handle: &mut Handle) -> Result<()> {
        let sh = self.shared()?;
        self.check_ours(handle)?;
        if let Some(sealing) = Sealing::start(sh, handle)? {
            if sh.mode == Mode::Persistent {
                // Rule 25: parts first. Only who writes strings writes into their heap, and that has ended.
                for (idx, payload) in sealing.open_heap()? {
                    let checksums = checksums(&sh.seam, payload.off, payload.nbytes)?;
                    self.with_space(|| sealing.commit_part(idx, &checksums))?;
                }
                let checksums = checksums(&sh.seam, sealing.operation.off(), handle.facts.nbytes)?;
                self.with_space(|| sealing.commit(&checksums))?;
            }
            sealing.done();
        } else if sh.is_full() {
            // Rule 10: an earlier opener may have sealed it and not synced.
            self.sync_object(handle)?;
        }
        handle.refresh()
    }
}

/// CRC-32C of each block of the payload, little-endian, read from the file.
fn checksums(seam: &Seam, off: u64, nbytes: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut block = vec![0u8; u64::from(SEAL_BLOCK).min(nbytes) as usize];
    let mut at = 0;
    while at < nbytes {
        let n = u64::from(SEAL_BLOCK).min(nbytes - at) as usize;
        seam.file
            .read_exact_at(&mut block[..n], off + at)
            .map_err(|e| seam.error("cannot read the elements in", &e).with("offset", off + at))?;
        out.extend_from_slice(&crc32c::crc32c(&block[..n]).to_le_bytes());
        at += n as u64;
    }
    Ok(out)
}

/// A seal in progress. Dropped before it is done, the elements are writable again.
struct Sealing {
    shared: Arc<Shared>,
    key: u32,
    serial: u64,
    /// Keeps the object where it is, and the store; given up last.
    operation: Operation,
}

impl Sealing {
    /// `None`: it is sealed already.
    fn start(sh: &Arc<Shared>, handle: &Handle) -> Result<Option<Self>> {
        let mut inner = sh.lock_open()?;
        let destroyed = handle.destroyed_error();
        let Some(o) = inner.objects.get(handle.key, handle.serial).filter(|o| o.alive) else {
            return Err(destroyed);
        };
        let busy = |why: &str| Error::new(Code::Busy, why).with("id", handle.facts.id);
        match (o.elements, o.committed) {
            (Elements::Sealed, _) => return Ok(None),
            (Elements::BeingSealed, _) => return Err(busy("another thread is sealing the vector")),
            (Elements::Writable, false) => {
                return Err(Error::new(Code::Argument, "a temporary cannot be sealed; keep() it first"));
            }
            (Elements::Writable, true) => {}
        }
        let (pins, operations) = (o.pins, o.operations);
        sh.check_writable(&inner)?;
        if pins > 0 {
            return Err(busy(
                "a view of the vector is alive, or not collected yet: drop it, let garbage be collected, and seal then",
            ));
        }
        if operations > 0 {
            return Err(busy("an operation is running on the vector; wait for it to end"));
        }
        inner.begin(sh)?;
        let Some(o) = inner.objects.get(handle.key, handle.serial) else { return Err(destroyed) };
        o.elements = Elements::BeingSealed;
        // Every handle looks again before its next access, and finds that it may not write.
        o.cell.renew();
        let operation = handle.target().begin_in(sh, &mut inner, |_| Ok(()))?;
        Ok(Some(Self { shared: Arc::clone(sh), key: handle.key, serial: handle.serial, operation }))
    }

    /// The buffers of a string heap that are not sealed yet: slot and bytes.
    fn open_heap(&self) -> Result<Vec<(u32, Extent)>> {
        let inner = self.shared.lock_open()?;
        let record =
            inner.objects.slab.get(self.key as usize).and_then(Option::as_ref).and_then(|o| o.record);
        let Some(idx) = record else { return Ok(Vec::new()) };
        let mut list = Vec::new();
        for key in inner.read_aux(&inner.live(idx)?)?.heap {
            let live = inner.heap_record(idx, key)?;
            let live = live.ok_or_else(|| inner.damaged(idx, "attributes: name a heap that is not there"))?;
            if !live.body.is_sealed() {
                list.push((key.0, Extent { off: live.body.payload.off, nbytes: live.body.len }));
            }
        }
        Ok(list)
    }

    /// Rule 8 for one buffer of a string heap.
    fn commit_part(&self, idx: u32, checksums: &[u8]) -> Result<()> {
        let mut inner = self.shared.lock_open()?;
        self.shared.check_writable(&inner)?;
        inner.change(&self.shared, idx, &Attributes::Seal(checksums))?;
        if let Some(key) = inner.objects.by_record.get(&idx).copied()
            && let Some(Some(o)) = inner.objects.slab.get_mut(key as usize)
        {
            o.elements = Elements::Sealed;
        }
        Ok(())
    }

    /// Rule 8: the record changes; the state word is stored last.
    fn commit(&self, checksums: &[u8]) -> Result<()> {
        let sh = &self.shared;
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        let record = inner.objects.get(self.key, self.serial).and_then(|o| o.record);
        let Some(idx) = record else {
            return Err(Error::new(Code::Internal, "a committed object without a record"));
        };
        inner.change(sh, idx, &Attributes::Seal(checksums))?;
        if sh.is_full() {
            inner.harden(sh, idx)?;
        }
        sh.note_commit(&mut inner);
        Ok(())
    }

    fn done(self) {
        self.shared.lock().end_sealing(self.key, self.serial, Elements::Sealed);
    }
}

impl Drop for Sealing {
    fn drop(&mut self) {
        self.shared.lock().end_sealing(self.key, self.serial, Elements::Writable);
    }
}

impl Inner {
    fn end_sealing(&mut self, key: u32, serial: u64, outcome: Elements) {
        if let Some(o) = self.objects.get(key, serial).filter(|o| o.elements == Elements::BeingSealed) {
            o.elements = outcome;
            o.cell.renew();
        }
    }
}
