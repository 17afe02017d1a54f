//! Headers of catalog segments, and the links between them.

use crate::elements::{Element, Field, Kind, Role, bits, crc, field};
use crate::image::Image;
use crate::layout::{Layout, link_check};

/// The checked part of a segment's header.
pub struct Header;

const HEADER: &[Field] = &[
    field("magic", 0, 8, Role::Opaque),
    field("zero", 8, 8, Role::Opaque),
    field("uuid", 16, 8, Role::Opaque),
    field("k", 32, 4, Role::Code),
    field("slots", 36, 4, Role::Amount(0)),
    field("offset", 40, 8, Role::Place(1)),
    field("checksum", 48, 4, Role::Check),
    field("zero", 52, 4, Role::Opaque),
];

fn find(layout: &Layout, at: u64, kind: usize, out: &mut Vec<Element>) {
    let segments = (0u32..).zip(&layout.segments);
    out.extend(segments.map(|(idx, s)| Element { kind, off: s.off + at, idx, which: 0, end: s.off + 64 }));
}

impl Kind for Header {
    fn name(&self) -> &'static str {
        "segment header"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        find(layout, 0, kind, out);
    }
    fn fields(&self) -> &'static [Field] {
        HEADER
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        let b = image.get::<48>(e.off);
        image.put(e.off + 48, &crc(&[&b]).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        56
    }
}

/// The link to the next segment.
pub struct Link;

const LINK: &[Field] =
    &[bits("next", 0, 0, 40, Role::Place(64 * 1024)), bits("check bits", 0, 40, 24, Role::Check)];

impl Kind for Link {
    fn name(&self) -> &'static str {
        "segment link"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        find(layout, 56, kind, out);
    }
    fn fields(&self) -> &'static [Field] {
        LINK
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        let low = image.u64(e.off) & ((1 << 40) - 1);
        image.put(e.off, &(low | link_check(low, e.idx) << 40).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        8
    }
}
