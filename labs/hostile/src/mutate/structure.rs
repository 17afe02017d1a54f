//! Mutations that know what a store means: extents over each other, states, names, attributes, catalogs, records.

use super::Mutator;
use crate::elements::{Element, Kind};
use crate::image::FILE_UNIT;
use crate::kinds::record::BODIES;
use crate::kinds::segment::{Header, Link};
use crate::kinds::superblock::{COPIES, Superblock};
use crate::layout::{segment_nbytes, slots_of};

impl Mutator<'_, '_> {
    /// A body's payload or attributes over something else: another record's, the catalog, the header, the file's end.
    pub(super) fn lay_over(&mut self) {
        let (Some(b), Some(other)) = (self.body(), self.body()) else { return };
        let image = &mut self.out.image;
        let (at, n_at) = if self.s.one_in(2) { (24, 32) } else { (0, 8) };
        let (o_at, o_n) = if self.s.one_in(2) { (24, 32) } else { (0, 8) };
        let place = image.u64(other.off + o_at) & ((1 << 48) - 1);
        let amount = if o_n == 8 { image.u64(other.off + 8) } else { u64::from(image.u32(other.off + 32)) };
        let end = image.len / 64;
        let (off, units) = match self.s.below(8) {
            0 => (place, amount),
            1 => (place + 1, amount),
            2 => (place.saturating_sub(1), 2),
            3 => (place, amount.wrapping_add(1)),
            4 => (1024 - 1, 2),
            5 => (3072 - 1, 2),
            6 => (end.saturating_sub(1), 2),
            _ => (1024, end.saturating_sub(1024)),
        };
        image.put(b.off + at, &off.to_le_bytes()[..6]);
        if n_at == 8 {
            image.put(b.off + 8, &units.to_le_bytes());
        } else {
            image.put(b.off + 32, &(units as u32).to_le_bytes());
        }
        b.kind().seal(image, &b);
        self.settle_record(b.idx);
        self.touch(&b);
        let part = if at == 0 { "payload" } else { "aux" };
        self.tell(format_args!("record {} body {} {part} over units {off}+{units}", b.idx, b.which));
    }

    /// A long hole at the file's end, and bodies that claim all of it for their elements or attributes: whoever takes a claim for an amount to
    /// read takes memory without bound.
    pub(super) fn claim_a_hole(&mut self) {
        let len = self.out.image.len + (self.s.pick(&[16u64, 40, 64]) << 20);
        self.out.image.set_len(len);
        for _ in 0..=self.s.below(3) {
            let Some(b) = self.body() else { return };
            let is_aux = !self.s.one_in(3);
            let image = &mut self.out.image;
            let off = image.u64(b.off + if is_aux { 24 } else { 0 }) & ((1 << 48) - 1);
            let units = (len / 64).saturating_sub(off);
            if is_aux {
                image.put(b.off + 32, &(units as u32).to_le_bytes());
            } else {
                image.put(b.off + 8, &units.to_le_bytes());
            }
            b.kind().seal(image, &b);
            self.settle_record(b.idx);
            self.touch(&b);
            let part = if is_aux { "aux" } else { "payload" };
            self.tell(format_args!(
                "record {} body {} {part} to the end of a hole, {units} units",
                b.idx, b.which
            ));
        }
    }

    /// A state word of another content: state, active body, D bits; often with a death to go with it.
    pub(super) fn set_state(&mut self) {
        let Some(e) = self.element_of(Self::kind_named("state word")) else { return };
        let Some((_, slot)) = self.seed.layout.place(e.idx) else { return };
        let old = self.out.image.u64(e.off);
        let state = self.s.below(8);
        let flips = self.s.below(16) << 3;
        let low = (old & !7 | state) ^ flips;
        self.out.image.put(e.off, &low.to_le_bytes());
        e.kind().seal(&mut self.out.image, &e);
        if self.s.one_in(2) {
            self.settle_record(e.idx);
        }
        if self.s.one_in(2) {
            let synced = self.out.image.u64(72);
            let dead = self.s.pick(&[
                0,
                1,
                synced,
                synced.wrapping_add(1),
                u64::MAX,
                u64::MAX - 1,
                (1 << 56) - 1,
                1 << 56,
            ]);
            self.out.image.put(slot + 24, &dead.to_le_bytes());
        }
        self.touch(&e);
        self.tell(format_args!("state word {} says state {state}, flips {flips:#x}", e.idx));
    }

    pub(super) fn copy_element(&mut self) {
        let Some(to) = self.element() else { return };
        let Some(from) = self.element_of(to.kind) else { return };
        let mut b = vec![0; to.kind().nbytes() as usize];
        self.out.image.read(from.off, &mut b);
        self.out.image.put(to.off, &b);
        let sealed = !self.s.one_in(4);
        if sealed {
            to.kind().seal(&mut self.out.image, &to);
            self.settle_after(&to);
        }
        self.touch(&to);
        let (kind, a, b) = (to.kind().name(), from.idx, to.idx);
        self.tell(format_args!("{kind} {b} is a copy of {a}, sealed {sealed}"));
    }

    /// Two records of one name; where the lengths differ, the shorter.
    pub(super) fn name_twice(&mut self) {
        let kind = Self::kind_named("name");
        let (Some(a), Some(b)) = (self.element_of(kind), self.element_of(kind)) else { return };
        let n = self.out.image.u32(a.off + 4).min(self.out.image.u32(b.off + 4)).clamp(17, 200);
        let mut text = vec![0; n as usize - 16];
        self.out.image.read(a.off + 24, &mut text);
        for e in [a, b] {
            self.out.image.put(e.off + 4, &n.to_le_bytes());
            self.out.image.put(e.off + 24, &text);
            if self.s.one_in(3) {
                let seq = self.s.pick(&[0, 1, self.out.image.u64(80), u64::MAX]);
                self.out.image.put(e.off + 8, &seq.to_le_bytes());
            }
            self.reuse(&e, n);
        }
        if self.s.one_in(2)
            && let Some((_, slot)) = self.seed.layout.place(a.idx)
        {
            let key = self.out.image.get::<8>(slot);
            self.out.image.put(b.off + 16, &key);
            b.kind().seal(&mut self.out.image, &b);
        }
        self.tell(format_args!("records {} and {} have one name", a.idx, b.idx));
    }

    /// After the only field of an aux extent has got `n` bytes: the used length, the seal, the tag.
    pub(super) fn reuse(&mut self, e: &Element, n: u32) {
        let used = 24 + 8 + n.next_multiple_of(8);
        self.out.image.put(e.off - 24 + 12, &used.to_le_bytes());
        e.kind().seal(&mut self.out.image, e);
        self.settle_record(e.idx);
        self.touch(e);
    }

    /// An aux extent with fields of any tags, lengths and texts.
    pub(super) fn forge_attributes(&mut self) {
        let Some(e) = self.element_of(Self::kind_named("aux header")) else { return };
        let mut fields: Vec<u8> = Vec::new();
        for _ in 0..self.s.below(4) {
            let tag = self.s.pick(&[1, 1, 1, 0, 2, 3, 7, 8, 9, 0xFFFF]) as u16;
            let text: &[u8] = match self.s.below(7) {
                0 => b"",
                1 => b"x",
                2 => b"counts",
                3 => &[0xFF, 0xFE],
                4 => &[0xC3],
                5 => &[0xED, 0xA0, 0x80],
                _ => b"a\0b",
            };
            let n = 16 + text.len() as u32;
            let says =
                self.s.pick(&[n, n, n, n, 0, 15, 16, n + 1, n + 100, 4112, 4113, u32::MAX, u32::MAX - 7]);
            fields.extend_from_slice(&tag.to_le_bytes());
            fields.extend_from_slice(&[0; 2]);
            fields.extend_from_slice(&says.to_le_bytes());
            fields.extend_from_slice(&self.out.image.u64(80).wrapping_sub(1).to_le_bytes());
            fields.extend_from_slice(&[0; 8]);
            fields.extend_from_slice(text);
            fields.resize(fields.len().next_multiple_of(8), 0);
        }
        fields.truncate((e.end - e.off) as usize - 24);
        let used = (24 + fields.len() as u64).min(e.end - e.off);
        let says = self.s.pick(&[
            used,
            used,
            used,
            used,
            used + 1,
            used - 1,
            used - 7,
            24,
            23,
            0,
            e.end - e.off,
            u64::from(u32::MAX),
        ]);
        self.out.image.put(e.off + 24, &fields);
        self.out.image.put(e.off + 12, &(says as u32).to_le_bytes());
        e.kind().seal(&mut self.out.image, &e);
        self.settle_record(e.idx);
        self.touch(&e);
        self.tell(format_args!("attributes of record {} forged: {} bytes, says {says}", e.idx, used));
    }

    /// A chain with one more segment, in a place that may be good, taken, outside, or the chain's own.
    pub(super) fn forge_segment(&mut self) {
        let segments = &self.seed.layout.segments;
        let Some(last) = segments.last().copied() else { return };
        let k = segments.len() as u32;
        let slots = slots_of(k);
        let need = segment_nbytes(slots);
        let len = self.out.image.len;
        let off = match self.s.below(6) {
            0 => last.off,
            1 => 64 * 1024,
            2 => len,
            3 => len.saturating_sub(FILE_UNIT),
            4 => 192 * 1024,
            _ => {
                self.out.image.set_len(len + need);
                len
            }
        };
        let e = |off, idx| Element { kind: 0, off, idx, which: 0, end: off };
        if off != last.off && off != 64 * 1024 {
            let mut b = [0u8; 48];
            b[..8].copy_from_slice(b"FMSEG\r\n\x1a");
            b[16..32].copy_from_slice(&self.out.image.get::<16>(48));
            b[32..36].copy_from_slice(&k.to_le_bytes());
            let says = self.s.pick(&[slots, slots, slots, slots * 2, 0, u32::MAX]);
            b[36..40].copy_from_slice(&says.to_le_bytes());
            b[40..48].copy_from_slice(&off.to_le_bytes());
            self.out.image.put(off, &b);
            Header.seal(&mut self.out.image, &e(off, k));
        }
        self.out.image.put(last.off + 56, &(off / FILE_UNIT).to_le_bytes());
        Link.seal(&mut self.out.image, &e(last.off + 56, k - 1));
        if self.s.one_in(2) {
            for copy in COPIES {
                self.out.image.put(copy + 100, &(k + 1).to_le_bytes());
                Superblock.seal(&mut self.out.image, &e(copy, 0));
            }
        }
        self.tell(format_args!("segment {k} forged at {off}"));
    }

    /// A whole record again in another slot, with its own id: the same extents twice.
    pub(super) fn copy_slot(&mut self) {
        let used = self.seed.layout.used;
        let (a, b) = (self.s.below(u64::from(used)) as u32, self.s.below(u64::from(used) + 2) as u32);
        let (Some((wa, sa)), Some((wb, sb))) = (self.seed.layout.place(a), self.seed.layout.place(b)) else {
            return;
        };
        let slot = self.out.image.get::<128>(sa);
        let word = self.out.image.u64(wa);
        self.out.image.put(sb, &slot);
        self.out.image.put(sb, &b.to_le_bytes());
        self.out.image.put(wb, &word.to_le_bytes());
        let head = Element { kind: Self::kind_named("record head"), off: sb, idx: b, which: 0, end: sb };
        head.kind().seal(&mut self.out.image, &head);
        self.settle_after(&head);
        if self.s.one_in(2) {
            // Its own attributes, so that only the payload is shared: none.
            for (which, at) in (0u32..).zip(BODIES) {
                let body =
                    Element { kind: Self::kind_named("record body"), off: sb + at, idx: b, which, end: sb };
                self.out.image.put(sb + at + 32, &[0; 4]);
                body.kind().seal(&mut self.out.image, &body);
            }
            self.settle_record(b);
        }
        self.out.touched.extend([a, b]);
        self.tell(format_args!("record {b} is a copy of record {a}"));
    }
}
