//! The aux extent: an object's attributes as tagged fields, immutable once its body is active. Table: `docs/FORMAT.md`, "Aux extent".

use super::{UNIT, put_u32, put_u64, u32_at, u64_at};

pub(crate) const HEAD: usize = 24;
const MAGIC: u32 = u32::from_le_bytes(*b"FMAX");
/// Field tags. Those without a constant here are reserved: 2 DIM, 3 CLASS, 4 JSON, 5 NAMES, 6 DIMNAMES, 7 HEAP.
const NAME: u16 = 1;
const SEAL: u16 = 8;
/// A NAME field: sequence u64, replaced id u32, replaced generation u32 (0: none), then the name's UTF-8 bytes.
const NAMING_HEAD: usize = 16;
/// A SEAL field: block bytes u32, checksums u32, CRC-32C of their array u32, zero u32, where the array stands in the extent u64.
const SEAL_NBYTES: usize = 24;
/// A name's length in UTF-8 bytes.
pub(crate) const MAX_NAME: usize = 4096;
/// No aux extent of this version is longer; a body that says so is damaged.
pub(crate) const MAX_NBYTES: u64 = 1 << 30;
/// Header and fields of this version are never longer: what is read to find a name is bounded, however long a seal's array is.
pub(crate) const MAX_USED: u64 = 8192;
/// Payload bytes under one checksum of a seal.
pub(crate) const SEAL_BLOCK: u32 = 1 << 20;

/// A name with the act that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) name: String,
    /// The sequence of the act: where a crash leaves a name twice, the later act wins.
    pub(crate) seq: u64,
    /// Id and generation of the object this act took the name from, to be destroyed with it.
    pub(crate) replaces: Option<(u32, u32)>,
}

/// A seal: the payload is immutable, and its checksums stand in an array behind the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Checksums: one for each [`SEAL_BLOCK`] of the payload, the last for what is left.
    pub(crate) count: u32,
    /// CRC-32C of the array.
    pub(crate) crc: u32,
    /// Where the array stands, from the start of the extent. Set by [`Aux::encode`].
    pub(crate) off: u64,
}

impl Seal {
    /// The seal of an array of checksums, little-endian.
    pub(crate) fn of(checksums: &[u8]) -> Self {
        Self { count: (checksums.len() / 4) as u32, crc: crc32c::crc32c(checksums), off: 0 }
    }

    /// Checksums that a payload of `nbytes` has.
    pub(crate) fn count_for(nbytes: u64) -> u64 {
        nbytes.div_ceil(u64::from(SEAL_BLOCK))
    }
}

/// Attributes of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aux {
    pub(crate) naming: Option<Naming>,
    pub(crate) seal: Option<Seal>,
}

impl Aux {
    /// Bytes of the extent that holds this name and that many checksums, known before the numbers that go with them; 0: nothing to
    /// hold, no extent.
    pub(crate) fn nbytes_with(name: Option<&str>, checksums: Option<u64>) -> u64 {
        if name.is_none() && checksums.is_none() {
            return 0;
        }
        let naming = name.map_or(0, |n| 8 + (NAMING_HEAD + n.len()).next_multiple_of(8));
        let seal = checksums.map_or(0, |n| 8 + SEAL_NBYTES as u64 + 4 * n);
        ((HEAD + naming) as u64 + seal).next_multiple_of(UNIT)
    }

    /// Bytes with padding to a whole number of units; empty when there is nothing to say. `checksums`: the seal's array.
    pub(crate) fn encode(&self, id: u32, generation: u32, checksums: &[u8], out: &mut Vec<u8>) {
        out.clear();
        if self.naming.is_none() && self.seal.is_none() {
            return;
        }
        out.resize(HEAD, 0);
        if let Some(naming) = &self.naming {
            let (old_id, old_generation) = naming.replaces.unwrap_or((0, 0));
            let mut fixed = [0u8; NAMING_HEAD];
            put_u64(&mut fixed, 0, naming.seq);
            put_u32(&mut fixed, 8, old_id);
            put_u32(&mut fixed, 12, old_generation);
            field(out, NAME, &[&fixed, naming.name.as_bytes()]);
        }
        if let Some(seal) = &self.seal {
            let mut fixed = [0u8; SEAL_NBYTES];
            put_u32(&mut fixed, 0, SEAL_BLOCK);
            put_u32(&mut fixed, 4, seal.count);
            put_u32(&mut fixed, 8, seal.crc);
            // The array follows the last field, which this one is.
            put_u64(&mut fixed, 16, (out.len() + 8 + SEAL_NBYTES) as u64);
            field(out, SEAL, &[&fixed]);
        }
        let used = out.len();
        out.extend_from_slice(checksums);
        out.resize(out.len().next_multiple_of(UNIT as usize), 0);
        put_u32(out, 0, MAGIC);
        put_u32(out, 4, id);
        put_u32(out, 8, generation);
        put_u32(out, 12, used as u32);
        let crc = checksum(&out[..used]);
        put_u32(out, 16, crc);
    }

    /// Bytes that must be read of an extent of `nbytes` to decode it: its head says how much of it is in use. Whatever the head says,
    /// the answer lies within the extent and within [`MAX_USED`].
    pub(crate) fn nbytes_used(head: &[u8; HEAD], nbytes: u64) -> u64 {
        u64::from(u32_at(head, 12)).clamp(HEAD as u64, MAX_USED).min(nbytes)
    }

    /// Decodes the first bytes of an extent of `nbytes` bytes. The error: what is wrong, in words.
    pub(crate) fn decode(b: &[u8], nbytes: u64, id: u32, generation: u32) -> Result<Self, &'static str> {
        let mut aux = Self::default();
        if b.is_empty() {
            return Ok(aux);
        }
        if b.len() < HEAD || u32_at(b, 0) != MAGIC {
            return Err("attributes: no aux extent here");
        }
        if u32_at(b, 4) != id || u32_at(b, 8) != generation {
            return Err("attributes: of another object");
        }
        let used = u32_at(b, 12) as usize;
        if used < HEAD || used > b.len() {
            return Err("attributes: length out of range");
        }
        let b = &b[..used];
        if checksum(b) != u32_at(b, 16) {
            return Err("attributes: wrong checksum");
        }
        let mut at = HEAD;
        while at < used {
            let Some(head) = b.get(at..at + 8) else { return Err("attributes: field cut short") };
            let tag = u16::from_le_bytes([head[0], head[1]]);
            let value_nbytes = u32_at(head, 4) as usize;
            let Some(value) = b.get(at + 8..).and_then(|r| r.get(..value_nbytes)) else {
                return Err("attributes: field cut short");
            };
            match tag {
                NAME if aux.naming.is_some() => return Err("attributes: two names"),
                SEAL if aux.seal.is_some() => return Err("attributes: two seals"),
                NAME => aux.naming = Some(decode_naming(value)?),
                SEAL => aux.seal = Some(decode_seal(value, used as u64, nbytes)?),
                _ => return Err("attributes: a field this version does not know; update rfmalloc"),
            }
            at += 8 + value_nbytes.next_multiple_of(8);
        }
        Ok(aux)
    }
}

fn decode_naming(value: &[u8]) -> Result<Naming, &'static str> {
    if value.len() <= NAMING_HEAD || value.len() > NAMING_HEAD + MAX_NAME {
        return Err("attributes: name length out of range");
    }
    let name =
        std::str::from_utf8(&value[NAMING_HEAD..]).map_err(|_| "attributes: name is not UTF-8")?.to_owned();
    let old = (u32_at(value, 8), u32_at(value, 12));
    Ok(Naming { name, seq: u64_at(value, 0), replaces: (old.1 != 0).then_some(old) })
}

/// `used`, `nbytes`: where the fields and where the extent end.
fn decode_seal(value: &[u8], used: u64, nbytes: u64) -> Result<Seal, &'static str> {
    if value.len() != SEAL_NBYTES || u32_at(value, 0) != SEAL_BLOCK {
        return Err("attributes: a seal this version does not know; update rfmalloc");
    }
    let seal = Seal { count: u32_at(value, 4), crc: u32_at(value, 8), off: u64_at(value, 16) };
    let end = seal.off.checked_add(4 * u64::from(seal.count));
    if seal.off < used || end.is_none_or(|end| end > nbytes) {
        return Err("attributes: the seal's checksums lie outside their extent");
    }
    Ok(seal)
}

/// Header 8 bytes {tag u16, zero u16, nbytes u32}, value, zeros to a multiple of 8.
fn field(out: &mut Vec<u8>, tag: u16, parts: &[&[u8]]) {
    let nbytes: usize = parts.iter().map(|p| p.len()).sum();
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&(nbytes as u32).to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out.resize(out.len().next_multiple_of(8), 0);
}

/// CRC-32C of all used bytes but the checksum itself (16–19).
fn checksum(b: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&b[..16]), &b[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming {
        Naming { name: "weights of the cohort".into(), seq: 9, replaces: Some((3, 4)) }
    }

    #[test]
    fn what_is_encoded_is_decoded_and_has_the_size_told_before() {
        let checksums: Vec<u8> = (0..36).collect();
        for (naming, array) in [
            (Some(naming()), None),
            (None, Some(&checksums[..])),
            (Some(naming()), Some(&checksums[..])),
            (None, Some(&[][..])),
            (None, None),
        ] {
            let aux = Aux { naming, seal: array.map(Seal::of) };
            let mut out = Vec::new();
            aux.encode(5, 6, array.unwrap_or(&[]), &mut out);
            let name = aux.naming.as_ref().map(|n| n.name.as_str());
            assert_eq!(out.len() as u64, Aux::nbytes_with(name, array.map(|a| a.len() as u64 / 4)));
            let found = Aux::decode(&out, out.len() as u64, 5, 6).unwrap();
            assert_eq!(found.naming, aux.naming);
            if let (Some(seal), Some(array)) = (found.seal, array) {
                assert_eq!(&out[seal.off as usize..][..array.len()], array);
                assert_eq!(Seal { off: 0, ..seal }, Seal::of(array));
            } else {
                assert_eq!(found.seal, aux.seal);
            }
            // The head says how much is to be read, and that is enough.
            if let Some(head) = out.first_chunk() {
                let n = Aux::nbytes_used(head, out.len() as u64) as usize;
                assert_eq!(Aux::decode(&out[..n], out.len() as u64, 5, 6).unwrap(), found);
            }
        }
    }

    #[test]
    fn no_input_is_read_beyond_its_end() {
        let checksums = [7u8; 400];
        let mut good = Vec::new();
        let aux = Aux { naming: Some(naming()), seal: Some(Seal::of(&checksums)) };
        aux.encode(5, 6, &checksums, &mut good);
        let nbytes = good.len() as u64;
        assert!(Aux::decode(&good, nbytes, 5, 6).is_ok());
        assert!(Aux::decode(&good, nbytes, 5, 7).is_err());
        assert!(Aux::decode(&good, nbytes - 64, 5, 6).is_err(), "an array that reaches beyond the extent");
        for n in 1..good.len() {
            let _ = Aux::decode(&good[..n], nbytes, 5, 6);
        }
        let used = u32_at(&good, 12) as usize;
        for bit in (0..used * 8).step_by(if cfg!(miri) { 11 } else { 1 }) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Aux::decode(&bad, nbytes, 5, 6).is_err(), "bit {bit}");
        }
    }
}
