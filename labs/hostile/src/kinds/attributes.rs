//! Aux extents: their header, and the fields in them.

use crate::elements::{Element, Field, Kind, Role, crc, field};
use crate::image::Image;
use crate::kinds::record::BODIES;
use crate::layout::Layout;

/// Bytes before the first field.
pub const HEAD: u64 = 24;

/// Every aux extent that a body speaks of and whose magic stands there: (slot, body, start, end).
fn extents(image: &Image, layout: &Layout) -> Vec<(u32, u32, u64, u64)> {
    let mut list = Vec::new();
    for (idx, _, slot) in layout.slots() {
        for (which, at) in (0u32..).zip(BODIES) {
            let off = image.u64(slot + at + 24).saturating_mul(64);
            let end = off.saturating_add(u64::from(image.u32(slot + at + 32)) * 64);
            if end > off && end <= image.len && image.get(off) == *b"FMAX" {
                list.push((idx, which, off, end));
            }
        }
    }
    list
}

/// Seals the extent that starts at `off`.
fn seal_extent(image: &mut Image, off: u64, end: u64) {
    let used = u64::from(image.u32(off + 12)).clamp(HEAD, end.saturating_sub(off).max(HEAD));
    let mut b = vec![0; used as usize];
    image.read(off, &mut b);
    image.put(off + 16, &crc(&[&b[..16], &b[20..]]).to_le_bytes());
}

/// The header of an aux extent.
pub struct AuxHeader;

const HEADER: &[Field] = &[
    field("magic", 0, 4, Role::Opaque),
    field("id", 4, 4, Role::Id),
    field("generation", 8, 4, Role::Generation),
    field("used", 12, 4, Role::Amount(1)),
    field("checksum", 16, 4, Role::Check),
    field("zero", 20, 4, Role::Opaque),
];

impl Kind for AuxHeader {
    fn name(&self) -> &'static str {
        "aux header"
    }
    fn find(&self, image: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        let list = extents(image, layout);
        out.extend(list.into_iter().map(|(idx, which, off, end)| Element { kind, off, idx, which, end }));
    }
    fn fields(&self) -> &'static [Field] {
        HEADER
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        seal_extent(image, e.off, e.end);
    }
    fn nbytes(&self) -> u64 {
        HEAD
    }
}

/// The first field of an aux extent: today the name.
pub struct Name;

const NAME: &[Field] = &[
    field("tag", 0, 2, Role::Code),
    field("zero", 2, 2, Role::Opaque),
    field("length", 4, 4, Role::Amount(1)),
    field("sequence of the naming", 8, 8, Role::Sequence),
    field("replaced id", 16, 4, Role::Id),
    field("replaced generation", 20, 4, Role::Generation),
    field("text", 24, 1, Role::Opaque),
    field("second letter", 25, 1, Role::Opaque),
];

impl Kind for Name {
    fn name(&self) -> &'static str {
        "name"
    }
    fn find(&self, image: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        let list = extents(image, layout);
        out.extend(list.into_iter().map(|(idx, which, off, end)| Element {
            kind,
            off: off + HEAD,
            idx,
            which,
            end,
        }));
    }
    fn fields(&self) -> &'static [Field] {
        NAME
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        seal_extent(image, e.off - HEAD, e.end);
    }
    fn nbytes(&self) -> u64 {
        40
    }
}

/// The SEAL field of an aux extent.
pub struct Seal;

const SEAL: &[Field] = &[
    field("tag", 0, 2, Role::Code),
    field("length", 4, 4, Role::Amount(1)),
    field("block bytes", 8, 4, Role::Amount(1)),
    field("checksums", 12, 4, Role::Amount(0)),
    field("checksum of the array", 16, 4, Role::Opaque),
    field("place of the array", 24, 8, Role::Place(1)),
];

impl Kind for Seal {
    fn name(&self) -> &'static str {
        "seal"
    }
    fn find(&self, image: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        for (idx, which, off, end) in extents(image, layout) {
            let used = (off + u64::from(image.u32(off + 12))).min(end);
            let mut at = off + HEAD;
            while at + 8 <= used {
                if image.get(at) == [8, 0] {
                    out.push(Element { kind, off: at, idx, which, end });
                }
                at += 8 + u64::from(image.u32(at + 4)).next_multiple_of(8);
            }
        }
    }
    fn fields(&self) -> &'static [Field] {
        SEAL
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        // The extent starts where the body says.
        let layout = Layout::of(image);
        let all = extents(image, &layout);
        if let Some((_, _, off, end)) = all.into_iter().find(|x| x.0 == e.idx && x.1 == e.which) {
            seal_extent(image, off, end);
        }
    }
    fn nbytes(&self) -> u64 {
        32
    }
}

/// The tag of a name in its record's state word.
#[must_use]
pub fn name_tag(seed: &[u8], name: &[u8]) -> u16 {
    let fnv = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    let h = seed.iter().chain(name).fold(0xcbf2_9ce4_8422_2325, fnv);
    let h = h ^ h >> 29;
    ((h ^ h >> 16 ^ h >> 32 ^ h >> 48) as u16).max(1)
}

/// The text of the name in the aux extent at `off`.
#[must_use]
pub fn name_at(image: &Image, off: u64) -> Vec<u8> {
    let n = u64::from(image.u32(off + HEAD + 4)).clamp(16, 16 + 4096) - 16;
    let mut text = vec![0; n as usize];
    image.read(off + HEAD + 24, &mut text);
    text
}

/// Makes the tag of a state word fit the name of the body it says is active.
pub fn retag(image: &mut Image, layout: &Layout, idx: u32) {
    let Some((word, slot)) = layout.place(idx) else { return };
    let low = image.u64(word) & ((1 << 56) - 1);
    if low & 7 < 2 {
        return;
    }
    let body = slot + BODIES[(low >> 3 & 1) as usize];
    let aux = image.u64(body + 24).saturating_mul(64);
    let named = image.u32(body + 32) > 0 && image.get(aux) == *b"FMAX";
    let seed = image.get::<16>(144);
    let tag = if named { name_tag(&seed, &name_at(image, aux)) } else { 0 };
    let low = low & !(0xFFFF << 32) | u64::from(tag) << 32;
    image.put(word, &(low | u64::from(super::record::word_check(low, idx)) << 56).to_le_bytes());
}
