//! What is done to a store: fields set to values worth trying and sealed again, elements copied over others, extents laid over each other,
//! names given twice, catalogs forged, two stores spliced, lengths, holes, noise. Several at once.

mod bytes;
mod structure;
mod values;

use crate::elements::{Element, KINDS, Kind, Role, find_all};
use crate::image::Image;
use crate::kinds::attributes::retag;
use crate::kinds::record::{BODIES, StateWord};
use crate::kinds::superblock::COPIES;
use crate::layout::Layout;
use crate::seeds::Seed;
use crate::source::Source;
use rfmalloc_core::Mode;
use std::fmt::Write as _;

/// A hostile file.
pub struct Hostile {
    /// The file.
    pub image: Image,
    /// The mode of the store it was made from.
    pub mode: Mode,
    /// What was done, for people.
    pub story: String,
    /// Slots that were touched.
    pub touched: Vec<u32>,
}

struct Mutator<'a, 'b> {
    s: &'a mut Source<'b>,
    seed: &'a Seed,
    seeds: &'a [Seed],
    out: Hostile,
}

/// A seed with some mutations.
pub fn mutate(s: &mut Source<'_>, seeds: &[Seed]) -> Hostile {
    // The big ones cost more to write and to look through, and say little more.
    let mut pick = s.below(seeds.len() as u64) as usize;
    if seeds[pick].image.bytes.len() > 200_000 && !s.one_in(4) {
        pick = 1 + s.below(4) as usize % seeds.len();
    }
    let seed = &seeds[pick];
    let out =
        Hostile { image: seed.image.clone(), mode: seed.mode, story: seed.name.into(), touched: Vec::new() };
    let mut m = Mutator { s, seed, seeds, out };
    let how_many = [1, 1, 1, 2, 2, 3, 4, 6][m.s.below(8) as usize];
    for _ in 0..how_many {
        m.step();
    }
    if m.s.one_in(6) {
        m.out.image.sparse = true;
        m.tell(format_args!("sparse"));
    }
    m.out
}

impl Mutator<'_, '_> {
    fn step(&mut self) {
        match self.s.below(25) {
            0..=9 => self.set_field(),
            10 | 11 => self.lay_over(),
            12 | 13 => self.set_state(),
            14 => self.copy_element(),
            15 => self.name_twice(),
            16 => self.forge_attributes(),
            17 => self.forge_segment(),
            18 => self.splice(),
            19 => self.set_length(),
            20 => self.zero_something(),
            21 => self.noise(),
            22 => self.copy_slot(),
            23 => self.claim_a_hole(),
            _ => self.move_page(),
        }
    }

    fn tell(&mut self, what: std::fmt::Arguments<'_>) {
        let _ = write!(self.out.story, "; {what}");
    }

    fn element_of(&mut self, kind: usize) -> Option<Element> {
        let list = &self.seed.elements[kind];
        (!list.is_empty()).then(|| list[self.s.below(list.len() as u64) as usize])
    }

    fn element(&mut self) -> Option<Element> {
        let kind = self.s.below(KINDS.len() as u64) as usize;
        self.element_of(kind)
    }

    fn kind_named(name: &str) -> usize {
        KINDS.iter().position(|k| k.name() == name).unwrap_or(0)
    }

    fn body(&mut self) -> Option<Element> {
        self.element_of(Self::kind_named("record body"))
    }

    fn touch(&mut self, e: &Element) {
        if !matches!(e.kind().name(), "superblock" | "segment header" | "segment link") {
            self.out.touched.push(e.idx);
        }
    }

    /// Makes pair and tag of the record's word fit its active body, as a careful forger would.
    fn settle_record(&mut self, idx: u32) {
        let Some((word, slot)) = self.seed.layout.place(idx) else { return };
        let image = &mut self.out.image;
        let low = image.u64(word);
        let seq = image.get::<1>(slot + BODIES[(low >> 3 & 1) as usize] + 40)[0];
        let low = low & ((1 << 48) - 1) | u64::from(seq) << 48;
        image.put(word, &low.to_le_bytes());
        StateWord.seal(image, &Element { kind: 0, off: word, idx, which: 0, end: word });
        retag(image, &self.seed.layout, idx);
    }

    fn set_field(&mut self) {
        let Some(e) = self.element() else { return };
        let fields = e.kind().fields();
        let f = fields[self.s.below(fields.len() as u64) as usize];
        let value = self.value(&f, &e) & f.most();
        let sealed = f.role != Role::Check && !self.s.one_in(10);
        let settled = sealed && !self.s.one_in(4);
        // One changed copy may just lose to the other, so mostly both are changed.
        let both = e.kind().name() == "superblock" && !self.s.one_in(3);
        let places = if both { COPIES.map(|off| Element { off, ..e }).to_vec() } else { vec![e] };
        for e in &places {
            f.put(&mut self.out.image, e.off, value);
            if sealed {
                e.kind().seal(&mut self.out.image, e);
            }
        }
        self.touch(&e);
        if settled {
            self.settle_after(&e);
        }
        let (kind, idx, name) = (e.kind().name(), e.idx, f.name);
        let how = if sealed { "" } else { " unsealed" };
        self.tell(format_args!("{kind} {idx}.{} {name} = {value:#x}{how}", e.which));
    }

    fn settle_after(&mut self, e: &Element) {
        match e.kind().name() {
            "record head" => {
                // The bodies' checksums bind id and generation, and so does the word.
                let slot = e.off;
                for (which, at) in (0u32..).zip(BODIES) {
                    let b = Element { kind: Self::kind_named("record body"), off: slot + at, which, ..*e };
                    if self.out.image.get::<48>(slot + at) != [0; 48] {
                        b.kind().seal(&mut self.out.image, &b);
                    }
                }
                if let Some((word, _)) = self.seed.layout.place(e.idx) {
                    let image = &mut self.out.image;
                    let generation = u64::from(image.u32(slot + 4) & 0xFF_FFFF);
                    let low = image.u64(word) & !(0xFF_FFFF << 8) | generation << 8;
                    image.put(word, &low.to_le_bytes());
                }
                self.settle_record(e.idx);
            }
            "record body" | "name" => self.settle_record(e.idx),
            _ => {}
        }
    }
}

/// Every checksum of the image made right: for raw bytes of a fuzzer.
pub fn seal_all(image: &mut Image) {
    for list in find_all(image) {
        for e in list {
            e.kind().seal(image, &e);
        }
    }
    let layout = Layout::of(image);
    for idx in 0..layout.used {
        retag(image, &layout, idx);
    }
}
