//! Mutations that know nothing: lengths, zeros, noise, pages at the wrong place, stretches of other stores.

use super::Mutator;
use crate::elements::{Element, Kind};
use crate::image::FILE_UNIT;
use crate::kinds::superblock::{COPIES, Superblock};

impl Mutator<'_, '_> {
    /// A stretch of another store.
    pub(super) fn splice(&mut self) {
        let other = &self.seeds[self.s.below(self.seeds.len() as u64) as usize];
        let (off, n) = match self.s.below(7) {
            0 => (0, 512),
            1 => (16 * 1024, 512),
            2 => (64 * 1024, 128 * 1024),
            3 => (68 * 1024, 4096),
            4 => (72 * 1024, 4096),
            5 => (192 * 1024, 64 * 1024),
            _ => (self.s.below(400) * 512, 512 << self.s.below(5)),
        };
        let mut b = vec![0; n];
        other.image.read(off, &mut b);
        self.out.image.put(off, &b);
        self.out.touched.extend(0..4);
        if off == 0 && n == 512 && self.s.one_in(2) {
            self.out.image.put(16 * 1024, &b);
        }
        self.tell(format_args!("bytes {off}+{n} of '{}'", other.name));
    }

    pub(super) fn set_length(&mut self) {
        let len = self.out.image.len;
        let to = match self.s.below(12) {
            0 => 0,
            1 => self.s.below(len),
            2 => 192 * 1024,
            3 => 192 * 1024 - 1,
            4 => len.saturating_sub(FILE_UNIT),
            5 => len + 1,
            6 => len + FILE_UNIT - 1,
            7 => len + FILE_UNIT,
            8 => len + (1 << 20),
            9 => len + (16 << 20),
            10 => 128 * 1024,
            _ => self.s.below(300) * 1024,
        };
        self.out.image.set_len(to);
        if self.s.one_in(3) {
            for copy in COPIES {
                self.out.image.put(copy + 88, &(to / FILE_UNIT * FILE_UNIT).to_le_bytes());
                Superblock
                    .seal(&mut self.out.image, &Element { kind: 0, off: copy, idx: 0, which: 0, end: copy });
            }
        }
        self.tell(format_args!("length {len} -> {to}"));
    }

    pub(super) fn zero_something(&mut self) {
        let (off, n) = match (self.s.below(3), self.element()) {
            (0, Some(e)) => (e.off, e.kind().nbytes()),
            (1, Some(e)) => (e.off / 4096 * 4096, 4096),
            (_, Some(e)) => (e.off / 512 * 512, 512),
            (_, None) => (0, 512),
        };
        self.out.image.put(off, &vec![0; n as usize]);
        self.tell(format_args!("bytes {off}+{n} zeroed"));
    }

    pub(super) fn noise(&mut self) {
        for _ in 0..=self.s.below(4) {
            let at = match self.element() {
                Some(e) if !self.s.one_in(4) => e.off + self.s.below(e.kind().nbytes()),
                _ => self.s.below(self.out.image.bytes.len() as u64),
            };
            let n = self.s.pick(&[1usize, 1, 2, 8, 64, 512]);
            let junk: Vec<u8> = (0..n).map(|_| self.s.below(256) as u8).collect();
            self.out.image.put(at, &junk);
            self.tell(format_args!("{n} random bytes at {at}"));
        }
    }

    /// A page written to the wrong place, or an old one come back.
    pub(super) fn move_page(&mut self) {
        let pages = self.out.image.len / 4096;
        let (from, to) = (self.s.below(pages) * 4096, self.s.below(pages) * 4096);
        let page = self.out.image.get::<4096>(from);
        self.out.image.put(to, &page);
        self.tell(format_args!("page at {from} also at {to}"));
    }
}
