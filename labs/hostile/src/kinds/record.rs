//! State words and slots: head, death, bodies.

use crate::elements::{Element, Field, Kind, Role, bits, crc, field};
use crate::image::Image;
use crate::layout::Layout;

/// Where the bodies stand in a slot.
pub const BODIES: [u64; 2] = [32, 80];

fn in_slots(layout: &Layout, at: u64, nbytes: u64, kind: usize, out: &mut Vec<Element>) {
    out.extend(layout.slots().map(|(idx, _, slot)| Element {
        kind,
        off: slot + at,
        idx,
        which: 0,
        end: slot + at + nbytes,
    }));
}

/// The word that decides.
pub struct StateWord;

const WORD: &[Field] = &[
    bits("state", 0, 0, 3, Role::Code),
    bits("active", 0, 3, 1, Role::Bits),
    bits("D", 0, 4, 2, Role::Bits),
    bits("IS_LIST", 0, 6, 1, Role::Bits),
    bits("HELD", 0, 7, 1, Role::Bits),
    bits("generation", 0, 8, 24, Role::Generation),
    bits("tag", 0, 32, 16, Role::Opaque),
    bits("pair", 0, 48, 8, Role::Sequence),
    bits("check", 0, 56, 8, Role::Check),
];

/// The eight check bits of a state word.
#[must_use]
pub fn word_check(low: u64, idx: u32) -> u8 {
    crc(&[&low.to_le_bytes(), &idx.to_le_bytes()]).to_le_bytes().into_iter().fold(0, |a, b| a ^ b)
}

impl Kind for StateWord {
    fn name(&self) -> &'static str {
        "state word"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        out.extend(layout.slots().map(|(idx, word, _)| Element {
            kind,
            off: word,
            idx,
            which: 0,
            end: word + 8,
        }));
    }
    fn fields(&self) -> &'static [Field] {
        WORD
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        let low = image.u64(e.off) & ((1 << 56) - 1);
        image.put(e.off, &(low | u64::from(word_check(low, e.idx)) << 56).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        8
    }
}

/// The head of a slot.
pub struct Head;

const HEAD: &[Field] = &[
    field("id", 0, 4, Role::Id),
    field("generation", 4, 4, Role::Generation),
    field("type", 8, 1, Role::Code),
    field("kind", 9, 1, Role::Code),
    field("zero", 10, 2, Role::Opaque),
    field("checksum", 12, 4, Role::Check),
    field("owner id", 16, 4, Role::Id),
    field("owner generation", 20, 4, Role::Generation),
];

impl Kind for Head {
    fn name(&self) -> &'static str {
        "record head"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        in_slots(layout, 0, 24, kind, out);
    }
    fn fields(&self) -> &'static [Field] {
        HEAD
    }
    fn seal(&self, image: &mut Image, e: &Element) {
        let b = image.get::<24>(e.off);
        image.put(e.off + 12, &crc(&[&b[..12], &b[16..]]).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        24
    }
}

/// The sequence of a record's death.
pub struct Death;

impl Kind for Death {
    fn name(&self) -> &'static str {
        "death"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        in_slots(layout, 24, 8, kind, out);
    }
    fn fields(&self) -> &'static [Field] {
        const { &[field("dead_seq", 0, 8, Role::Sequence)] }
    }
    fn seal(&self, _: &mut Image, _: &Element) {}
    fn nbytes(&self) -> u64 {
        8
    }
}

/// One version of a record.
pub struct Body;

const BODY: &[Field] = &[
    bits("payload offset", 0, 0, 48, Role::Place(64)),
    bits("flags", 0, 48, 16, Role::Bits),
    field("payload units", 8, 8, Role::Amount(64)),
    field("elements", 16, 8, Role::Amount(0)),
    field("aux offset", 24, 8, Role::Place(64)),
    field("aux units", 32, 4, Role::Amount(64)),
    field("checksum", 36, 4, Role::Check),
    field("sequence", 40, 8, Role::Sequence),
];

impl Kind for Body {
    fn name(&self) -> &'static str {
        "record body"
    }
    fn find(&self, _: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>) {
        for (idx, _, slot) in layout.slots() {
            for (which, at) in (0u32..).zip(BODIES) {
                out.push(Element { kind, off: slot + at, idx, which, end: slot + at + 48 });
            }
        }
    }
    fn fields(&self) -> &'static [Field] {
        BODY
    }
    /// The checksum binds id and generation of the slot.
    fn seal(&self, image: &mut Image, e: &Element) {
        let b = image.get::<48>(e.off);
        let head = image.get::<8>(e.off - BODIES[e.which as usize]);
        image.put(e.off + 36, &crc(&[&b[..36], &b[40..], &head]).to_le_bytes());
    }
    fn nbytes(&self) -> u64 {
        48
    }
}
