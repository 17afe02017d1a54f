//! The superblock: 512 bytes, two copies, the higher valid `sb_seq` wins. Table: `docs/FORMAT.md`, "Superblock".

use super::{put_u32, put_u64, segment, u32_at, u64_at};
use std::fmt;

pub(crate) const NBYTES: usize = 512;
/// Where the two copies lie: 16 KiB apart, so that no host page holds both.
pub(crate) const COPY_OFF: [u64; 2] = [0, 16 * 1024];
pub(crate) const MAGIC: [u8; 16] = *b"\x89rfmalloc\r\n\x1a\n\0\0\0";
pub(crate) const VERSION: u32 = 1;
/// Superblock writes have 63 bits.
pub(crate) const MAX_SB_SEQ: u64 = u64::MAX / 2;
/// No fixed capacity is larger, in bytes: more than any address space.
pub(crate) const MAX_CAPACITY: u64 = 1 << 56;

/// Bits of `state`.
pub(crate) const CLEAN: u32 = 1;
/// HELD bits may lag behind the cells of lists (rule 16).
pub(crate) const HELD_DISTRUST: u32 = 2;
/// A sync failed: the next open acts as after a machine crash and rereads from disk (decision 26).
pub(crate) const POISONED: u32 = 4;

/// `mode`: 1 persistent, 2 scratch.
pub(crate) const MODE_PERSISTENT: u32 = 1;
pub(crate) const MODE_SCRATCH: u32 = 2;

#[repr(C)]
struct Layout {
    magic: [u8; 16],
    version: u32,
    size: u32,
    incompatible: u64,
    read_only_compatible: u64,
    compatible: u64,
    uuid: [u8; 16],
    sb_seq: u64,
    synced_seq: u64,
    lease: u64,
    file_len: u64,
    slots_used: u32,
    segments: u32,
    mode: u32,
    state: u32,
    capacity: u64,
    boot_id: [u8; 16],
    pid: u32,
    pad: u32,
    tag_seed: [u8; 16],
    zeros: [u8; 348],
    crc: u32,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Layout>() == NBYTES);
    assert!(
        offset_of!(Layout, version) == 16
            && offset_of!(Layout, size) == 20
            && offset_of!(Layout, incompatible) == 24
    );
    assert!(offset_of!(Layout, read_only_compatible) == 32 && offset_of!(Layout, compatible) == 40);
    assert!(
        offset_of!(Layout, uuid) == 48
            && offset_of!(Layout, sb_seq) == 64
            && offset_of!(Layout, synced_seq) == 72
    );
    assert!(
        offset_of!(Layout, lease) == 80
            && offset_of!(Layout, file_len) == 88
            && offset_of!(Layout, slots_used) == 96
    );
    assert!(
        offset_of!(Layout, segments) == 100
            && offset_of!(Layout, mode) == 104
            && offset_of!(Layout, state) == 108
    );
    assert!(
        offset_of!(Layout, capacity) == 112
            && offset_of!(Layout, boot_id) == 120
            && offset_of!(Layout, pid) == 136
    );
    assert!(offset_of!(Layout, tag_seed) == 144 && offset_of!(Layout, crc) == 508);
};

/// The decoded superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) uuid: [u8; 16],
    /// Rises with every write; decides which copy is newer.
    pub(crate) sb_seq: u64,
    /// Everything with a sequence at most this is on stable storage.
    pub(crate) synced_seq: u64,
    /// Sequences below this may have been used by an earlier process.
    pub(crate) lease: u64,
    /// The file's length at the last sync, in bytes.
    pub(crate) file_len: u64,
    /// Slots below this index had been used at the last sync.
    pub(crate) slots_used: u32,
    /// Catalog segments at the last sync.
    pub(crate) segments: u32,
    pub(crate) mode: u32,
    pub(crate) state: u32,
    /// Fixed limit in bytes, 0: none.
    pub(crate) capacity: u64,
    pub(crate) boot_id: [u8; 16],
    /// Hint only: the last writer.
    pub(crate) pid: u32,
    pub(crate) tag_seed: [u8; 16],
}

/// Why a copy was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    NoMagic,
    Checksum,
    /// A whole superblock of another format version.
    Version(u32),
    /// A feature this version does not know and must not ignore.
    Feature(u64),
    /// A field that cannot say this, and where it stands in the copy.
    Field(&'static str, u64),
}

impl Fault {
    /// The byte of the copy that is at fault.
    pub(crate) fn off(&self) -> u64 {
        match self {
            Self::NoMagic => 0,
            Self::Checksum => 508,
            Self::Version(_) => 16,
            Self::Feature(_) => 24,
            Self::Field(_, off) => *off,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMagic => f.write_str("no magic number"),
            Self::Checksum => f.write_str("wrong checksum"),
            Self::Version(v) => write!(f, "format version {v}"),
            Self::Feature(bits) => write!(f, "unknown features {bits:#x}"),
            Self::Field(name, _) => write!(f, "field {name} out of range"),
        }
    }
}

impl Superblock {
    pub(crate) fn encode(&self) -> [u8; NBYTES] {
        let mut b = [0u8; NBYTES];
        b[..16].copy_from_slice(&MAGIC);
        put_u32(&mut b, 16, VERSION);
        put_u32(&mut b, 20, NBYTES as u32);
        b[48..64].copy_from_slice(&self.uuid);
        put_u64(&mut b, 64, self.sb_seq);
        put_u64(&mut b, 72, self.synced_seq);
        put_u64(&mut b, 80, self.lease);
        put_u64(&mut b, 88, self.file_len);
        put_u32(&mut b, 96, self.slots_used);
        put_u32(&mut b, 100, self.segments);
        put_u32(&mut b, 104, self.mode);
        put_u32(&mut b, 108, self.state);
        put_u64(&mut b, 112, self.capacity);
        b[120..136].copy_from_slice(&self.boot_id);
        put_u32(&mut b, 136, self.pid);
        b[144..160].copy_from_slice(&self.tag_seed);
        let crc = crc32c::crc32c(&b[..508]);
        put_u32(&mut b, 508, crc);
        b
    }

    pub(crate) fn decode(b: &[u8; NBYTES]) -> Result<Self, Fault> {
        if b[..16] != MAGIC {
            return Err(Fault::NoMagic);
        }
        // Magic, version and the checksum's place are the same in every version.
        if crc32c::crc32c(&b[..508]) != u32_at(b, 508) {
            return Err(Fault::Checksum);
        }
        if u32_at(b, 16) != VERSION {
            return Err(Fault::Version(u32_at(b, 16)));
        }
        let incompatible = u64_at(b, 24) | u64_at(b, 32);
        if incompatible != 0 {
            return Err(Fault::Feature(incompatible));
        }
        let mut sb = Self {
            uuid: [0; 16],
            sb_seq: u64_at(b, 64),
            synced_seq: u64_at(b, 72),
            lease: u64_at(b, 80),
            file_len: u64_at(b, 88),
            slots_used: u32_at(b, 96),
            segments: u32_at(b, 100),
            mode: u32_at(b, 104),
            state: u32_at(b, 108),
            capacity: u64_at(b, 112),
            boot_id: [0; 16],
            pid: u32_at(b, 136),
            tag_seed: [0; 16],
        };
        sb.uuid.copy_from_slice(&b[48..64]);
        sb.boot_id.copy_from_slice(&b[120..136]);
        sb.tag_seed.copy_from_slice(&b[144..160]);
        if u32_at(b, 20) as usize != NBYTES {
            return Err(Fault::Field("size", 20));
        }
        if sb.sb_seq > MAX_SB_SEQ {
            return Err(Fault::Field("sb_seq", 64));
        }
        if sb.mode != MODE_PERSISTENT && sb.mode != MODE_SCRATCH {
            return Err(Fault::Field("mode", 104));
        }
        // A store that is clean has nothing that failed, and who poisons it takes the mark of cleanness away.
        let contradicts = sb.state & (CLEAN | POISONED) == CLEAN | POISONED;
        if contradicts || sb.state & !(CLEAN | HELD_DISTRUST | POISONED) != 0 {
            return Err(Fault::Field("state", 108));
        }
        if sb.lease == 0 || sb.lease > super::slot::MAX_SEQ || sb.synced_seq >= sb.lease {
            return Err(Fault::Field("lease", 80));
        }
        if sb.segments == 0 || sb.segments > super::segment::MAX_SEGMENTS {
            return Err(Fault::Field("segments", 100));
        }
        if !sb.file_len.is_multiple_of(super::FILE_UNIT) {
            return Err(Fault::Field("file_len", 88));
        }
        let least = super::HEADER_BYTES + segment::nbytes(segment::slots_of(0));
        let is_limit = (least..=MAX_CAPACITY).contains(&sb.capacity);
        if sb.capacity != 0 && !(is_limit && sb.capacity.is_multiple_of(super::FILE_UNIT)) {
            return Err(Fault::Field("capacity", 112));
        }
        Ok(sb)
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Superblock {
    Superblock {
        uuid: [7; 16],
        sb_seq: 3,
        synced_seq: 40,
        lease: 4137,
        file_len: 192 * 1024,
        slots_used: 5,
        segments: 1,
        mode: MODE_PERSISTENT,
        state: CLEAN,
        capacity: 0,
        boot_id: [9; 16],
        pid: 77,
        tag_seed: [1; 16],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sample().encode();
        assert_eq!(Superblock::decode(&good).unwrap(), sample());
        // Miri needs two minutes for all of them.
        for bit in (0..NBYTES * 8).step_by(if cfg!(miri) { 67 } else { 1 }) {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_named_not_called_damage() {
        let mut b = sample().encode();
        put_u32(&mut b, 16, 99);
        let crc = crc32c::crc32c(&b[..508]);
        put_u32(&mut b, 508, crc);
        assert_eq!(Superblock::decode(&b), Err(Fault::Version(99)));
    }
}
