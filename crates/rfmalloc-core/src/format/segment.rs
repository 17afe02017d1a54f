//! A catalog segment: 4 KiB header, a column of 8-byte state words, then the slots. Table: `docs/FORMAT.md`, "Catalog segment".

use super::{FILE_UNIT, put_u32, put_u64, slot, u32_at, u64_at};

pub(crate) const HEADER_NBYTES: u64 = 4096;
/// Bytes of the header that are checked; the rest is zero.
pub(crate) const HEAD: usize = 64;
pub(crate) const MAGIC: [u8; 8] = *b"FMSEG\r\n\x1a";
pub(crate) const LINK_OFF: u64 = 56;
/// 512 slots in the first segment, doubling up to 2^20.
const FIRST_SLOTS: u32 = 512;
const MOST_SLOTS: u32 = 1 << 20;
/// Slot indices are 32 bits wide; this many segments of 2^20 slots fit.
pub(crate) const MAX_SEGMENTS: u32 = 4096;

/// Slots of segment `k`.
pub(crate) fn slots_of(k: u32) -> u32 {
    FIRST_SLOTS.checked_shl(k).filter(|n| k < 12 && *n < MOST_SLOTS).unwrap_or(MOST_SLOTS)
}

/// Bytes of a segment with `slots` slots: a multiple of 64 KiB.
pub(crate) fn nbytes(slots: u32) -> u64 {
    (HEADER_NBYTES + u64::from(slots) * (8 + slot::NBYTES as u64)).next_multiple_of(FILE_UNIT)
}

/// The decoded header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) uuid: [u8; 16],
    pub(crate) k: u32,
    pub(crate) slots: u32,
    /// Where this segment lies: bytes from the start of the file.
    pub(crate) off: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEAD] {
        let mut b = [0u8; HEAD];
        b[..8].copy_from_slice(&MAGIC);
        b[16..32].copy_from_slice(&self.uuid);
        put_u32(&mut b, 32, self.k);
        put_u32(&mut b, 36, self.slots);
        put_u64(&mut b, 40, self.off);
        let crc = crc32c::crc32c(&b[..48]);
        put_u32(&mut b, 48, crc);
        b
    }

    /// What is wrong, in words.
    pub(crate) fn decode(b: &[u8; HEAD]) -> Result<Self, &'static str> {
        if b[..8] != MAGIC {
            return Err("no catalog segment here");
        }
        if crc32c::crc32c(&b[..48]) != u32_at(b, 48) || u32_at(b, 52) != 0 {
            return Err("catalog segment header: wrong checksum");
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&b[16..32]);
        Ok(Self { uuid, k: u32_at(b, 32), slots: u32_at(b, 36), off: u64_at(b, 40) })
    }
}

/// The link to the next segment: its offset in 64 KiB units in the low 40 bits, 24 check bits above; 0: none yet. One word, so that a
/// kill cannot leave half of it.
pub(crate) fn encode_link(off: u64, k: u32) -> u64 {
    let low = off / FILE_UNIT;
    low | u64::from(link_check(low, k)) << 40
}

/// `Ok(None)`: no next segment; `Err`: damage.
pub(crate) fn decode_link(raw: u64, k: u32) -> Result<Option<u64>, &'static str> {
    if raw == 0 {
        return Ok(None);
    }
    let low = raw & ((1 << 40) - 1);
    if u64::from(link_check(low, k)) != raw >> 40 {
        return Err("link to the next catalog segment: wrong check bits");
    }
    Ok(Some(low * FILE_UNIT))
}

fn link_check(low: u64, k: u32) -> u32 {
    let mut b = [0u8; 12];
    b[..8].copy_from_slice(&low.to_le_bytes());
    b[8..].copy_from_slice(&k.to_le_bytes());
    crc32c::crc32c(&b) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_double_and_stop() {
        assert_eq!(slots_of(0), 512);
        assert_eq!(slots_of(10), 512 << 10);
        assert_eq!(slots_of(11), 1 << 20);
        assert_eq!(slots_of(60), 1 << 20);
        assert_eq!(nbytes(512), 128 * 1024);
    }

    #[test]
    fn every_flipped_bit_of_header_or_link_is_noticed() {
        let h = Header { uuid: [3; 16], k: 2, slots: 2048, off: 1 << 20 };
        let good = h.encode();
        assert_eq!(Header::decode(&good), Ok(h));
        for bit in (0..64).chain(128..53 * 8) {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bad).is_err(), "bit {bit}");
        }
        let link = encode_link(7 << 16, 1);
        assert_eq!(decode_link(link, 1), Ok(Some(7 << 16)));
        for bit in 0..64 {
            assert_ne!(decode_link(link ^ 1 << bit, 1), Ok(Some(7 << 16)), "bit {bit}");
        }
    }
}
