//! What a store file is made of, for a mutator: kinds of elements, their fields, and how each is sealed again.
//!
//! A new kind of element (string views, list cells) is one more [`Kind`] in [`KINDS`]: it finds its elements in an image, names their
//! fields, and makes their checksum right. Nothing else knows how many kinds there are. The offsets are those of `docs/FORMAT.md`, not
//! taken from the crate under test.

use crate::image::Image;
use crate::kinds;
use crate::layout::Layout;

/// What a field says, which decides the values worth trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A sequence number.
    Sequence,
    /// A place in the file, in units of so many bytes.
    Place(u64),
    /// A length or count; in units of so many bytes, 0: no bytes.
    Amount(u64),
    /// A slot index.
    Id,
    /// A generation or part of one.
    Generation,
    /// A small code: state, type, kind, tag, mode, version.
    Code,
    /// Single bits.
    Bits,
    /// No meaning but itself: identifiers, hashes, text.
    Opaque,
    /// A checksum.
    Check,
}

/// Bits `[lo, lo + width)` of the little-endian word of 8 bytes (fewer at an element's end) at `at`.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As `docs/FORMAT.md` calls it.
    pub name: &'static str,
    /// Bytes from the element's start.
    pub at: u64,
    /// First bit.
    pub lo: u32,
    /// Bits.
    pub width: u32,
    /// What it says.
    pub role: Role,
}

/// A whole field of `bytes` bytes.
pub const fn field(name: &'static str, at: u64, bytes: u32, role: Role) -> Field {
    Field { name, at, lo: 0, width: bytes * 8, role }
}

/// Some bits of a field.
pub const fn bits(name: &'static str, at: u64, lo: u32, width: u32, role: Role) -> Field {
    Field { name, at, lo, width, role }
}

impl Field {
    fn mask(&self) -> u64 {
        if self.width == 64 { u64::MAX } else { (1 << self.width) - 1 }
    }
    /// The most the field can say.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.mask()
    }
    /// Its value in an element at `off`.
    #[must_use]
    pub fn get(&self, image: &Image, off: u64) -> u64 {
        image.u64(off + self.at) >> self.lo & self.mask()
    }
    /// Stores its value and nothing else.
    pub fn put(&self, image: &mut Image, off: u64, value: u64) {
        let at = off + self.at;
        let mask = self.mask() << self.lo;
        let word = image.u64(at) & !mask | value << self.lo & mask;
        let n = ((self.lo + self.width) as usize).div_ceil(8);
        image.put(at, &word.to_le_bytes()[..n]);
    }
}

/// One element of a file.
#[derive(Clone, Copy)]
pub struct Element {
    /// Its kind's place in [`KINDS`].
    pub kind: usize,
    /// Where it starts, in bytes.
    pub off: u64,
    /// Copy, segment number or slot index.
    pub idx: u32,
    /// Body A or B.
    pub which: u32,
    /// For what lies in an extent: the extent's end, in bytes.
    pub end: u64,
}

impl Element {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &'static dyn Kind {
        KINDS[self.kind]
    }
}

/// A kind of element.
pub trait Kind: Sync {
    /// As `docs/FORMAT.md` calls it.
    fn name(&self) -> &'static str;
    /// Every element of this kind; `kind` is the kind's own place.
    fn find(&self, image: &Image, layout: &Layout, kind: usize, out: &mut Vec<Element>);
    /// Its fields.
    fn fields(&self) -> &'static [Field];
    /// Makes the checksum right for what the element says now.
    fn seal(&self, image: &mut Image, e: &Element);
    /// Whole bytes of an element, for splices.
    fn nbytes(&self) -> u64;
}

/// Every kind there is.
pub const KINDS: &[&dyn Kind] = &[
    &kinds::superblock::Superblock,
    &kinds::segment::Header,
    &kinds::segment::Link,
    &kinds::record::StateWord,
    &kinds::record::Head,
    &kinds::record::Death,
    &kinds::record::Body,
    &kinds::attributes::AuxHeader,
    &kinds::attributes::Name,
    &kinds::attributes::Seal,
];

/// All elements of an image, by kind.
#[must_use]
pub fn find_all(image: &Image) -> Vec<Vec<Element>> {
    let layout = Layout::of(image);
    let find = |(kind, k): (usize, &&dyn Kind)| {
        let mut out = Vec::new();
        k.find(image, &layout, kind, &mut out);
        out
    };
    KINDS.iter().enumerate().map(find).collect()
}

/// CRC-32C over several pieces.
#[must_use]
pub fn crc(parts: &[&[u8]]) -> u32 {
    parts.iter().fold(0, |c, p| crc32c::crc32c_append(c, p))
}
