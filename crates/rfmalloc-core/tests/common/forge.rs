//! Bytes of the file as `docs/FORMAT.md` tells them, for tests that damage or forge a store. Independent of the crate's own encoders.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub const SEGMENT: u64 = 64 * 1024;
pub const WORDS: u64 = SEGMENT + 4096;
pub const FIRST_SLOTS: u64 = 512;
pub const SLOTS: u64 = WORDS + 8 * FIRST_SLOTS;
pub const COPIES: [u64; 2] = [0, 16 * 1024];

pub fn word_off(idx: u32) -> u64 {
    WORDS + 8 * u64::from(idx)
}

pub fn slot_off(idx: u32) -> u64 {
    SLOTS + 128 * u64::from(idx)
}

pub fn body_off(idx: u32, which: usize) -> u64 {
    slot_off(idx) + [32, 80][which]
}

pub fn get(path: &Path, off: u64, n: usize) -> Vec<u8> {
    let mut b = vec![0; n];
    File::open(path).unwrap().read_exact_at(&mut b, off).unwrap();
    b
}

pub fn get_u32(path: &Path, off: u64) -> u32 {
    u32::from_le_bytes(get(path, off, 4).try_into().unwrap())
}

pub fn get_u64(path: &Path, off: u64) -> u64 {
    u64::from_le_bytes(get(path, off, 8).try_into().unwrap())
}

/// One body's fields.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    /// In units of 64 bytes.
    pub off: u64,
    pub flags: u16,
    pub units: u64,
    pub len: u64,
    pub aux_off: u64,
    pub aux_units: u32,
    pub seq: u64,
}

pub fn body(path: &Path, idx: u32, which: usize) -> Body {
    let b = get(path, body_off(idx, which), 48);
    let u64_at = |i: usize| u64::from_le_bytes(b[i..i + 8].try_into().unwrap());
    Body {
        off: u64_at(0) & ((1 << 48) - 1),
        flags: (u64_at(0) >> 48) as u16,
        units: u64_at(8),
        len: u64_at(16),
        aux_off: u64_at(24),
        aux_units: u32::from_le_bytes(b[32..36].try_into().unwrap()),
        seq: u64_at(40),
    }
}

/// The active body of a record.
pub fn active(path: &Path, idx: u32) -> usize {
    (word(path, idx) >> 3 & 1) as usize
}

/// Makes the checksum of a body right again.
pub fn fix_body(path: &Path, idx: u32, which: usize) {
    let b = get(path, body_off(idx, which), 48);
    let mut c = b[..36].to_vec();
    c.extend_from_slice(&b[40..48]);
    c.extend_from_slice(&idx.to_le_bytes());
    c.extend_from_slice(&get(path, slot_off(idx) + 4, 4));
    super::patch(path, body_off(idx, which) + 36, &crc32c::crc32c(&c).to_le_bytes());
}

/// Writes a body with a correct checksum.
pub fn put_body(path: &Path, idx: u32, which: usize, body: Body) {
    let mut b = [0u8; 48];
    b[..8].copy_from_slice(&(body.off | u64::from(body.flags) << 48).to_le_bytes());
    b[8..16].copy_from_slice(&body.units.to_le_bytes());
    b[16..24].copy_from_slice(&body.len.to_le_bytes());
    b[24..32].copy_from_slice(&body.aux_off.to_le_bytes());
    b[32..36].copy_from_slice(&body.aux_units.to_le_bytes());
    b[40..48].copy_from_slice(&body.seq.to_le_bytes());
    super::patch(path, body_off(idx, which), &b);
    fix_body(path, idx, which);
}

/// Writes the head's type with a correct checksum.
pub fn put_dtype(path: &Path, idx: u32, dtype: u8) {
    let mut b = get(path, slot_off(idx), 24);
    b[8] = dtype;
    let c = crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..24]);
    b[12..16].copy_from_slice(&c.to_le_bytes());
    super::patch(path, slot_off(idx), &b);
}

/// Writes the head's kind with a correct checksum.
pub fn put_kind(path: &Path, idx: u32, kind: u8) {
    let mut b = get(path, slot_off(idx), 24);
    b[9] = kind;
    let c = crc32c::crc32c_append(crc32c::crc32c(&b[..12]), &b[16..24]);
    b[12..16].copy_from_slice(&c.to_le_bytes());
    super::patch(path, slot_off(idx), &b);
}

/// Writes these fields into the aux extent of a body, with a correct checksum.
pub fn put_fields(path: &Path, body: Body, fields: &[u8]) {
    let off = body.aux_off * 64;
    let mut b = get(path, off, 24);
    b.extend_from_slice(fields);
    b[12..16].copy_from_slice(&(24 + fields.len() as u32).to_le_bytes());
    let c = crc32c::crc32c_append(crc32c::crc32c(&b[..16]), &b[20..]);
    b[16..20].copy_from_slice(&c.to_le_bytes());
    super::patch(path, off, &b);
}

/// The fields of the aux extent of a body.
pub fn fields(path: &Path, body: Body) -> Vec<u8> {
    let used = get_u32(path, body.aux_off * 64 + 12) as usize;
    get(path, body.aux_off * 64 + 24, used - 24)
}

/// Writes a state word with correct check bits over its low 56 bits.
pub fn put_word(path: &Path, idx: u32, low: u64) {
    let mut b = [0u8; 12];
    b[..8].copy_from_slice(&low.to_le_bytes());
    b[8..].copy_from_slice(&idx.to_le_bytes());
    let c = crc32c::crc32c(&b);
    let check = (c ^ c >> 8 ^ c >> 16 ^ c >> 24) as u8;
    super::patch(path, word_off(idx), &(low | u64::from(check) << 56).to_le_bytes());
}

/// The low 56 bits of a state word.
pub fn word(path: &Path, idx: u32) -> u64 {
    get_u64(path, word_off(idx)) & ((1 << 56) - 1)
}

/// Changes a field of both superblock copies and makes their checksums right again.
pub fn put_superblock(path: &Path, off: usize, bytes: &[u8]) {
    for copy in COPIES {
        let mut b = get(path, copy, 512);
        b[off..off + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&b[..508]);
        b[508..].copy_from_slice(&crc.to_le_bytes());
        super::patch(path, copy, &b);
    }
}

/// Writes the link of the first segment with correct check bits.
pub fn put_link(path: &Path, target_off: u64) {
    let low = target_off / (64 * 1024);
    let mut b = [0u8; 12];
    b[..8].copy_from_slice(&low.to_le_bytes());
    let check = crc32c::crc32c(&b) >> 8;
    super::patch(path, SEGMENT + 56, &(low | u64::from(check) << 40).to_le_bytes());
}
