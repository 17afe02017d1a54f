//! A dense image of a store (rule 21): what lives at one moment, laid out anew and written to an empty file.
//!
//! Ids, generations, sequences, attributes and elements are the source's; places are new, every object has one body, and the numbers are
//! those of a clean close, so the file needs no recovery and no reference but one that names the store's uuid can tell the two apart. The
//! picture is taken in one critical section (some 100 bytes of memory an object); elements are copied after it, through the
//! descriptor and a buffer of one megabyte. They are never shared with the source's blocks by the file system: a later store into
//! a shared block would need space, and a mapping cannot be told that there is none.

use super::space::alignment;
use super::upkeep::Control;
use super::{Inner, Shared};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::format::aux::{Aux, SEAL_BLOCK, Seal};
use crate::format::segment::{self, Header};
use crate::format::slot::{self, Body, Head, NOT_DEAD};
use crate::format::superblock::{CLEAN, COPY_OFF, HELD_DISTRUST, Superblock};
use crate::format::word::{self, NameSeed, State, Word};
use crate::format::{Extent, FILE_UNIT, HEADER_BYTES, PAGE_ALIGN};
use crate::heap::Heap;
use crate::seam::Making;
use crate::store::creation::CREATION_NBYTES;
use crate::strings::view::{self, Text};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes copied between two looks at the control.
const PIECE: usize = 1 << 20;
// A seal's checksum is tested on each piece as it passes.
const _: () = assert!(PIECE == SEAL_BLOCK as usize);

/// One object of the image.
struct Entry {
    head: Head,
    /// As it is in the source.
    from: Body,
    /// As it will be in the image.
    to: Body,
    word: Word,
    /// A later holder has its name (rule 15).
    is_loser: bool,
}

/// A picture of a store, with the places of everything in the image.
pub(super) struct Dense {
    /// By slot.
    entries: Vec<Entry>,
    /// Where each catalog segment starts.
    segments: Vec<u64>,
    seed: NameSeed,
    sb: Superblock,
}

impl Inner {
    /// Takes the picture. `uuid`: of the image; damage anywhere is an error that names it.
    pub(super) fn picture(&mut self, sh: &Shared, uuid: [u8; 16]) -> Result<Dense> {
        self.check_all_words()?;
        self.build_names()?;
        let losers = self.judge_losers()?;
        let end = self.catalog.used_end().max(self.sb.slots_used);
        let mut entries = Vec::new();
        for idx in 0..end {
            let raw = self.catalog.word(idx);
            if raw == 0 {
                continue;
            }
            let Some(live) = self.record(idx)? else { continue };
            let verdict = losers.iter().find(|(loser, _)| *loser == idx);
            if verdict.is_some_and(|(_, dies)| *dies) {
                continue;
            }
            let old = Word::decode(raw, idx).unwrap_or(Word::UNUSED);
            let word = Word {
                state: State::Live,
                active: 0,
                durable: [false; 2],
                pair: live.body.seq as u8,
                gen24: live.head.generation & word::GEN24,
                // Of the version that counts, which need not be the word's: `check_aux` sets it where there is a name.
                tag: 0,
                ..old
            };
            entries.push(Entry {
                head: live.head,
                from: live.body,
                to: live.body,
                word,
                is_loser: verdict.is_some(),
            });
        }
        let highest = if self.one_copy && !self.begun {
            self.highest_seq(end) + self.lease_step
        } else {
            entries.iter().map(|e| e.from.seq).max().unwrap_or(0)
        };
        let next_seq = self.next_seq.max(highest + 1);
        let slots_used = entries.last().map_or(0, |e| e.head.id + 1);
        Ok(Dense {
            sb: Superblock {
                uuid,
                sb_seq: 1,
                synced_seq: next_seq - 1,
                lease: next_seq,
                slots_used,
                state: CLEAN | self.sb.state & HELD_DISTRUST,
                boot_id: sh.boot_id,
                pid: sh.pid,
                ..self.sb.clone()
            },
            seed: self.name_seed,
            entries,
            segments: Vec::new(),
        })
    }
}

impl Dense {
    /// Catalog segments first, one after the other; then the large payloads in their old order, then everything small into what is left.
    pub(super) fn lay_out(&mut self) -> Result<()> {
        let mut at = HEADER_BYTES;
        let mut slots = 0u32;
        for k in 0.. {
            if k > 0 && slots >= self.sb.slots_used {
                break;
            }
            self.segments.push(at);
            at += segment::nbytes(segment::slots_of(k));
            slots = slots.saturating_add(segment::slots_of(k));
        }
        self.sb.segments = self.segments.len() as u32;
        let room = |e: Extent| e.nbytes + alignment(e.nbytes);
        let most = self.entries.iter().fold(at, |n, e| n + room(e.from.payload) + room(e.from.aux));
        let hi = most.next_multiple_of(FILE_UNIT);
        let mut heap = Heap::new(HEADER_BYTES, hi)?;
        heap.load(&[fmalloc_sys::fm_extent { off: HEADER_BYTES, len: at - HEADER_BYTES }], &[0])?;
        heap.ready()?.map_err(|c| super::begin::conflict_error(&c))?;
        let mut place = |e: Extent| {
            if e.is_empty() {
                return Ok(e);
            }
            heap.alloc_below(e.nbytes, alignment(e.nbytes), 0, 0)?
                .ok_or_else(|| Error::new(Code::Internal, "no place in an image made to measure"))
        };
        let is_large = |e: &Entry| e.from.payload.nbytes >= PAGE_ALIGN;
        let mut large: Vec<usize> = (0..self.entries.len()).filter(|i| is_large(&self.entries[*i])).collect();
        large.sort_unstable_by_key(|i| self.entries[*i].from.payload.off);
        for i in large {
            self.entries[i].to.payload = place(self.entries[i].from.payload)?;
        }
        for e in &mut self.entries {
            if e.from.payload.nbytes < PAGE_ALIGN {
                e.to.payload = place(e.from.payload)?;
            }
            e.to.aux = place(e.from.aux)?;
        }
        self.sb.file_len = heap.end(CREATION_NBYTES, FILE_UNIT, hi)?;
        if self.sb.capacity != 0 && self.sb.file_len > self.sb.capacity {
            return Err(Error::new(
                Code::NoSpace,
                "the copy would exceed the store's fixed capacity (sizeGb)",
            )
            .with("limit", self.sb.capacity));
        }
        Ok(())
    }

    /// The length of the copy.
    pub(super) fn nbytes(&self) -> u64 {
        self.sb.file_len
    }

    /// Bytes of elements and attributes.
    fn total(&self) -> u64 {
        self.entries.iter().map(|e| e.from.payload.nbytes + e.from.aux.nbytes).sum()
    }

    /// Writes the image into an empty file, on stable storage when this returns. False: the control stopped it.
    pub(super) fn write(&mut self, sh: &Shared, making: &Making<'_>, control: Control<'_>) -> Result<bool> {
        let failed = |e: &io::Error| Error::io("cannot write the copy", e);
        making.allocate(self.sb.file_len).map_err(|e| failed(&e))?;
        let mut out = Writer { making, buffer: Vec::with_capacity(PIECE), at: 0 };
        let (mut done, total) = (0, self.total());
        let mut aux_bytes = Vec::new();
        // Views before the bytes they speak of: a string that is written meanwhile has its bytes first.
        let (heaps, others): (Vec<_>, Vec<_>) = self.entries.iter_mut().partition(|e| e.is_heap());
        for e in others.into_iter().chain(heaps) {
            let mut sums = Vec::new();
            let mut buffers = 0;
            if !e.from.aux.is_empty() {
                read(&sh.seam.file, e.from.aux, &mut aux_bytes)?;
                (sums, buffers) = e.check_aux(self.seed, &mut aux_bytes)?;
                out.put(e.to.aux.off, &aux_bytes)?;
                done += e.from.aux.nbytes;
            }
            let mut sums = sums.chunks_exact(4);
            let mut at = 0;
            while at < e.from.payload.nbytes {
                sh.check_not_closing()?;
                if !control(done, total) {
                    return Ok(false);
                }
                let nbytes = (PIECE as u64).min(e.from.payload.nbytes - at);
                let off = e.from.payload.off + at;
                out.copy(&sh.seam.file, off, e.to.payload.off + at, nbytes as usize)?;
                let start = out.buffer.len() - nbytes as usize;
                if e.head.dtype == Dtype::Character.code() && has_views_beyond(&out.buffer[start..], buffers)
                {
                    return Err(Error::new(
                        Code::Busy,
                        "strings were written while they were copied, into space that the copy does not know of; copy again",
                    )
                    .with("id", e.head.id));
                }
                if let Some(sum) = sums.next() {
                    let elements = nbytes.min(e.nbytes().saturating_sub(at)) as usize;
                    if crc32c::crc32c(&out.buffer[start..start + elements]).to_le_bytes() != *sum {
                        return Err(e.damaged("the elements differ from the seal's checksums", off));
                    }
                }
                at += nbytes;
                done += nbytes;
            }
        }
        self.write_catalog(&mut out)?;
        for off in COPY_OFF {
            out.put(off, &self.sb.encode())?;
            self.sb.sb_seq += 1;
        }
        out.flush()?;
        making.sync().map_err(|e| failed(&e))?;
        Ok(control(total, total))
    }

    fn write_catalog(&self, out: &mut Writer<'_>) -> Result<()> {
        let mut entries = self.entries.iter().peekable();
        let mut first = 0;
        for (k, &off) in (0..).zip(&self.segments) {
            let slots = segment::slots_of(k);
            let header = Header { uuid: self.sb.uuid, k, slots, off };
            let mut head = header.encode();
            if let Some(next) = self.segments.get(k as usize + 1) {
                let at = segment::LINK_OFF as usize;
                head[at..at + 8].copy_from_slice(&segment::encode_link(*next, k).to_le_bytes());
            }
            out.put(off, &head)?;
            let words = off + segment::HEADER_NBYTES;
            let mut column: Vec<u64> = (0..slots.min(self.sb.slots_used.saturating_sub(first)))
                .map(|i| Word::free(0).encode(first + i))
                .collect();
            while let Some(e) = entries.next_if(|e| e.head.id < first.saturating_add(slots)) {
                let i = e.head.id - first;
                column[i as usize] = e.word.encode(e.head.id);
                out.put(words + 8 * u64::from(slots) + slot::NBYTES as u64 * u64::from(i), &e.slot())?;
            }
            for (i, block) in (0..).zip(column.chunks(PIECE / 8)) {
                let bytes: Vec<u8> = block.iter().flat_map(|w| w.to_le_bytes()).collect();
                out.put(words + i * PIECE as u64, &bytes)?;
            }
            first = first.saturating_add(slots);
        }
        Ok(())
    }
}

impl Entry {
    fn slot(&self) -> [u8; slot::NBYTES] {
        let mut b = [0; slot::NBYTES];
        b[..24].copy_from_slice(&self.head.encode());
        b[slot::DEAD_SEQ_OFF..slot::DEAD_SEQ_OFF + 8].copy_from_slice(&NOT_DEAD.to_le_bytes());
        let body = self.to.encode(self.head.id, self.head.generation);
        b[slot::BODY_OFF[0]..slot::BODY_OFF[0] + body.len()].copy_from_slice(&body);
        b
    }

    /// Bytes of its elements.
    fn nbytes(&self) -> u64 {
        Dtype::from_code(self.head.dtype).map_or(0, |t| self.from.len * t.width())
    }

    fn damaged(&self, what: &str, off: u64) -> Error {
        Error::corrupt(format!("record {}: {what}", self.head.id), off).with("id", self.head.id)
    }

    /// The bytes of a character vector's long strings.
    fn is_heap(&self) -> bool {
        self.head.owner().is_some() && self.head.dtype == Dtype::Raw.code()
    }

    /// Attributes are copied as they are, once they have passed their checks; but a name that another object has now is left behind. The
    /// checksums of a seal are returned, one for each [`PIECE`] of the payload, and the number of string heaps.
    fn check_aux(&mut self, seed: NameSeed, bytes: &mut Vec<u8>) -> Result<(Vec<u8>, usize)> {
        let Head { id, generation, .. } = self.head;
        let mut aux = Aux::decode(bytes, bytes.len() as u64, id, generation)
            .map_err(|what| self.damaged(what, self.from.aux.off))?;
        let array = aux.seal.map_or(0..0, |s| s.off as usize..s.off as usize + 4 * s.count as usize);
        let checksums = bytes[array].to_vec();
        if let Some(seal) = aux.seal
            && (Seal::of(&checksums).crc != seal.crc
                || Seal::count_for(self.nbytes()) != u64::from(seal.count))
        {
            return Err(self.damaged("the seal's checksums are damaged", self.from.aux.off + seal.off));
        }
        if self.is_loser {
            aux.naming = None;
            aux.encode(id, generation, &checksums, bytes);
            self.to.aux = match bytes.len() {
                0 => Extent::EMPTY,
                n => Extent { nbytes: n as u64, ..self.to.aux },
            };
        }
        let buffers = aux.heap.len();
        self.word.tag = aux.naming.map_or(0, |n| word::name_tag(word::name_hash(seed, &n.name)));
        Ok((checksums, buffers))
    }
}

/// Whether one of these views speaks of a buffer from this number on; NA's is the first.
fn has_views_beyond(views: &[u8], buffers: usize) -> bool {
    let is_beyond = |v: &view::View| match view::decode(v) {
        Ok(Text::Long(long)) => long.buffer as usize >= buffers,
        Ok(Text::Na) => buffers == 0,
        _ => false,
    };
    views.as_chunks::<16>().0.iter().any(is_beyond)
}

fn read(file: &File, e: Extent, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    out.resize(e.nbytes as usize, 0);
    read_at(file, e.off, out)
}

fn read_at(file: &File, off: u64, out: &mut [u8]) -> Result<()> {
    file.read_exact_at(out, off)
        .map_err(|e| Error::io("cannot read the store to be copied", &e).with("offset", off))
}

/// Gathers neighbouring bytes into large writes.
struct Writer<'a> {
    making: &'a Making<'a>,
    buffer: Vec<u8>,
    /// Where the buffer's bytes go.
    at: u64,
}

impl Writer<'_> {
    /// Room for `nbytes` (up to [`PIECE`]) at file offset `off`.
    fn room(&mut self, off: u64, nbytes: usize) -> Result<&mut [u8]> {
        if off != self.at + self.buffer.len() as u64 || self.buffer.len() + nbytes > PIECE {
            self.flush()?;
            self.at = off;
        }
        let start = self.buffer.len();
        self.buffer.resize(start + nbytes, 0);
        Ok(&mut self.buffer[start..])
    }

    fn put(&mut self, off: u64, bytes: &[u8]) -> Result<()> {
        for (i, piece) in (0..).zip(bytes.chunks(PIECE)) {
            self.room(off + i * PIECE as u64, piece.len())?.copy_from_slice(piece);
        }
        Ok(())
    }

    fn copy(&mut self, from: &File, from_off: u64, to_off: u64, nbytes: usize) -> Result<()> {
        read_at(from, from_off, self.room(to_off, nbytes)?)
    }

    fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.making
                .write(self.at, &self.buffer)
                .map_err(|e| Error::io("cannot write the copy", &e).with("offset", self.at))?;
            self.buffer.clear();
        }
        Ok(())
    }
}
