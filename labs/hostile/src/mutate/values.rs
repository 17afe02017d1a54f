//! Values worth trying, by what a field says: its limits, its neighbours, and what other fields say.

use super::Mutator;
use crate::elements::{Element, Field, Role};
use crate::image::FILE_UNIT;
use crate::kinds::record::BODIES;

impl Mutator<'_, '_> {
    pub(super) fn value(&mut self, f: &Field, e: &Element) -> u64 {
        let image = &self.out.image;
        let old = f.get(image, e.off);
        let most = f.most();
        let common =
            [0, 1, 2, most, most - 1, most >> 1, (most >> 1) + 1, old.wrapping_add(1), old.wrapping_sub(1)];
        if self.s.one_in(3) {
            return self.s.pick(&common);
        }
        let other = self.body();
        let image = &self.out.image;
        let (o_off, o_units, o_seq) = other.map_or((0, 0, 0), |b| {
            (image.u64(b.off) & ((1 << 48) - 1), image.u64(b.off + 8), image.u64(b.off + 40))
        });
        let len = image.len;
        match f.role {
            Role::Place(unit) => self.place(unit, old, (o_off, o_units)) / unit,
            Role::Amount(unit) if unit > 0 => self.amount(unit, old) / unit,
            Role::Sequence => {
                let (synced, lease) = (image.u64(72), image.u64(80));
                self.s.pick(&[
                    synced,
                    synced.wrapping_add(1),
                    lease,
                    lease.wrapping_sub(1),
                    lease.wrapping_add(1),
                    lease.wrapping_add(5000),
                    o_seq,
                    (1 << 56) - 1,
                    1 << 56,
                    (1 << 56) - 2,
                    (1 << 56) - 5000,
                    (1 << 32) - 1,
                    1 << 32,
                    old.wrapping_add(256),
                    u64::MAX,
                    u64::MAX - 1,
                    u64::MAX >> 1,
                ])
            }
            Role::Amount(_) => self.s.pick(&[
                old.wrapping_mul(2),
                old.wrapping_add(16),
                old.wrapping_mul(64),
                1 << 52,
                (1 << 52) + 1,
                1 << 60,
                1 << 61,
                1 << 62,
                u64::MAX / 16 + 1,
                u64::MAX / 8,
                u64::MAX / 8 + 1,
                len,
            ]),
            Role::Id => {
                let used = self.seed.layout.used;
                u64::from(self.s.pick(&[
                    used,
                    used + 1,
                    used.saturating_sub(1),
                    511,
                    512,
                    513,
                    1535,
                    1536,
                    1 << 20,
                    1 << 31,
                    e.idx ^ 1,
                    e.idx + 1,
                ]))
            }
            Role::Generation => {
                let other = other.map_or(0, |b| u64::from(image.u32(b.off - BODIES[b.which as usize] + 4)));
                self.s.pick(&[other, old ^ 1, old ^ 0x0100_0000, 0xFF_FFFF, 0x0100_0000])
            }
            Role::Code => self.s.below(20),
            Role::Bits => old ^ 1 << self.s.below(u64::from(f.width)),
            Role::Opaque | Role::Check => self.s.word(),
        }
    }

    /// A byte offset worth trying; `other`: offset and units of some body's payload.
    fn place(&mut self, unit: u64, old: u64, other: (u64, u64)) -> u64 {
        let len = self.out.image.len;
        let (o_off, o_units) = other;
        self.s.pick(&[
            0,
            64,
            16 * 1024,
            64 * 1024,
            64 * 1024 - 64,
            68 * 1024,
            192 * 1024,
            192 * 1024 - 64,
            len,
            len.saturating_sub(64),
            len.saturating_sub(FILE_UNIT),
            len + FILE_UNIT,
            o_off.wrapping_mul(64),
            o_off.wrapping_add(o_units).wrapping_mul(64),
            (o_off + 1) * 64,
            o_off.saturating_sub(1) * 64,
            u64::MAX,
            u64::MAX - 63,
            1 << 63,
            1 << 47,
            1 << 40,
            1 << 32,
            old.wrapping_mul(unit).wrapping_add(unit),
            old.wrapping_mul(unit) ^ 64,
        ])
    }

    /// A number of bytes worth trying.
    fn amount(&mut self, unit: u64, old: u64) -> u64 {
        let len = self.out.image.len;
        self.s.pick(&[
            0,
            unit,
            64,
            4096,
            FILE_UNIT,
            len,
            len + unit,
            len.saturating_sub(unit),
            len + FILE_UNIT,
            len.saturating_sub(FILE_UNIT),
            len / 2 / FILE_UNIT * FILE_UNIT,
            1 << 20,
            1 << 30,
            (1 << 30) + 64,
            1 << 32,
            1 << 40,
            1 << 46,
            1 << 47,
            1 << 63,
            u64::MAX,
            u64::MAX - 65535,
            old.wrapping_mul(unit).wrapping_add(unit),
            old.wrapping_mul(unit).wrapping_sub(unit),
            old.wrapping_mul(unit).wrapping_mul(2),
            16,
            17,
            23,
            24,
            25,
            32,
        ])
    }
}
