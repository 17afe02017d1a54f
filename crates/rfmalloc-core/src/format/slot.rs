//! A slot: 128 bytes holding an object's head and two complete bodies. Tables: `docs/FORMAT.md`, "Slot" and "Body".

use super::{Extent, UNIT, put_u32, put_u64, u32_at, u64_at};
use crate::mutants::planted;

pub(crate) const NBYTES: usize = 128;
pub(crate) const BODY_OFF: [usize; 2] = [32, 80];
pub(crate) const BODY_NBYTES: usize = 48;
pub(crate) const DEAD_SEQ_OFF: usize = 24;
/// `dead_seq` of an object that was never destroyed.
pub(crate) const NOT_DEAD: u64 = u64::MAX;
/// Body flag: the payload is immutable, and the attributes hold its checksums.
pub(crate) const SEALED: u16 = 1;
/// Body flags: the attributes hold a shape of this class.
pub(crate) const MATRIX: u16 = 2;
pub(crate) const ARRAY: u16 = 4;
/// Body flag: the attributes name parts. No other flags are known.
pub(crate) const PARTS: u16 = 8;
/// Sequences have 56 bits.
pub(crate) const MAX_SEQ: u64 = (1 << 56) - 1;

#[repr(C)]
struct BodyLayout {
    off_flags: u64,
    units: u64,
    len: u64,
    aux_off: u64,
    aux_units: u32,
    crc: u32,
    seq: u64,
}

#[repr(C)]
struct Layout {
    id: u32,
    generation: u32,
    dtype: u8,
    kind: u8,
    zero: u16,
    head_crc: u32,
    owner_id: u32,
    owner_generation: u32,
    dead_seq: u64,
    bodies: [BodyLayout; 2],
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Layout>() == NBYTES && size_of::<BodyLayout>() == BODY_NBYTES);
    assert!(
        offset_of!(Layout, dtype) == 8
            && offset_of!(Layout, head_crc) == 12
            && offset_of!(Layout, owner_id) == 16
    );
    assert!(offset_of!(Layout, dead_seq) == DEAD_SEQ_OFF && offset_of!(Layout, bodies) == BODY_OFF[0]);
    assert!(
        offset_of!(BodyLayout, units) == 8
            && offset_of!(BodyLayout, len) == 16
            && offset_of!(BodyLayout, aux_off) == 24
    );
    assert!(
        offset_of!(BodyLayout, aux_units) == 32
            && offset_of!(BodyLayout, crc) == 36
            && offset_of!(BodyLayout, seq) == 40
    );
};

/// The part of a slot that does not change while its object lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: u32,
    pub(crate) generation: u32,
    pub(crate) dtype: u8,
    /// 0 vector, 3 list, 4 data frame. A vector is a matrix or an array by its attributes.
    pub(crate) kind: u8,
    pub(crate) owner_id: u32,
    pub(crate) owner_generation: u32,
}

/// One version of an object: where its bytes lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) payload: Extent,
    pub(crate) flags: u16,
    /// Elements.
    pub(crate) len: u64,
    pub(crate) aux: Extent,
    pub(crate) seq: u64,
}

/// A slot as read: what passed its checksum, and what did not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) head: Option<Head>,
    pub(crate) dead_seq: u64,
    /// `None`: checksum wrong for this id and generation (torn, foreign or never written).
    pub(crate) bodies: [Option<Body>; 2],
    /// Low byte of the sequence fields as they stand, valid or not (rule 6 avoids it).
    pub(crate) raw_pairs: [u8; 2],
    /// Whether a body field is all zeros (never written).
    pub(crate) blank: [bool; 2],
    /// The generation field as it stands.
    pub(crate) raw_generation: u32,
}

impl Head {
    /// Id and generation of the object, and of the one it belongs to; `None`: it belongs to nobody.
    pub(crate) fn owner(&self) -> Option<((u32, u32), (u32, u32))> {
        let owner = (self.owner_id, self.owner_generation);
        (owner.1 != 0).then_some(((self.id, self.generation), owner))
    }

    pub(crate) fn encode(&self) -> [u8; 24] {
        let mut b = [0u8; 24];
        put_u32(&mut b, 0, self.id);
        put_u32(&mut b, 4, self.generation);
        b[8] = self.dtype;
        b[9] = self.kind;
        put_u32(&mut b, 16, self.owner_id);
        put_u32(&mut b, 20, self.owner_generation);
        let crc = head_crc(&b);
        put_u32(&mut b, 12, crc);
        b
    }
}

/// CRC-32C of bytes 0–11 and 16–23.
fn head_crc(b: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..24])
}

/// CRC-32C of the body's other bytes, then id and generation.
fn body_crc(b: &[u8], id: u32, generation: u32) -> u32 {
    let mut c = [0u8; 52];
    c[..36].copy_from_slice(&b[..36]);
    c[36..44].copy_from_slice(&b[40..48]);
    put_u32(&mut c, 44, id);
    put_u32(&mut c, 48, generation);
    crc32c::crc32c(&c)
}

impl Body {
    pub(crate) fn is_sealed(&self) -> bool {
        self.flags & SEALED != 0
    }

    /// Whether its attributes name parts.
    pub(crate) fn has_parts(&self) -> bool {
        self.flags & PARTS != 0
    }

    /// The class of its shape, 0: none.
    pub(crate) fn shape(&self) -> u8 {
        ((self.flags & (MATRIX | ARRAY)) >> 1) as u8
    }

    pub(crate) fn encode(&self, id: u32, generation: u32) -> [u8; BODY_NBYTES] {
        let mut b = [0u8; BODY_NBYTES];
        put_u64(&mut b, 0, (self.payload.off / UNIT) | (u64::from(self.flags) << 48));
        put_u64(&mut b, 8, self.payload.nbytes / UNIT);
        put_u64(&mut b, 16, self.len);
        put_u64(&mut b, 24, self.aux.off / UNIT);
        put_u32(&mut b, 32, (self.aux.nbytes / UNIT) as u32);
        put_u64(&mut b, 40, self.seq);
        let crc = body_crc(&b, id, generation);
        put_u32(&mut b, 36, crc);
        b
    }

    fn decode(b: &[u8], id: u32, generation: u32) -> Option<Self> {
        if body_crc(b, id, generation) != u32_at(b, 36) && !planted!(BodyCrcIgnored) {
            return None;
        }
        let off_flags = u64_at(b, 0);
        let units = u64_at(b, 8);
        let aux_off = u64_at(b, 24);
        let seq = u64_at(b, 40);
        if units > u64::MAX / UNIT || aux_off > u64::MAX / UNIT || seq == 0 || seq > MAX_SEQ {
            return None;
        }
        // The place of an empty extent means nothing, so nobody shall see one.
        let extent = |off: u64, units: u64| {
            if units == 0 { Extent::EMPTY } else { Extent { off: off * UNIT, nbytes: units * UNIT } }
        };
        Some(Self {
            payload: extent(off_flags & ((1 << 48) - 1), units),
            flags: (off_flags >> 48) as u16,
            len: u64_at(b, 16),
            aux: extent(aux_off, u64::from(u32_at(b, 32))),
            seq,
        })
    }
}

impl Slot {
    pub(crate) fn decode(b: &[u8; NBYTES], idx: u32) -> Self {
        let generation = u32_at(b, 4);
        let head = (head_crc(b) == u32_at(b, 12) && u32_at(b, 0) == idx && generation != 0).then(|| Head {
            id: idx,
            generation,
            dtype: b[8],
            kind: b[9],
            owner_id: u32_at(b, 16),
            owner_generation: u32_at(b, 20),
        });
        let blank = BODY_OFF.map(|o| b[o..o + BODY_NBYTES] == [0; BODY_NBYTES]);
        // Of a blank body the sequence is 0, which no body has: most objects have only one, and a checksum costs more than this.
        let body = |i: usize| {
            head.filter(|_| !blank[i])
                .and_then(|h| Body::decode(&b[BODY_OFF[i]..BODY_OFF[i] + BODY_NBYTES], h.id, h.generation))
        };
        Self {
            head,
            dead_seq: u64_at(b, DEAD_SEQ_OFF),
            bodies: [body(0), body(1)],
            raw_pairs: [b[BODY_OFF[0] + 40], b[BODY_OFF[1] + 40]],
            blank,
            raw_generation: generation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ([u8; NBYTES], Head, Body) {
        let head = Head { id: 12, generation: 99, dtype: 3, kind: 0, owner_id: 0, owner_generation: 0 };
        let body = Body {
            payload: Extent { off: 65536 * 3, nbytes: 128 },
            flags: 0,
            len: 13,
            aux: Extent { off: 65536 * 4, nbytes: 64 },
            seq: 99,
        };
        let mut b = [0u8; NBYTES];
        b[..24].copy_from_slice(&head.encode());
        put_u64(&mut b, DEAD_SEQ_OFF, NOT_DEAD);
        b[BODY_OFF[0]..BODY_OFF[0] + BODY_NBYTES].copy_from_slice(&body.encode(12, 99));
        (b, head, body)
    }

    #[test]
    fn every_flipped_bit_of_head_or_body_is_noticed() {
        let (good, head, body) = sample();
        let s = Slot::decode(&good, 12);
        assert_eq!((s.head, s.bodies), (Some(head), [Some(body), None]));
        for byte in (0..24).chain(32..80) {
            for bit in if cfg!(miri) { byte % 8..byte % 8 + 1 } else { 0..8 } {
                let mut bad = good;
                bad[byte] ^= 1 << bit;
                let s = Slot::decode(&bad, 12);
                // Bytes 10 and 11 are covered by the checksum although they carry nothing.
                assert!(s.head.is_none() || s.bodies[0].is_none(), "byte {byte} bit {bit}");
            }
        }
    }

    #[test]
    fn a_slot_copied_to_another_index_is_foreign() {
        assert!(Slot::decode(&sample().0, 13).head.is_none());
    }
}
