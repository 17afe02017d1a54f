//! The superblock copies.

use crate::elements::{Element, Field, Kind, Role, crc, field};
use crate::image::Image;
use crate::layout::Layout;

/// One of the two copies.
pub struct Superblock;

/// Where the copies lie.
pub const COPIES: [u64; 2] = [0, 16 * 1024];

const FIELDS: &[Field] = &[
    field("magic", 0, 8, Role::Opaque),
    field("version", 16, 4, Role::Code),
    field("size", 20, 4, Role::Amount(1)),
    field("features", 24, 8, Role::Bits),
    field("writer features", 32, 8, Role::Bits),
    field("compatible features", 40, 8, Role::Bits),
    field("uuid", 48, 8, Role::Opaque),
    field("sb_seq", 64, 8, Role::Sequence),
    field("synced_seq", 72, 8, Role::Sequence),
    field("lease", 80, 8, Role::Sequence),
    field("file length", 88, 8, Role::Amount(1)),
    field("slots used", 96, 4, Role::Id),
    field("segments", 100, 4, Role::Code),
    field("mode", 104, 4, Role::Code),
    field("state", 108, 4, Role::Bits),
    field("capacity", 112, 8, Role::Amount(1)),
    field("boot id", 120, 8, Role::Opaque),
    field("pid", 136, 4, Role::Opaque),
    field("zero", 140, 4, Role::Opaque),
    field("tag seed", 144, 8, Role::Opaque),
    field("zeros", 160, 8, Role::Opaque),
    field("checksum", 508, 4, Role::Check),
];

impl Kind for Superblock {
    fn name(&self) -> &'static str {
        "superblock"
    }
    fn find(&self, _: &Image, _: &Layout, kind: usize, out: &mut Vec<Element>) {
        let copies = (0u32..).zip(COPIES);
        out.extend(copies.map(|(idx, off)| Element { kind, off, idx, which: 0, end: off + 512 }));
    }
    fn fields(&self) -> &'static [Field] {
        FIELDS
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        let b = image.get::<508>(e.off);
        image.put(e.off + 508, &crc(&[&b]).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        512
    }
}
